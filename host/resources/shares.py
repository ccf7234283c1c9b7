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
from pathlib import Path

from host.resources import control_groups
from host.resources.control_groups import Way
from host.sandbox import launcher as sandbox_init

LOOK_S = 0.25
SERVING_OOM_ADJ = -500
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


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
        if any(control_groups.events(group / "memory.events", "oom_kill") for group in self.groups):
            return self._memory
        if any(control_groups.events(group / "pids.events", "max") for group in self.groups):
            for group in self.groups:  # a bomb must not outrun who kills it
                with contextlib.suppress(OSError):
                    control_groups.write(group / "pids.max", "0")
            return self._processes
        return ""

    def _watched(self, launcher: int) -> str:
        if self.way is Way.GROUPS_V2:
            return ""
        pids = control_groups.members(self.groups[0]) if self.groups else sandbox_init.descendants(launcher)
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
                control_groups.write(Path(f"/proc/{session}/autogroup"), str(sandbox_init.NICE))
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
    place = control_groups.find(way)
    name = f"slipway-check-{os.getpid()}-{secrets.token_hex(4)}"
    made: list[Path] = []
    try:
        for parent in place.both:
            control_groups.remove_stale(parent)
            (parent / name).mkdir()
            made.append(parent / name)
        control_groups.limit(place, name, shares.memory_bytes, shares.processes)
        yield Hold(shares, tuple(made), way)
    finally:
        for group in made:
            control_groups.remove(group)


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
            group = control_groups.find(best()).processor / control_groups.YIELDING
            group.mkdir(exist_ok=True)
            control_groups.make_idle(group)
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
            entry = control_groups.serving_group(control_groups.find(best())) / "cgroup.procs"
    return all([_protect(pid, entry) for pid in pids])


def _protect(pid: int, entry: Path | None) -> bool:
    try:
        if re.search("slipway-(check|yielding)", Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii")):
            return True
        if entry:
            control_groups.write(entry, str(pid))
        control_groups.write(Path(f"/proc/{pid}/oom_score_adj"), str(SERVING_OOM_ADJ))
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
        control_groups.write(own, str(now - 1))
        control_groups.write(own, str(now))
    except OSError:
        return False
    return True
