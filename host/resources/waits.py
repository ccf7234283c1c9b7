"""How long processes waited for a processor, as the kernel counts it."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
SOME = re.compile(r"^some .*\btotal=(\d+)", re.MULTILINE)


class Times(NamedTuple):
    """What a thread has had so far, in seconds: a processor, and the wait for one."""

    ran_s: float
    waited_s: float


class Work(NamedTuple):
    """What processes have done so far: seconds that they had a processor, bytes that they read and wrote."""

    ran_s: float
    moved: int


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


def tree_threads(pid: int, proc: Path = PROC) -> list[str]:
    """Return the threads of a process and of those below it, as paths below `proc`."""
    found: list[str] = []
    left = [str(pid)]
    while left:
        for thread in threads(left.pop(), proc):
            found.append(thread)
            left += _below(thread, proc)
    return found


def _below(thread: str, proc: Path) -> list[str]:
    try:
        return (proc / thread / "children").read_text(encoding="ascii").split()
    except OSError:
        return []


def work_of(pids: Iterable[int], proc: Path = PROC) -> Work:
    """Return what processes, and those below them, have done so far, as far as the kernel tells it."""
    found = [thread for pid in pids for thread in tree_threads(pid, proc)]
    times = [one for thread in found if (one := thread_times(thread, proc))]
    return Work(sum(one.ran_s for one in times), sum(_moved(proc / thread / "io") for thread in found))


def _moved(file: Path) -> int:
    try:
        rows = dict(line.split(": ") for line in file.read_text(encoding="ascii").splitlines())
        return int(rows["rchar"]) + int(rows["wchar"])
    except (OSError, ValueError, KeyError):
        return 0
