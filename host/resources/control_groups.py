"""Linux's control groups, as files: where we may make them, of both versions, and what a group of a check is told."""

import contextlib
import os
import re
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

REMOVE_S = 2.0
OURS = "slipway"
SERVING = "slipway-serving"
YIELDING = "slipway-yielding"
CHECK = re.compile(r"slipway-check-(\d+)-[0-9a-f]+")
# In v1 our group stands beside the sessions of others, of which each has 1024.
OURS_SHARES, SERVING_SHARES, LEAST_SHARES = 2048, 10240, 2
SERVING_WEIGHT = 1000


class Way(StrEnum):
    """How a check is held back, best first."""

    GROUPS_V2 = "cgroup v2"
    GROUPS_V1 = "cgroup v1"
    PRIORITIES = "priorities"


@dataclass(frozen=True)
class Groups:
    """Where control groups can be made: `processor` for ours, `processes` for a check's number of processes.

    In v2 the two are the same, and memory is limited there too.
    """

    way: Way
    processor: Path
    processes: Path

    @property
    def both(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((self.processor, self.processes)))


def limit(place: Groups, name: str, memory_bytes: int, processes: int) -> None:
    """Give a group its limits, and let it run when what serves does not."""
    make_idle(place.processor / name)
    group = place.processes / name
    write(group / "pids.max", str(processes))
    if place.way is Way.GROUPS_V2:
        write(group / "memory.max", str(memory_bytes))
        write(group / "memory.oom.group", "1")
        with contextlib.suppress(OSError):  # absent without swap accounting
            write(group / "memory.swap.max", "0")


def make_idle(group: Path) -> None:
    """Have a group run when its siblings do not (`cpu.idle`, Linux 5.15 and newer), else at the least weight."""
    for name, least in (("cpu.idle", "1"), ("cpu.weight", "1"), ("cpu.shares", str(LEAST_SHARES))):
        if (group / name).exists():
            write(group / name, least)
            return
    raise LookupError(f"{group} has no processor controller")


# ---- where groups are


def find(way: Way) -> Groups:
    """Return where groups are made. Raises LookupError if such a hierarchy is not there; raises OSError if it is not
    ours to change.
    """
    if way is Way.GROUPS_V2:
        own = _own_group("cgroup2", "")
        base = own.parent if own.name in (SERVING, YIELDING) else own
        _hand_down(base)
        return Groups(way, base, base)
    cpu = _above_ours(_own_group("cgroup", "cpu")) / OURS
    cpu.mkdir(exist_ok=True)
    write(cpu / "cpu.shares", str(OURS_SHARES))
    return Groups(way, cpu, _above_ours(_own_group("cgroup", "pids")))


def _above_ours(group: Path) -> Path:
    return next((one.parent for one in (group, *group.parents) if one.name == OURS), group)


def _own_group(kind: str, controller: str) -> Path:
    """Return the directory of the group that this process is in, from /proc/self/mountinfo and /proc/self/cgroup."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
        groups = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise LookupError("no control groups") from error
    inside = next((path for _, names, path in (g.split(":", 2) for g in groups) if controller in names.split(",")), "")
    for line in mounts:
        left, _, right = line.partition(" - ")
        fields, about = left.split(" "), right.split(" ")
        if about[0] == kind and (not controller or controller in about[2].split(",")) and inside:
            where = os.path.relpath(inside, fields[3])
            return Path(fields[4]) if where.startswith("..") else Path(fields[4], where)
    raise LookupError(f"no {kind} with {controller or 'one hierarchy'}")


def _hand_down(base: Path) -> None:
    """Let groups below `base` (v2) have controllers, which a group with processes of its own may not: those of a group
    that was delegated to us, or is a container's whole, move to one below first.
    """
    wanted = {"cpu", "memory", "pids"}
    if wanted <= set((base / "cgroup.subtree_control").read_text(encoding="ascii").split()):
        return
    if not wanted <= set((base / "cgroup.controllers").read_text(encoding="ascii").split()):
        raise LookupError(f"{base} lacks some of {', '.join(sorted(wanted))}")
    if members(base) and (base / "cgroup.type").exists():
        if not _is_delegated(base):
            raise LookupError(f"{base} is not delegated to us")
        (base / SERVING).mkdir(exist_ok=True)
        for pid in members(base):
            with contextlib.suppress(ProcessLookupError):
                write(base / SERVING / "cgroup.procs", str(pid))
    write(base / "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(wanted)))


def _is_delegated(base: Path) -> bool:
    """Return whether systemd marked a group as its owner's (Delegate=), or it is all that our namespace sees."""
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            return os.getxattr(base, name) == b"1"
    return Path("/proc/self/cgroup").read_text(encoding="utf-8").strip().endswith("::/")


def serving_group(place: Groups) -> Path:
    """Return the group of what serves, made when it is not there."""
    group = place.processor / SERVING
    group.mkdir(exist_ok=True)
    if place.way is Way.GROUPS_V2:
        write(group / "cpu.weight", str(SERVING_WEIGHT))
    else:
        write(group / "cpu.shares", str(SERVING_SHARES))
    return group


# ---- groups as files


def write(file: Path, text: str) -> None:
    """Write to a file of the kernel's, in one piece; it is never made. Raises OSError."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def events(file: Path, name: str) -> int:
    """Return how often the kernel counted an event, 0 when it does not count it."""
    with contextlib.suppress(OSError):
        for line in file.read_text(encoding="ascii").splitlines():
            key, _, count = line.partition(" ")
            if key == name:
                return int(count)
    return 0


def members(group: Path) -> list[int]:
    """Return the processes in a group; none when it is gone."""
    with contextlib.suppress(OSError):
        return [int(pid) for pid in (group / "cgroup.procs").read_text(encoding="ascii").split()]
    return []


def remove_stale(parent: Path) -> None:
    """Remove the groups of runs that were killed; what still runs in one keeps it."""
    for group in parent.glob("slipway-check-*"):
        owner = CHECK.fullmatch(group.name)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            with contextlib.suppress(OSError):
                group.rmdir()


def remove(group: Path) -> None:
    """Remove an ended program's group; the last of it may still be ending. What stays is stale later."""
    until = time.monotonic() + REMOVE_S
    while time.monotonic() < until:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
