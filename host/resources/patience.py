"""How long to wait on a machine that others use too: by the time that the work could have had, not by the wall clock.

A limit is over when its seconds were spent. Time in which what is watched was ready to run and got no processor is not
spent; a process that hangs idle, or computes for ever, spends its time as on an empty machine.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from host.resources.waits import PROC, Times, pressure_s, thread_times, tree_threads

START_S = 60.0  # what a start may take at least where nothing tells how busy the machine is
MOST_TIMES = 10
MOST_WALL_S = 1800.0
LOOK_EVERY_S = 0.5  # a look reads a few small files for each thread that is watched


@dataclass
class Patience:
    """A limit of `limit_s` seconds, counted from now.

    With `pid`, what that process and those below it waited for a processor is not counted (run-queue delay in
    /proc/PID/task/TID/schedstat, Documentation/scheduler/sched-stats.rst). Without it, or where the kernel does not
    tell, the time in which any process of the machine waited is not counted (/proc/pressure/cpu "some",
    Documentation/accounting/psi.rst): an upper bound of what one of them waited. With `others` neither is
    counted: what is watched waits for programs that do not run below it. Where neither is there, a start
    (`blind_s`) gets at least that many seconds. It is over at ten times the limit whatever happens, and after half an
    hour unless the limit itself is longer.
    """

    limit_s: float
    pid: int | None = None
    blind_s: float = 0.0
    others: bool = False
    proc: Path = PROC
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _looked: float = field(init=False)
    _excused_s: float = field(init=False, default=0.0)
    _threads: dict[str, Times] = field(init=False, default_factory=dict)
    _pressure_s: float | None = field(init=False)

    def __post_init__(self) -> None:
        self._began = self._looked = self.clock()
        self._pressure_s = pressure_s(self.proc)
        self._new_times()

    def wall_s(self) -> float:
        """Return the seconds since the beginning."""
        return self.clock() - self._began

    def spent_s(self) -> float:
        """Return the seconds that count: never more than `wall_s`."""
        now = self.clock()
        if now - self._looked >= LOOK_EVERY_S:
            self._excused_s += self._excuse(now - self._looked)
            self._looked = now
        return max(0.0, now - self._began - self._excused_s)

    def over(self) -> bool:
        """Say whether the limit is reached."""
        spent_s, wall_s = self.spent_s(), self.wall_s()  # looks all along: what has ended tells nothing any more
        if wall_s < self.limit_s:
            return False
        if wall_s >= max(self.limit_s, min(self.limit_s * MOST_TIMES, MOST_WALL_S), self._least_s()):
            return True
        return wall_s >= self._least_s() and spent_s >= self.limit_s

    def _least_s(self) -> float:
        return 0.0 if self._pressure_s is not None or self._threads else self.blind_s

    def _excuse(self, passed_s: float) -> float:
        """Return how much of the last `passed_s` seconds does not count."""
        ran_s, waited_s = self._new_times()
        before, self._pressure_s = self._pressure_s, pressure_s(self.proc)
        # Many threads wait at once: of what they could have had in this time, the same share was kept from each.
        share = waited_s / (ran_s + waited_s) if waited_s else 0.0
        excused_s = min(waited_s, passed_s * share)
        if (self.others or not self._threads) and before is not None and self._pressure_s is not None:
            excused_s = max(excused_s, min(passed_s, self._pressure_s - before))
        return excused_s

    def _new_times(self) -> tuple[float, float]:
        """Return what the watched threads ran and waited since the last look, in seconds."""
        ran_s = waited_s = 0.0
        seen: dict[str, Times] = {}
        for path in tree_threads(self.pid, self.proc) if self.pid is not None else ():
            now = thread_times(path, self.proc)
            if now is None:
                continue
            seen[path] = now
            before = self._threads.get(path, Times(0.0, 0.0))
            ran_s += max(0.0, now.ran_s - before.ran_s)
            waited_s += max(0.0, now.waited_s - before.waited_s)
        self._threads = seen
        return ran_s, waited_s
