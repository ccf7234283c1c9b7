"""How long processes waited for a processor, as the kernel counts it."""

import re
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
SOME = re.compile(r"^some .*\btotal=(\d+)", re.MULTILINE)


class Times(NamedTuple):
    """What a thread has had so far, in seconds: a processor, and the wait for one."""

    ran_s: float
    waited_s: float


def pressure_s(proc: Path = PROC) -> float | None:
    """Return for how many seconds at least one runnable task of the host has waited since it started ("some" of
    /proc/pressure/cpu, Documentation/accounting/psi.rst); None when the kernel does not tell.
    """
    try:
        found = SOME.search((proc / "pressure" / "cpu").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None
    return int(found[1]) / 1e6 if found else None


def threads(pid: int | str, proc: Path = PROC) -> list[str]:
    """Return the threads of a process, as paths below `proc`; none when it has ended."""
    try:
        return [f"{pid}/task/{one.name}" for one in (proc / str(pid) / "task").iterdir()]
    except OSError:
        return []


def thread_times(thread: str, proc: Path = PROC) -> Times | None:
    """Return a thread's times (schedstat, Documentation/scheduler/sched-stats.rst); None when it has ended, or this
    kernel does not tell.
    """
    try:
        ran, waited, _ = (proc / thread / "schedstat").read_text(encoding="ascii").split()
        return Times(int(ran) / 1e9, int(waited) / 1e9)
    except (OSError, ValueError):
        return None
