"""Find processes by a mark in the environment that they were started with. Never by name: names are not ours to own.

A mark survives fork and exec and the death of who set it, which a recorded process id does not.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def carriers(variable: str, prefix: str) -> Iterator[tuple[int, str]]:
    """Yield (process id, value) of this user's processes whose `variable` starts with `prefix`; never ourselves.

    Processes that have ended but were not collected (zombies) have no environment any more and are not found.
    """
    wanted = os.fsencode(f"{variable}={prefix}")
    for name in filter(str.isdigit, os.listdir("/proc")):
        # gone meanwhile, or not to be read by us: then it is none of ours
        with contextlib.suppress(OSError):
            if int(name) == os.getpid() or os.stat(f"/proc/{name}").st_uid != os.geteuid():
                continue
            for entry in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                if entry.startswith(wanted):
                    yield int(name), os.fsdecode(entry.partition(b"=")[2])
                    break


def command_line(pid: int) -> list[str]:
    """Return a process's arguments; empty when it is gone."""
    with contextlib.suppress(OSError):
        content = Path(f"/proc/{pid}/cmdline").read_bytes()
        return [os.fsdecode(word) for word in content.rstrip(b"\0").split(b"\0")]
    return []


def told(pid: int, longest: int = 120) -> str:
    """Return "pid 123 (python -m http.server)" for people, in one printable line: the words can be a stranger's."""
    words = " ".join(" ".join(command_line(pid)).split())[:longest]
    return f"pid {pid} ({''.join(letter if letter.isprintable() else '?' for letter in words)})"


def send(pid: int, number: int) -> None:
    """Send a signal; a process that is gone needs none."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
