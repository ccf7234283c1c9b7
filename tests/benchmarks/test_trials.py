"""What becomes of a mutant, and how its tests are run, in copies that end as told: real seconds vary."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from benchmarks.copies import NO_TESTS, Copy, Ended
from benchmarks.mutations import Mutant
from benchmarks.trials import Fate, Outcome, Trials
from host.errors import ToolError

MUTANT = Mutant("app/limits.py", 1, "a < b", "a <= b", "a <= b\n")
OWN, SLOW, QUICK, EMPTY = (
    "tests/app/test_limits.py",
    "tests/test_a_slow.py",
    "tests/test_quick.py",
    "tests/test_empty.py",
)
SECONDS = {OWN: 3.0, SLOW: 2.0, QUICK: 1.0, EMPTY: 1.0}


class Scripted(Copy):
    """A copy that ends each run as it is told: unmutated ones one by one, and those of a mutant."""

    def __init__(self, mutated: int | None = 0, unmutated: dict[str, int | None] | None = None) -> None:
        self.mutated, self.unmutated = mutated, {EMPTY: NO_TESTS, **(unmutated or {})}
        self.runs: list[tuple[list[str], float]] = []
        self._text = ""

    @contextmanager
    def changed(self, file: str, text: str) -> Iterator[None]:
        assert file == MUTANT.file
        self._text = text
        yield
        self._text = ""

    def run(self, tests: Sequence[str], limit_s: float) -> Ended:
        self.runs.append((list(tests), limit_s))
        if self._text:
            assert self._text == MUTANT.text
            return Ended(self.mutated, 1.0, "")
        (test,) = tests
        return Ended(self.unmutated.get(test, 0), SECONDS[test], f"output of {test}")


def _tests(*tests: str) -> Callable[[str], list[str]]:
    return lambda _: list(tests)


def _fate(copy: Scripted, *tests: str) -> Fate:
    trials = Trials([copy], threading.Event(), _tests(*tests))
    trials.run_unmutated([MUTANT.file], print)
    ((outcome),) = trials.run([MUTANT])
    assert outcome == Outcome(MUTANT, outcome.fate)
    return outcome.fate


@pytest.mark.parametrize(
    ("code", "fate"),
    [
        (0, Fate.SURVIVED),
        (NO_TESTS, Fate.SURVIVED),
        (1, Fate.KILLED),
        (2, Fate.KILLED),  # it could not even be imported
        (4, Fate.KILLED),  # conftest.py imports it
        (-11, Fate.KILLED),
        (None, Fate.TIMEOUT),
    ],
)
def test_the_tests_decide(code: int | None, fate: Fate) -> None:
    assert _fate(Scripted(code), OWN) is fate


def test_its_own_tests_run_first_then_the_quickest_and_have_ten_times_as_long_and_a_minute() -> None:
    copy = Scripted()
    assert _fate(copy, EMPTY, SLOW, QUICK, OWN) is Fate.SURVIVED
    assert copy.runs[-1] == ([OWN, QUICK, SLOW], 10 * 6.0 + 60)


@pytest.mark.parametrize("tests", [(), (EMPTY,)])
def test_what_no_test_sees_survives(tests: tuple[str, ...]) -> None:
    assert _fate(Scripted(1), *tests) is Fate.UNSEEN


def test_tests_that_are_red_without_a_mutant_are_all_named() -> None:
    trials = Trials([Scripted(unmutated={SLOW: 1, OWN: None})], threading.Event(), _tests(OWN, SLOW, QUICK))
    with pytest.raises(ToolError) as refused:
        trials.run_unmutated([MUTANT.file], print)
    assert str(refused.value) == (
        f"red without any mutant, mend these first: {OWN}, {SLOW}\n\n"
        f"{OWN}:\noutput of {OWN}; killed after 1800 s\n\n{SLOW}:\noutput of {SLOW}"
    )


def test_each_test_file_runs_unmutated_once_and_is_told() -> None:
    copy, told = Scripted(), list[str]()
    Trials([copy], threading.Event(), _tests(EMPTY, OWN)).run_unmutated(["app/limits.py", "app/other.py"], told.append)
    assert sorted(tests for tests, _ in copy.runs) == [[OWN], [EMPTY]]
    assert told == [f"1/2 green {OWN} (3.0 s)", f"2/2 nothing to run here {EMPTY} (1.0 s)"]


def test_runs_in_progress_are_stopped_when_the_command_leaves_off() -> None:
    stop = threading.Event()
    trials = Trials([Scripted()], stop, _tests(OWN))
    trials.run_unmutated([MUTANT.file], print)
    outcomes = trials.run([MUTANT] * 3)
    next(outcomes)
    assert not stop.is_set()
    with pytest.raises(KeyboardInterrupt):
        outcomes.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert stop.is_set()
