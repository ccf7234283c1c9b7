from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gates.release.rollback import Refusal, Situation, choose_target, refuse_automatic

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


@pytest.mark.parametrize("wanted", [None, TWO])
def test_a_version_that_the_database_does_not_fit_is_no_target(wanted: str | None) -> None:
    refused = choose_target(THREE, THREE, [ONE, TWO, THREE], [], wanted, {TWO: "why", ONE: "why too"})
    assert isinstance(refused, Refusal) and not refused.harmless
    assert "is not safe to go back to: why; release a fixed version" in refused.reason


def test_what_is_unsafe_and_older_than_the_target_is_in_nobodys_way() -> None:
    assert choose_target(THREE, THREE, [ONE, TWO, THREE], [], None, {ONE: "why"}) == TWO


ARRIVED = datetime(2026, 1, 1, 12, tzinfo=UTC)
WINDOW = timedelta(hours=1)
GOOD = Situation(wanted=True, blamed=TWO, live=TWO, arrived=ARRIVED, window=WINDOW)


@pytest.mark.parametrize("after", [timedelta(0), WINDOW, -timedelta(days=1)])  # the last: our clock was set back
def test_within_its_window_a_fresh_release_may_go_back_by_itself(after: timedelta) -> None:
    assert refuse_automatic(GOOD, ARRIVED + after) is None


@pytest.mark.parametrize(
    ("change", "after", "harmless", "said"),
    [
        ({"wanted": False}, timedelta(0), True, "ALERTS is off"),
        ({"blamed": ""}, timedelta(0), False, "no digest is blamed"),
        ({"live": ONE}, timedelta(0), True, "is not live"),  # somebody was quicker, or the event is late
        ({"live": None}, timedelta(0), True, "is not live"),
        ({"arrived": None}, timedelta(0), False, "a person must look"),  # it came back, and is bad too: never twice
        ({}, WINDOW + timedelta(seconds=1), True, "window ended"),
        ({"window": timedelta(0)}, timedelta(seconds=1), True, "window ended"),
    ],
)
def test_nothing_else_goes_back_by_itself(
    change: dict[str, object], after: timedelta, harmless: bool, said: str
) -> None:
    refusal = refuse_automatic(replace(GOOD, **change), ARRIVED + after)  # type: ignore[arg-type]
    assert refusal is not None and said in refusal.reason and refusal.harmless is harmless
