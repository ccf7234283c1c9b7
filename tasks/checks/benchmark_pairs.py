"""The benchmarks of two versions, run in turn: A B, B A, A B, ... in sandboxes of one shape."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from time import monotonic

from gates.checks.benchmarks import NAME, Paired
from gates.checks.pairs import LOOKS, MOST_PAIRS, Compared, Finding, Pair, compare_pairs
from gates.checks.reports import last_line
from gates.repository_paths import TOP
from host.errors import ToolError
from settings.pipeline import Suite
from settings.preparation import Preparation
from tasks.checks.benchmark_report import read_medians
from tasks.checks.suites import choose_tests, prepare_suite, suite_environment
from tasks.source.suite_services import suite_services
from tasks.source.workspace import Workspace

CLEAN_EXITS = (0, 1)  # pytest's: all passed, some failed. A benchmark that failed is not in the report.


class Failed(ToolError):
    """A version's benchmarks could not be measured: they crashed, did not end in time, or left no report.

    `disturbed`: a machine that is busy can do that to any version.
    """

    def __init__(self, version: str, reason: str, disturbed: bool = False) -> None:
        super().__init__(f"the benchmarks of {version} {reason}")
        self.version, self.disturbed = version, disturbed


@dataclass(frozen=True)
class Side:
    """One of the two versions: what it is called, where it runs, and what makes it ready."""

    name: str
    workspace: Workspace
    directory: str = TOP
    preparation: Preparation | None = None

    def measure(self, suite: Suite, number: int, only: Collection[str] | None) -> dict[str, float]:
        """Run the benchmarks (`only` these, None: all) in a process of their own; return each one's median in seconds.

        Failed says what went wrong.
        """
        report = self.workspace.scratch(NAME) / f"benchmarks-{number}.json"
        chosen = choose_tests(self.workspace.root / NAME / f"only-{number}", only) if only is not None else None
        words = ["-p", "slipway_only"] if chosen else []
        with suite_services(NAME, suite, self.workspace) as services:
            try:
                prepare_suite(NAME, suite, self.preparation, self.workspace, services)
            except ToolError as error:
                raise Failed(self.name, f"could not be run: {error}") from error
            environment = suite_environment(suite, services, chosen)
            done = self.workspace.run(
                NAME,
                [*self.workspace.argv(suite.command), "--benchmark-only", "--benchmark-quiet", *words]
                + [f"--benchmark-json={report}"],
                environment,
                suite.timeout_seconds,
                read_only=(*services.read_only, *(chosen or ())),
                network=services.network,
                directory=self.directory,
            )
        if done.timed_out:
            raise Failed(self.name, f"did not end within {suite.timeout_seconds:g} s", disturbed=True)
        if done.exceeded or done.returncode not in CLEAN_EXITS:
            raise Failed(self.name, f"{done.how}: {last_line(done.output)[-200:]}")
        try:
            return read_medians(report)
        except ToolError as error:
            raise Failed(self.name, f"cannot be read: {error}") from error


@dataclass
class Comparing:
    """A comparison under way. It ends when every benchmark is decided, or `compare_s` seconds are spent."""

    suite: Suite
    base: Side
    candidate: Side
    max_percent: float
    compare_s: float
    tell: Callable[[str], None]
    clock: Callable[[], float] = monotonic
    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    compared: dict[str, Compared] = field(default_factory=dict)
    alone: dict[str, set[str]] = field(default_factory=dict)

    def run(self) -> Paired:
        """Measure pair after pair and return what they tell.

        Failed when this commit's benchmarks crash, or when there is not one pair to tell anything.
        """
        ended = self._measure()
        for key in self._undecided():  # the last pairs may have come after the last look
            self.compared[key] = compare_pairs(self.pairs[key], self.max_percent)
        return Paired(
            base=self.base.name,
            compared=self.compared,
            only_base=tuple(sorted(self.alone.get(self.base.name, ()))),
            only_candidate=tuple(sorted(self.alone.get(self.candidate.name, ()))),
            ended=ended,
        )

    def _measure(self) -> str:
        """Measure until all is told, and return why not longer."""
        end = self.clock() + self.compare_s
        for number in range(1, MOST_PAIRS + 1):
            if self.clock() >= end:
                return f"{self.compare_s:g} s (compare_seconds) are spent"
            try:
                self._add_pair(number)
            except Failed as error:
                if not self.compared or (error.version == self.candidate.name and not error.disturbed):
                    raise
                return str(error)
            waiting = len(self._undecided())
            self.tell(f"{NAME}: pair {number}: {len(self.compared) - waiting} of {len(self.compared)} decided")
            if not waiting:
                return "each is decided"
        return f"{MOST_PAIRS} pairs are the most"

    def _undecided(self) -> list[str]:
        return [key for key, one in self.compared.items() if one.finding is Finding.UNDECIDED]

    def _add_pair(self, number: int) -> None:
        """Measure both versions, every second time in the other order: neither is always the first."""
        sides = (self.base, self.candidate) if number % 2 else (self.candidate, self.base)
        only = self._undecided() if number > 1 else None
        found = {side.name: side.measure(self.suite, number, only) for side in sides}
        base, candidate = found[self.base.name], found[self.candidate.name]
        if number == 1:
            self.alone = {self.base.name: set(base) - set(candidate), self.candidate.name: set(candidate) - set(base)}
        for key in sorted(set(base) & set(candidate)):
            pairs = self.pairs.setdefault(key, [])
            pairs.append(Pair(base=base[key], candidate=candidate[key]))
            if number == 1 or len(pairs) in LOOKS:
                self.compared[key] = compare_pairs(pairs, self.max_percent)
