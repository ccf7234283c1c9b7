import pytest

from gates.release.retention import Needs, keep


def needs(live: str | None, promoted: str, running: str = "", condemned: str = "", under_way: str = "") -> Needs:
    return Needs(live, list(running), list(promoted), list(condemned), list(under_way))


@pytest.mark.parametrize(
    ("environment", "newest", "kept"),
    [
        (needs(None, ""), 1, "z"),
        (needs("c", "abc"), 1, "zcb"),  # the last good one before what is live
        (needs("c", "abc"), 2, "yzcb"),
        (needs("c", "abc"), 3, "xyzcba"),
        (needs("c", "abc", condemned="b"), 1, "zca"),
        (needs("b", "abc", condemned="c"), 1, "zba"),  # after a rollback
        (needs("c", "abc", running="ca"), 1, "zcba"),
        (needs("c", "abc", under_way="x"), 1, "zcbx"),
        (needs("c", "cabc"), 1, "zcb"),
        (needs("c", "abc", condemned="c"), 1, "zcb"),  # live for as long as nobody went back
        (needs("d", "abc"), 1, "zdc"),  # live by hand: never promoted, and no slot of ours runs it
        (needs("c", "abc"), 0, "zcb"),
    ],
)
def test_what_may_be_needed_stays(environment: Needs, newest: int, kept: str) -> None:
    assert keep([environment], list("abcxyz"), newest) == set(kept)


def test_every_environments_needs_count() -> None:
    assert keep([needs("a", "a"), needs("b", "b")], list("abcz"), 1) == set("abz")
