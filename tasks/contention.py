"""How much of the machine others used while something of ours ran: what they disturbed is not to be compared."""

import os
import resource
import time
from dataclasses import dataclass

import psutil

# Beyond this share of all processors, used by others, a figure says more of them than of what was measured.
MOST_BY_OTHERS = 0.25


@dataclass(frozen=True)
class Contention:
    """A moment to compare with. One check at a time: the processor time of all our children counts as the check's."""

    at: float
    busy_s: float
    ours_s: float

    @classmethod
    def now(cls) -> "Contention":
        """Return the moment."""
        return cls(time.monotonic(), _busy_s(), _ours_s())

    def by_others(self) -> float:
        """Return the share (0 to 1) of all processors that others have used since then."""
        passed_s = max(time.monotonic() - self.at, 0.001) * (os.cpu_count() or 1)
        used_s = (_busy_s() - self.busy_s) - (_ours_s() - self.ours_s)
        return min(1.0, max(0.0, used_s / passed_s))


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "irq", 0) + getattr(times, "softirq", 0))


def _ours_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
