"""What became of each mutant, told by the tests that can see it: a part of `make mutants`."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from benchmarks.copies import NO_TESTS, Copy, Ended
from benchmarks.importers import mirrored
from benchmarks.mutations import Mutant
from host.errors import ToolError

UNMUTATED_LIMIT_S = 1800
TIMES, SLACK_S = 10, 60  # how much longer than unmutated a run may take
UNMUTATED: dict[int | None, str] = {0: "green", NO_TESTS: "nothing to run here"}

Given = TypeVar("Given")
Made = TypeVar("Made")


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMEOUT = "killed: timeout"
    SURVIVED = "survived"
    UNSEEN = "survived: no test imports it"
    EXPLAINED = "explained"


KILLED = (Fate.KILLED, Fate.TIMEOUT)
SURVIVED = (Fate.SURVIVED, Fate.UNSEEN)


@dataclass(frozen=True)
class Outcome:
    """A mutant and its fate."""

    mutant: Mutant
    fate: Fate


class Trials:
    """Runs of tests, side by side in copies of the tree. `tests_of` names the test files that can see a file."""

    def __init__(self, available: Sequence[Copy], stop: threading.Event, tests_of: Callable[[str], list[str]]) -> None:
        self._jobs, self._stop, self._tests_of = len(available), stop, tests_of
        self._free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for copy in available:
            self._free.put(copy)
        self._seconds: dict[str, float] = {}

    def run_unmutated(self, files: Sequence[str], tell: Callable[[str], None]) -> None:
        """Run the tests that can see the files, each test file alone, tell and remember its seconds; raises ToolError
        that names all that fail. A test file of which nothing is left to run is left out from then on.
        """
        tests = sorted({test for file in files for test in self._tests_of(file)})
        red: dict[str, str] = {}
        for number, (test, ended) in enumerate(self._side_by_side(tests, self._run_alone), start=1):
            tell(f"{number}/{len(tests)} {UNMUTATED.get(ended.code, 'red')} {test} ({ended.seconds:.1f} s)")
            if ended.code == 0:
                self._seconds[test] = ended.seconds
            elif ended.code != NO_TESTS:
                took = f"; killed after {UNMUTATED_LIMIT_S} s" if ended.code is None else ""
                red[test] = f"{ended.output}{took}"
        if red:
            outputs = "\n\n".join(f"{test}:\n{output}" for test, output in sorted(red.items()))
            raise ToolError(f"red without any mutant, mend these first: {', '.join(sorted(red))}\n\n{outputs}")

    def run(self, mutants: Sequence[Mutant]) -> Iterator[Outcome]:
        """Yield each mutant's outcome as it comes."""
        yield from self._side_by_side(mutants, lambda mutant: Outcome(mutant, self._judge(mutant)))

    def _run_alone(self, test: str) -> tuple[str, Ended]:
        copy = self._free.get()
        try:
            return test, copy.run([test], UNMUTATED_LIMIT_S)
        finally:
            self._free.put(copy)

    def _judge(self, mutant: Mutant) -> Fate:
        own = mirrored(mutant.file)
        # After its own tests the quickest: the run ends at the first failure.
        tests = [test for test in self._tests_of(mutant.file) if test in self._seconds]
        tests.sort(key=lambda test: (test != own, self._seconds[test]))
        if not tests:
            return Fate.UNSEEN
        copy = self._free.get()
        try:
            with copy.changed(mutant.file, mutant.text):
                code = copy.run(tests, TIMES * sum(self._seconds[test] for test in tests) + SLACK_S).code
        finally:
            self._free.put(copy)
        if code is None:
            return Fate.TIMEOUT
        return Fate.SURVIVED if code in (0, NO_TESTS) else Fate.KILLED

    def _side_by_side(self, given: Sequence[Given], work: Callable[[Given], Made]) -> Iterator[Made]:
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                for future in as_completed([pool.submit(work, item) for item in given]):
                    yield future.result()
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
