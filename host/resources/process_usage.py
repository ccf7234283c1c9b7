"""What process trees use, seen from outside: processor time and memory."""

import contextlib
from collections.abc import Iterable, Sequence

import psutil


def tree(top: psutil.Process) -> list[psutil.Process]:
    """Return a process and everything below it that is there now."""
    with contextlib.suppress(psutil.Error):
        return [top, *top.children(recursive=True)]
    return []


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Return the processor time so far, in seconds, that of children that ended included."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total


def memory_bytes(processes: Iterable[psutil.Process]) -> int:
    """Return the processes' memory: PSS, in which shared pages count once; RSS where that is denied."""
    return sum(_memory(process) for process in processes)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.AccessDenied:
        with contextlib.suppress(psutil.Error):
            return int(process.memory_info().rss)
    except psutil.Error:
        pass
    return 0
