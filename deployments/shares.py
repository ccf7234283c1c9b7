"""What the programs of a check may take of this host: what serves goes first, and a check has limits.

Three ways, the best one that this host permits, found by trying:

    cgroup v2   where we may make groups (root in a container, a delegated systemd scope): memory and processes are
                limited by the kernel, and a check runs when what serves does not
    cgroup v1   the same for processor and processes; memory is watched, since v1 ends one process and not the check
    priorities  nice, and each session's autogroup too; memory and processes are watched

In the groups everything of ours weighs as one against the rest of the host, and checks are idle only beside what
serves: what others run does not starve them. With `priorities` a check weighs a ninth of whatever else runs, SCHED_IDLE
would starve it. A thread counts as a process.
"""

import contextlib
import functools
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from deployments import sandbox_init

LOOK_S = 0.25
REMOVE_S = 2.0
SERVING_OOM_ADJ = -500
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

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
class Shares:
    """What one program of a check may use together with everything that it starts: million bytes, and processes.

    `way` None is the best one of this host.
    """

    memory_mb: int = 4096
    processes: int = 512
    way: Way | None = None

    @property
    def memory_bytes(self) -> int:
        return self.memory_mb * 1_000_000


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


@dataclass
class Hold:
    """A program that is being held to its shares. `entries` are the files by which its processes enter its groups."""

    shares: Shares
    groups: tuple[Path, ...] = ()
    way: Way = Way.PRIORITIES
    _due: float = 0.0
    _sessions: set[int] = field(default_factory=set)

    @property
    def entries(self) -> list[str]:
        return [str(group / "cgroup.procs") for group in self.groups]

    def exceeded(self, launcher: int) -> str:
        """Return what the tree below a launcher has used too much of, "" while nothing; looks each 0.25 s."""
        now = time.monotonic()
        if now < self._due:
            return ""
        self._due = now + LOOK_S
        return self.counted() or self._watched(launcher)

    def counted(self) -> str:
        """Return what the kernel has refused so far, "" when nothing: it can be asked after the end too."""
        if any(_events(group / "memory.events", "oom_kill") for group in self.groups):
            return self._memory
        if any(_events(group / "pids.events", "max") for group in self.groups):
            for group in self.groups:  # a bomb must not outrun who kills it
                with contextlib.suppress(OSError):
                    _write(group / "pids.max", "0")
            return self._processes
        return ""

    def _watched(self, launcher: int) -> str:
        if self.way is Way.GROUPS_V2:
            return ""
        pids = _members(self.groups[0]) if self.groups else sandbox_init.descendants(launcher)
        seen = {pid: one for pid in pids if (one := _Process.read(pid))}
        if self.way is Way.PRIORITIES:
            self._calm(seen)
            if sum(one.threads for one in seen.values()) > self.shares.processes:
                return self._processes
        limit = self.shares.memory_bytes
        if sum(one.resident_bytes for one in seen.values()) <= limit:  # counts shared pages often: the sum is the most
            return ""
        shared_out = sum(_memory_bytes(pid, one.resident_bytes) for pid, one in seen.items())
        return self._memory if shared_out > limit else ""

    def _calm(self, seen: "dict[int, _Process]") -> None:
        """Have each session that the program made yield too: Linux may weigh sessions, whatever runs in them."""
        for session in {one.session for one in seen.values()} - self._sessions:
            with contextlib.suppress(OSError):
                _write(Path(f"/proc/{session}/autogroup"), str(sandbox_init.NICE))
            self._sessions.add(session)

    @property
    def _memory(self) -> str:
        return f"used more than {self.shares.memory_mb} MB of memory"

    @property
    def _processes(self) -> str:
        return f"used more than {self.shares.processes} processes"


@dataclass(frozen=True)
class _Process:
    session: int
    threads: int
    resident_bytes: int

    @classmethod
    def read(cls, pid: int) -> "_Process | None":
        """Read /proc/<pid>/stat (proc(5)); None when the process is gone."""
        try:
            words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            return None
        return cls(int(words[3]), int(words[17]), int(words[21]) * PAGE_BYTES) if len(words) > 21 else None


def _memory_bytes(pid: int, resident_bytes: int) -> int:
    """Return a process's share of memory (PSS: shared pages count once); what is resident where that is denied."""
    try:
        rolled_up = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except ProcessLookupError:
        return 0
    except OSError:
        return resident_bytes
    found = re.search(r"^Pss:\s+(\d+) kB", rolled_up, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


@contextlib.contextmanager
def held(shares: Shares) -> Iterator[Hold]:
    """Hold a program to its shares while the block runs; its groups are gone afterwards.

    Groups that a killed run left are removed first. Raises OSError or LookupError when `shares.way` is not to be had.
    """
    way = shares.way or best()
    if way is Way.PRIORITIES:
        yield Hold(shares)
        return
    place = _find(way)
    name = f"slipway-check-{os.getpid()}-{secrets.token_hex(4)}"
    made: list[Path] = []
    try:
        for parent in place.both:
            _remove_stale(parent)
            (parent / name).mkdir()
            made.append(parent / name)
        _limit(place, name, shares)
        yield Hold(shares, tuple(made), way)
    finally:
        for group in made:
            _remove(group)


def _limit(place: Groups, name: str, shares: Shares) -> None:
    _make_idle(place.processor / name)
    group = place.processes / name
    _write(group / "pids.max", str(shares.processes))
    if place.way is Way.GROUPS_V2:
        _write(group / "memory.max", str(shares.memory_bytes))
        _write(group / "memory.oom.group", "1")
        with contextlib.suppress(OSError):  # absent without swap accounting
            _write(group / "memory.swap.max", "0")


def _make_idle(group: Path) -> None:
    """Have a group run when its siblings do not (`cpu.idle`, Linux 5.15 and newer), else at the least weight."""
    for name, least in (("cpu.idle", "1"), ("cpu.weight", "1"), ("cpu.shares", str(LEAST_SHARES))):
        if (group / name).exists():
            _write(group / name, least)
            return
    raise LookupError(f"{group} has no processor controller")


@functools.cache
def best() -> Way:
    """Return the best way that works here, found by trying. It is never an error that there is only the last."""
    for way in (Way.GROUPS_V2, Way.GROUPS_V1):
        with contextlib.suppress(OSError, LookupError), held(Shares(64, 16, way)):
            return way
    return Way.PRIORITIES


def yielding_entry() -> str:
    """Return the file by which a process of ours enters the group that yields to what serves; "" without groups."""
    with contextlib.suppress(OSError, LookupError):
        if best() is not Way.PRIORITIES:
            group = _find(best()).processor / YIELDING
            group.mkdir(exist_ok=True)
            _make_idle(group)
            return str(group / "cgroup.procs")
    return ""


def yielding(argv: list[str]) -> list[str]:
    """Return the command that runs `argv` as ourselves, in what is left of the processor by what serves."""
    return sandbox_init.yielding_command(yielding_entry(), argv)


def protect(pids: list[int]) -> bool:
    """Put what serves first: its group, and the last to be ended for want of memory; return whether both succeeded.

    What runs in a check's group, or yields, stays where it is. Only root can lower `oom_score_adj` (CAP_SYS_RESOURCE).
    """
    entry: Path | None = None
    with contextlib.suppress(OSError, LookupError):
        if best() is not Way.PRIORITIES:
            entry = _serving(_find(best())) / "cgroup.procs"
    return all([_protect(pid, entry) for pid in pids])


def _protect(pid: int, entry: Path | None) -> bool:
    try:
        if re.search("slipway-(check|yielding)", Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii")):
            return True
        if entry:
            _write(entry, str(pid))
        _write(Path(f"/proc/{pid}/oom_score_adj"), str(SERVING_OOM_ADJ))
    except (ProcessLookupError, FileNotFoundError):  # it has ended
        return True
    except OSError:
        return False
    return entry is not None


def may_protect_memory() -> bool:
    """Return whether we may lower `oom_score_adj`, found by trying on ourselves."""
    own = Path("/proc/self/oom_score_adj")
    try:
        now = int(own.read_text(encoding="ascii"))
        _write(own, str(now - 1))
        _write(own, str(now))
    except OSError:
        return False
    return True


# ---- where groups are


def _find(way: Way) -> Groups:
    """Return where groups are made. LookupError: such a hierarchy is not there; OSError: it is not ours to change."""
    if way is Way.GROUPS_V2:
        own = _own_group("cgroup2", "")
        base = own.parent if own.name in (SERVING, YIELDING) else own
        _hand_down(base)
        return Groups(way, base, base)
    cpu = _above_ours(_own_group("cgroup", "cpu")) / OURS
    cpu.mkdir(exist_ok=True)
    _write(cpu / "cpu.shares", str(OURS_SHARES))
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
    if _members(base) and (base / "cgroup.type").exists():
        if not _is_delegated(base):
            raise LookupError(f"{base} is not delegated to us")
        (base / SERVING).mkdir(exist_ok=True)
        for pid in _members(base):
            with contextlib.suppress(ProcessLookupError):
                _write(base / SERVING / "cgroup.procs", str(pid))
    _write(base / "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(wanted)))


def _is_delegated(base: Path) -> bool:
    """Return whether systemd marked a group as its owner's (Delegate=), or it is all that our namespace sees."""
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            return os.getxattr(base, name) == b"1"
    return Path("/proc/self/cgroup").read_text(encoding="utf-8").strip().endswith("::/")


def _serving(place: Groups) -> Path:
    group = place.processor / SERVING
    group.mkdir(exist_ok=True)
    if place.way is Way.GROUPS_V2:
        _write(group / "cpu.weight", str(SERVING_WEIGHT))
    else:
        _write(group / "cpu.shares", str(SERVING_SHARES))
    return group


# ---- groups as files


def _write(file: Path, text: str) -> None:
    """Write to a file of the kernel's, in one piece; it is never made."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _events(file: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in file.read_text(encoding="ascii").splitlines():
            key, _, count = line.partition(" ")
            if key == name:
                return int(count)
    return 0


def _members(group: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(pid) for pid in (group / "cgroup.procs").read_text(encoding="ascii").split()]
    return []


def _remove_stale(parent: Path) -> None:
    """Remove the groups of runs that were killed; what still runs in one keeps it."""
    for group in parent.glob("slipway-check-*"):
        owner = CHECK.fullmatch(group.name)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            with contextlib.suppress(OSError):
                group.rmdir()


def _remove(group: Path) -> None:
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
