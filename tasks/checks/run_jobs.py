"""Run checks side by side: remembered ones at once, the others as tasks, those that must be alone at the end."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from prefect.futures import PrefectFuture, as_completed
from prefect.logging import get_run_logger

from gates.check import GOOD, Check, Outcome, no_verdict
from gates.checks.summary import in_a_line
from host.errors import ConfigError, SlipwayError
from host.resources.cores import host_cores
from tasks.checks.cores import with_wait_noted
from tasks.checks.memory import Memory
from tasks.source.workspace import Looked, Workspace

# What a person at a terminal sees of a run under way: one line for each check that ended.
progress = logging.getLogger("slipway.progress")


@dataclass(frozen=True)
class Job:
    """One check to be. `key` names its result in the result store, "" for one that is never remembered; without the
    files that it `must_leave` a result is not kept. `told` is its line for a person who watches.
    """

    name: str
    submit: Callable[[], PrefectFuture[Looked]]
    key: str = ""
    alone: bool = False
    must_leave: tuple[str, ...] = ()
    told: Callable[[Check], str] = in_a_line


@dataclass(frozen=True)
class Later:
    """Jobs that need what others came to: they are made when all that `after` names have ended."""

    after: tuple[str, ...]
    make: Callable[[Mapping[str, Looked]], Sequence[Job]]


def run_jobs(
    jobs: Sequence[Job],
    memory: Memory,
    workspace: Workspace,
    fail_fast: bool = False,
    later: Sequence[Later] = (),
    expected: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Looked]:
    """Return what every job came to, by name, in the order given. A job that raises comes to `no verdict`.

    What `expected` (seconds by name) says takes longest is started first, and before it what nobody knows. With
    `fail_fast` the first that does not pass ends the others: they come to `skipped`, which passes nothing. Each job
    takes its core, or all, of the host by itself (tasks/checks/cores.py). Raises ConfigError if their number is wrong,
    or two jobs have the same name.
    """
    host_cores()  # told once here, not by every job
    return _Running(memory, workspace, fail_fast, list(later), expected).all(jobs)


@dataclass
class _Running:
    memory: Memory
    workspace: Workspace
    fail_fast: bool
    later: list[Later]
    expected: Mapping[str, float]
    found: dict[str, Looked] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    waiting: list[Job] = field(default_factory=list)
    running: dict[PrefectFuture[Looked], Job] = field(default_factory=dict)
    stopped_by: str = ""

    def all(self, jobs: Sequence[Job]) -> dict[str, Looked]:
        try:
            self._take(jobs)
            while self._start():
                ended = next(as_completed(list(self.running)))
                self._end(self.running.pop(ended), ended)
        except BaseException:
            self.workspace.cancelled.set()  # interrupted: nothing may go on, or wait for a core, in its threads
            raise
        return {name: self.found[name] for name in self.order}

    def _take(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.name in self.order:
                raise ConfigError(f"two checks are named {job.name}; a check's name is unique, a scan's too")
            self.order.append(job.name)
            recalled = self.memory.recall(job.key) if job.key else None
            if recalled:
                self._found(job, recalled)
            else:
                self.waiting.append(job)
        self._make_what_is_due()

    def _make_what_is_due(self) -> None:
        due = [one for one in self.later if set(one.after) <= set(self.found)]
        self.later = [one for one in self.later if one not in due]
        for one in due:
            self._take(one.make(self.found))

    def _start(self) -> bool:
        """Start all that may run now: what must be alone when nothing else is left. Return whether anything runs."""
        while self.stopped_by and self.waiting:
            skipped, self.waiting = self.waiting, []
            for job in skipped:
                self._found(job, _skipped(job.name, self.stopped_by))
            self._make_what_is_due()
        together = [job for job in self.waiting if not job.alone]
        chosen = sorted(together, key=lambda job: -self.expected.get(job.name, math.inf))
        if not chosen and not self.running:
            chosen = self.waiting[:1]
        self.waiting = [job for job in self.waiting if job not in chosen]
        self.running |= {job.submit(): job for job in chosen}
        return bool(self.running)

    def _end(self, job: Job, future: PrefectFuture[Looked]) -> None:
        looked = _result(job.name, future)
        if self.stopped_by and looked.check.outcome not in GOOD:
            looked = _skipped(job.name, self.stopped_by)
        elif self.fail_fast and looked.check.outcome not in GOOD:
            self.stopped_by = job.name
            self.workspace.cancelled.set()
        if job.key and set(job.must_leave) <= set(looked.files):
            self.memory.keep(job.key, looked)
        self._found(job, with_wait_noted(looked))
        self._make_what_is_due()

    def _found(self, job: Job, looked: Looked) -> None:
        self.found[job.name] = looked
        progress.info("%s (%.1f s)", job.told(looked.check), looked.check.seconds)


def _result(name: str, future: PrefectFuture[Looked]) -> Looked:
    try:
        return future.result()
    except SlipwayError as error:
        return Looked(no_verdict(name, str(error)))
    except Exception as error:
        # One check that trips over what it reads must not take the others' verdicts along; it blocks all the same.
        get_run_logger().exception("%s: an error of Slipway's own", name)
        return Looked(no_verdict(name, f"Slipway's own error, please report it: {type(error).__name__}: {error}"[:500]))


def _skipped(name: str, stopped_by: str) -> Looked:
    return Looked(Check(name=name, outcome=Outcome.SKIPPED, reason=f"not finished: {stopped_by} did not pass"))
