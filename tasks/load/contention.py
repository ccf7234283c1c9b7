"""How much others kept what we run waiting, seen from /proc: upper bounds, by what the host can tell."""

import os
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gates.checks.contention import Waited, disturbed
from host.resources.waits import PROC, pressure_s, thread_times, threads

# How long the machine must have been quiet to call it so.
QUIET_S = 2.0
PRESSURE, DELAY, OTHERS = "PSI", "run-queue delay", "processor time used by others"


@dataclass(frozen=True)
class Contention:
    """A moment, to be held against a later one; all in seconds. None: this host does not tell.

    `pressure_s` is how long at least one runnable task of the host waited for a processor (docs.kernel.org,
    accounting/psi), `waits_s` is what our processes' threads waited and ran, by process id. PSI counts what our own
    processes do to each other too, hence upper bounds.
    """

    at_s: float
    pressure_s: float | None
    waits_s: dict[int, tuple[float, float]]
    busy_s: float | None
    ours_s: float

    @classmethod
    def now(cls, ours: Iterable[int] = (), ours_s: float = 0.0, proc: Path = PROC) -> "Contention":
        """Return the moment. `ours` are the process ids of what is measured, `ours_s` the processor seconds that it and
        what drives it have used so far.
        """
        return cls(time.monotonic(), pressure_s(proc), _waits(proc, ours), _busy_s(proc), ours_s)

    def until(self, later: "Contention", processors: int) -> list[Waited]:
        """Return the bounds for the time between the two moments: by PSI, else by run-queue delay; and by what others
        used of all `processors`.
        """
        passed_s = max(later.at_s - self.at_s, 0.001)
        found = []
        if self.pressure_s is not None and later.pressure_s is not None:
            found.append(Waited(_share((later.pressure_s - self.pressure_s) / passed_s), PRESSURE))
        elif (delay := self._delay(later)) is not None:
            found.append(Waited(delay, DELAY))
        if self.busy_s is not None and later.busy_s is not None:
            others_s = (later.busy_s - self.busy_s) - (later.ours_s - self.ours_s)
            found.append(Waited(_share(others_s / (passed_s * processors)), OTHERS))
        return found

    def _delay(self, later: "Contention") -> float | None:
        """Return the share of the time that our processes waited of what they waited and ran; None when none was seen
        at both moments.
        """
        both = [(self.waits_s[pid], later.waits_s[pid]) for pid in self.waits_s if pid in later.waits_s]
        waited = sum(after[0] - before[0] for before, after in both)
        ran = sum(after[1] - before[1] for before, after in both)
        return _share(waited / (waited + ran)) if waited + ran > 0 else None


def await_quiet(limit_s: float, cancelled: threading.Event, proc: Path = PROC, quiet_s: float = QUIET_S) -> bool:
    """Wait, while nothing of ours runs, until others leave the machine alone. Return False when they do not within
    `limit_s`, or when the run is cancelled.
    """
    ends_s = time.monotonic() + limit_s
    while time.monotonic() < ends_s:
        before = Contention.now(proc=proc)
        if cancelled.wait(quiet_s):
            return False
        if not disturbed(before.until(Contention.now(proc=proc), os.cpu_count() or 1)):
            return True
    return False


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


def _waits(proc: Path, ours: Iterable[int]) -> dict[int, tuple[float, float]]:
    """Return what each process's threads waited and ran, in seconds."""
    found: dict[int, tuple[float, float]] = {}
    for pid in ours:
        known = [times for one in threads(pid, proc) if (times := thread_times(one, proc))]
        if known:
            found[pid] = (sum(one.waited_s for one in known), sum(one.ran_s for one in known))
    return found


def _busy_s(proc: Path) -> float | None:
    """Return the processor seconds that the host has spent, but for idleness and waiting for disks (proc_stat(5))."""
    try:
        stat = (proc / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = re.search(r"^cpu +(\d+(?: \d+){7})", stat, re.MULTILINE)
    if not found:
        return None
    used = [int(word) for word in found[1].split()]
    idle, waiting = used[3], used[4]
    return float(sum(used) - idle - waiting) / os.sysconf("SC_CLK_TCK")
