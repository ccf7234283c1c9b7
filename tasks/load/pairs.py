"""The load test against the base version: both run side by side, and are asked in turn, in short windows of time.

So whatever else the machine does meanwhile hits both alike (docs/decisions names the method). Either has its own fresh
database, migrated by its own code, and the candidate's locustfile asks both.
"""

import logging
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from time import monotonic
from typing import NamedTuple

from evidence.bundle import Run
from gates.checks.load_pairs import Rules, Versus, compare_sides
from gates.checks.pairs import LOOKS, MOST_PAIRS
from gates.checks.performance import NAME
from host.errors import SlipwayError, ToolError
from host.ports import LOCAL, free_port
from settings.pipeline import Performance, Pipeline
from tasks.checks.base_version import NoBase, find_base
from tasks.load.programs import LOCUST_S, AppEnded, LoadTest, prepared
from tasks.load.records import begun, read_windows
from tasks.load.schedule import BASE, CANDIDATE, Schedule
from tasks.source.background import Background
from tasks.source.dependencies import own_tools
from tasks.source.workspace import Workspace

WINDOW_S, GAP_S = 0.6, 0.15
# How many requests in a window tell enough. Those of a slow app are asked several at a time to come to as many.
WANTED = 36
# A request that is not answered so long after its pair is not waited for: the pair is looked at without it.
SETTLED_S = 0.5

progress = logging.getLogger("slipway.progress")


@dataclass(frozen=True)
class OldVersion:
    """The base version as a load test needs it: what it is called, how it runs, and where."""

    version: str
    run: Run
    workspace: Workspace


def base_for_load(pipeline: Pipeline, workspace: Workspace) -> OldVersion | NoBase:
    """Return the base of a commit with the environment that its own lock makes, or why there is none."""
    base = find_base(pipeline, workspace.source)
    if isinstance(base, NoBase):
        return base
    laid_out = base.for_checks(pipeline, replace(workspace, root=workspace.root / f"{NAME}-pairs"))
    return laid_out if isinstance(laid_out, NoBase) else OldVersion(base.version, base.bundle.run, laid_out)


def compare_with_base(
    performance: Performance,
    workspace: Workspace,
    run: Run,
    find: Callable[[], OldVersion | NoBase],
    typical_s: float,
) -> Versus:
    """Ask base and candidate in turn until every figure is decided or `compare_seconds` are over.

    `typical_s` is what a request of the candidate typically takes; above 0.
    What keeps it from comparing is the reason of what is returned, and blocks nothing. AppEnded when the candidate ends
    under the load, ToolError when the run is cancelled.
    """
    rules = Rules(
        max_percent=performance.max_regression_percent,
        floor_s=performance.regression_floor_seconds,
        max_error_rate=performance.max_error_rate,
    )
    if not performance.compare_seconds:
        return Versus(rules=rules, reason="performance.compare_seconds is 0")
    base = find()
    if isinstance(base, NoBase):
        return Versus(rules=rules, reason=base.reason)
    at_once = min(performance.users, math.ceil(WANTED * typical_s / WINDOW_S))
    candidate = replace(workspace, root=workspace.root / f"{NAME}-candidate")
    try:
        with _both(performance, candidate, run, base, at_once) as turns:
            return turns.compare(rules)
    except AppEnded:
        raise
    except SlipwayError as error:
        if workspace.cancelled.is_set():
            raise
        return Versus(base=base.version, rules=rules, reason=str(error))


@dataclass(frozen=True)
class _Side:
    """One version under load. `name` is BASE or CANDIDATE."""

    name: str
    test: LoadTest
    app: Background
    load: Background

    def follow(self, version: str) -> None:
        """Look at it once. Raises AppEnded if it is the candidate that ended, ToolError for all else that keeps it from
        being asked.
        """
        try:
            if self.test.follow(self.app, self.load):
                return
        except AppEnded as error:
            if self.name == CANDIDATE:
                raise
            raise ToolError(f"{version}: {error}") from error
        self.test.check_locust(self.load.future.result())
        raise ToolError(f"locust ended before its time against {version if self.name == BASE else 'the candidate'}")


@dataclass(frozen=True)
class _Turns:
    version: str
    schedule: Schedule
    performance: Performance
    sides: tuple[_Side, _Side]

    def compare(self, rules: Rules) -> Versus:
        """Look again as often as more pairs can tell more, until they cannot or the time is over."""
        first = self._first_pair()
        ends_s = self.schedule.start_s + first * self.schedule.pair_s + self.performance.compare_seconds
        known, versus = 0, Versus(base=self.version, rules=rules)
        while not versus.decided and known < MOST_PAIRS and monotonic() < ends_s:
            self._follow()
            pairs = range(first, self.schedule.pair_after(monotonic() - SETTLED_S) - 1)
            looks = [number for number in LOOKS if known < number <= len(pairs)]
            if len(pairs) > known:
                known = len(pairs)
                versus = self._compare(pairs, rules) if looks else versus
                done = sum(one.decided(rules.floor_s) for one in versus.figures)
                progress.info("%s: pair %d: %d of %d decided", NAME, known, done, len(versus.figures))
        return versus if versus.figures or versus.reason else self._compare(range(first, first + known), rules)

    def _compare(self, pairs: range, rules: Rules) -> Versus:
        old, new = (read_windows(one.test.records, one.name, self.schedule, pairs) for one in self.sides)
        return compare_sides(self.version, old, new, rules)

    def _first_pair(self) -> int:
        """Return the first pair that counts: all users of both sides are there, and have had a turn before."""
        until_s = monotonic() + LOCUST_S
        while not all(begun(one.test.records) for one in self.sides):
            self._follow()
            if monotonic() > until_s:
                raise ToolError(f"locust did not begin within {LOCUST_S} s")
        ramp_s = self.performance.users / self.performance.spawn_rate
        return self.schedule.pair_after(monotonic() + ramp_s) + 1

    def _follow(self) -> None:
        for side in self.sides:
            side.follow(self.version)


@contextmanager
def _both(performance: Performance, workspace: Workspace, run: Run, base: OldVersion, at_once: int) -> Iterator[_Turns]:
    """Run both versions and a locust for either while the block runs; leaves no process behind."""
    tools = own_tools("load")
    seconds = LOCUST_S + math.ceil(performance.users / performance.spawn_rate + performance.compare_seconds)
    with ExitStack() as stack:
        versions = ((base.workspace, base.run), (workspace, run))
        with ThreadPoolExecutor(len(versions)) as threads:
            starting = [
                threads.submit(
                    copy_context().run, _serve, stack.enter_context(ExitStack()), performance, where, how, seconds
                )
                for where, how in versions
            ]
        try:
            old = starting[0].result()
        except SlipwayError as error:
            raise ToolError(f"{base.version}: {error}") from error
        new = starting[1].result()
        schedule = Schedule(monotonic(), WINDOW_S, GAP_S)
        asked = replace(new.test.loading(), seconds=seconds, stop_s=0, enough=0, at_once=at_once)
        sides = [
            _Side(
                name,
                one.test,
                one.app,
                stack.enter_context(one.test.locust(tools, one.url, replace(asked, schedule=schedule.words(name)))),
            )
            for name, one in ((BASE, old), (CANDIDATE, new))
        ]
        try:
            yield _Turns(base.version, schedule, performance, (sides[0], sides[1]))
        finally:  # all four at once: each may take seconds to end
            for side in sides:
                side.load.stop.set()
                side.app.stop.set()


class _Served(NamedTuple):
    test: LoadTest
    app: Background
    url: str


def _serve(stack: ExitStack, performance: Performance, workspace: Workspace, run: Run, seconds: int) -> _Served:
    """Run a version, as long as the stack is open, and return it when it is healthy."""
    test = stack.enter_context(prepared(performance, workspace, run))
    port = free_port()
    url = f"http://{LOCAL}:{port}"
    app = stack.enter_context(test.app(port, seconds + LOCUST_S))
    test.await_healthy(app, url, stack.enter_context(test.entrance(port)))
    return _Served(test, app, url)
