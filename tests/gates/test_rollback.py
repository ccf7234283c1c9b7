import pytest

from gates.rollback import Refusal, choose_target

ONE, TWO, THREE = "1" * 64, "2" * 64, "3" * 64


@pytest.mark.parametrize(
    ("live", "promoted", "condemned", "target"),
    [
        (TWO, [ONE, TWO], [], ONE),
        (THREE, [ONE, TWO, THREE], [], TWO),
        (THREE, [ONE, TWO, THREE], [TWO], ONE),
        (THREE, [ONE, TWO, ONE, THREE], [TWO], ONE),
        (THREE, [TWO, ONE, THREE], [], ONE),  # the order of promotion, not of anything else
        (TWO, [ONE, TWO, THREE], [THREE], ONE),  # only what was promoted before it
        (TWO, [TWO, ONE, TWO], [], ONE),  # promoted twice: before the last time
        (THREE, [ONE, TWO], [], TWO),  # live without a promotion (restored, or taken over)
    ],
)
def test_the_target_is_the_newest_promoted_before(
    live: str, promoted: list[str], condemned: list[str], target: str
) -> None:
    assert choose_target(live, live, promoted, condemned) == target


@pytest.mark.parametrize(
    ("condemn", "live", "promoted", "condemned", "wanted", "harmless", "said"),
    [
        (ONE, None, [ONE], [], None, False, "nothing is live"),
        ("", None, [], [], None, False, "nothing is live"),
        (ONE, TWO, [ONE, TWO], [], None, True, "is not live"),
        (TWO, ONE, [ONE, TWO], [TWO], None, True, "is not live"),  # a second rollback of the same never toggles
        (TWO, ONE, [ONE, TWO], [TWO], ONE, True, "is not live"),
        (ONE, ONE, [ONE], [], None, False, "no earlier"),
        (ONE, ONE, [ONE, TWO], [TWO], None, False, "no earlier"),  # never forward
        (THREE, THREE, [ONE, TWO, THREE], [ONE, TWO], None, False, "no earlier"),
        (ONE, ONE, [ONE, ONE], [], None, False, "no earlier"),
        (THREE, THREE, [ONE, TWO, THREE], [TWO], TWO, False, "is condemned"),
        (TWO, TWO, [ONE, TWO], [], TWO, False, "is condemned"),  # what is being condemned
        (TWO, TWO, [ONE, TWO], [], THREE, False, "was never promoted"),
    ],
)
def test_a_rollback_that_may_not_be_is_refused(
    condemn: str,
    live: str | None,
    promoted: list[str],
    condemned: list[str],
    wanted: str | None,
    harmless: bool,
    said: str,
) -> None:
    refusal = choose_target(condemn, live, promoted, condemned, wanted)
    assert isinstance(refusal, Refusal)
    assert refusal.harmless is harmless and said in refusal.reason


def test_a_named_target_is_taken_when_it_was_promoted() -> None:
    assert choose_target(THREE, THREE, [ONE, TWO, THREE], [], ONE) == ONE
    assert choose_target(TWO, TWO, [ONE, TWO, THREE], [], THREE) == THREE  # asked for by name: also a later one
