"""The order and the end of a comparison: measured by a script instead of programs, by a clock that the test turns."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gates.checks.benchmarks import Paired
from gates.checks.pairs import MOST_PAIRS, Finding
from host.sandbox.run import Completed
from settings.pipeline import Suite
from tasks.checks.benchmark_pairs import Comparing, Failed, Side
from tasks.source.git import Source
from tasks.source.workspace import Workspace

SUITE = Suite(command=("python", "-m", "pytest"))
NOWHERE = Workspace(Path("none"), Source("c" * 40, "v2", "main", (), Path("none")), Path("none"))
Times = Callable[[int], dict[str, float]]


@dataclass
class Run:
    """Two versions whose times are known by the number of the pair, and what was asked of them."""

    clock_s: float = 0
    asked: list[tuple[str, int, Collection[str] | None]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def side(self, name: str, times: Times) -> Side:
        run = self

        class Scripted(Side):
            def measure(self, suite: Suite, number: int, only: Collection[str] | None) -> dict[str, float]:
                run.asked.append((self.name, number, only))
                run.clock_s += 1
                found = times(number)
                return found if only is None else {key: one for key, one in found.items() if key in only}

        return Scripted(name, NOWHERE)

    def compare(self, base: Times, candidate: Times, compare_s: float = 1000, **more: Any) -> Paired:
        sides = self.side("v1", base), self.side("this commit", candidate)
        return Comparing(SUITE, *sides, 25, compare_s, self.lines.append, clock=lambda: self.clock_s, **more).run()


def steady(**times: float) -> Times:
    """Return times that differ a little from pair to pair."""
    return lambda number: {name: one * (1 + number / 10_000) for name, one in times.items()}


def test_the_versions_take_turns_and_each_benchmark_ends_when_it_is_decided() -> None:
    run = Run()
    found = run.compare(steady(a=1, b=1), steady(a=1, b=1.5))
    assert [name for name, _, _ in run.asked[:6]] == ["v1", "this commit", "this commit", "v1", "v1", "this commit"]
    assert {key: (one.finding, one.pairs) for key, one in found.compared.items()} == {
        "a": (Finding.WITHIN, 5),
        "b": (Finding.SLOWER, 10),
    }
    assert [only for _, number, only in run.asked if number in (1, 2, 6)] == [None] * 2 + [["a", "b"]] * 2 + [["b"]] * 2
    assert run.lines[4] == "benchmarks: pair 5: 1 of 2 decided" and len(run.lines) == 10
    assert found.conclusive


@pytest.mark.parametrize("compare_s, pairs", [(0, 0), (1, 1), (2, 1), (3, 2), (8, 4), (9, 5)])
def test_what_the_seconds_do_not_suffice_for_is_undecided(compare_s: float, pairs: int) -> None:
    """Each program takes a second; a pair that was begun is ended."""
    found = Run().compare(steady(a=1), steady(a=1), compare_s)
    assert [one.pairs for one in found.compared.values()] == [pairs] * bool(pairs)
    assert found.conclusive is (pairs == 5)
    assert found.ended == ("each is decided" if pairs == 5 else f"{compare_s} s (compare_seconds) are spent")


def test_there_is_an_end_to_pairs_that_tell_nothing() -> None:
    wild = Run()
    fast, slow = steady(a=0.5), steady(a=3.125)  # as far below 1.25 times as above
    found = wild.compare(steady(a=1), lambda number: fast(number) if number % 2 else slow(number))
    assert found.compared["a"].pairs == MOST_PAIRS and not found.conclusive
    assert found.ended == f"{MOST_PAIRS} pairs are the most"


def test_the_estimate_of_what_is_open_is_of_all_pairs() -> None:
    found = Run().compare(steady(a=1), lambda number: {"a": 0.5 if number % 2 else 3.0}, compare_s=13)
    assert found.compared["a"].pairs == 7  # which is no number to decide at


def test_what_only_one_has_is_kept_apart() -> None:
    found = Run().compare(steady(a=1, old=1), steady(a=1, new=1))
    assert (set(found.compared), found.only_base, found.only_candidate) == ({"a"}, ("old",), ("new",))
    none = Run().compare(steady(old=1), steady(new=1))
    assert (none.compared, none.only_base, none.only_candidate) == ({}, ("old",), ("new",))


def failing(name: str, at: int, disturbed: bool) -> Times:
    def times(number: int) -> dict[str, float]:
        if number == at:
            raise Failed(name, "ended with 2", disturbed)
        return {"a": 1 + number / 10_000, "b": 2 + number / 10_000}

    return times


@pytest.mark.parametrize("disturbed", [True, False])
def test_a_base_that_fails_later_ends_the_comparison_and_what_is_decided_stays(disturbed: bool) -> None:
    found = Run().compare(failing("v1", 7, disturbed), lambda number: {"a": 1, "b": 2.5 + number / 10})
    assert [found.compared[key].finding for key in "ab"] == [Finding.WITHIN, Finding.UNDECIDED]
    assert found.ended == "the benchmarks of v1 ended with 2"
    with pytest.raises(Failed, match="of v1"):
        Run().compare(failing("v1", 1, disturbed), steady(a=1))


@pytest.mark.parametrize(
    "at, disturbed, tells", [(1, True, False), (1, False, False), (3, False, False), (3, True, True)]
)
def test_a_commit_that_crashes_is_never_excused_by_the_pairs_before(at: int, disturbed: bool, tells: bool) -> None:
    run = Run()
    if tells:
        assert run.compare(steady(a=1, b=2), failing("this commit", at, disturbed)).ended.endswith("ended with 2")
        return
    with pytest.raises(Failed, match="of this commit ended with 2"):
        run.compare(steady(a=1, b=2), failing("this commit", at, disturbed))


class Bomb(Workspace):
    """Where every program passes a limit."""

    def run(self, *_: object, **__: object) -> Completed:  # type: ignore[override]
        return Completed(137, "", False, False, False, 1.0, exceeded="used more than 64 processes")


def test_benchmarks_that_pass_a_limit_are_told_with_it(tmp_path: Path) -> None:
    workspace = Bomb(tmp_path, Source("0" * 40, "v1", "main", (), tmp_path), tmp_path)
    with pytest.raises(Failed, match="of v1 used more than 64 processes"):
        Side("v1", workspace).measure(SUITE, 1, None)
