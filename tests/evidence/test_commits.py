"""What lies between two commits, as evidence records it and as a real repository tells it."""

import pytest

from evidence.commits import Commit, Repository, co_authors, recorded_span
from host.errors import SourceError


def commit(name: str, *parents: str, recorded: bool = True) -> Commit:
    return Commit(
        hash=name, author=name, email=f"{name}@x.y", subject=name, parents=tuple(parents) if recorded else None
    )


MERGED = (commit("m", "h", "t"), commit("t", "b"), commit("h", "b"), commit("b", "a"), commit("a"))


@pytest.mark.parametrize(
    ("live", "out"), [("m", ""), ("h", "mt"), ("t", "mh"), ("b", "mth"), ("a", "mthb"), ("z", None)]
)
def test_a_span_is_what_cannot_be_reached_from_what_is_live(live: str, out: str | None) -> None:
    span = recorded_span(MERGED, live)
    assert (span and "".join(one.hash for one in span.commits)) == out
    if span:
        assert span.authors == {f"{name}@x.y" for name in out or ""} and (span.more, span.lost) == (0, 0)


def test_a_span_that_leads_out_of_what_is_recorded_is_not_known() -> None:
    assert recorded_span((commit("m", "h", "t"), commit("h", "b"), commit("b", "a")), "h") is None  # t is cut off
    cut = recorded_span(MERGED[:4], "b")  # only what is live has something behind it
    assert cut and [one.hash for one in cut.commits] == ["m", "t", "h"]


def test_evidence_without_parents_does_not_tell() -> None:
    assert recorded_span((commit("b", "a"), commit("a", recorded=False)), "a") is None
    assert recorded_span((), "a") is None


def test_a_mirror_that_is_not_there_says_why() -> None:
    with pytest.raises(SourceError, match="no network"):
        Repository(None, "no network").span("a" * 40, "b" * 40)


def test_an_author_counts_once_however_often_a_commit_names_the_address() -> None:
    named = co_authors("x\n\nCo-authored-by: A <a@x.y>\nCo-authored-by: B <A@X.Y>\nco-authored-by: c@x.y\n")
    assert [(one.name, one.email) for one in named] == [("A", "a@x.y"), ("c@x.y", "c@x.y")]
    assert co_authors("we co authored it by hand: a@x.y") == ()
