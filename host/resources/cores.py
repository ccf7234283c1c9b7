"""One heavy thing at a time for each core of the host: a queue of claims in a directory, shared by all runs of it.

A claim is a numbered file, locked (`flock`) by the process that made it: the kernel drops the lock of a killed one, so
that nothing waits for the dead, and nothing expires while it works. Strictly first come, first served: what wants all
cores is not overtaken by those who want one, and nobody can wait in a circle.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from host.errors import ConfigError, ToolError
from host.files import locked

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")
LOOK_EVERY_S = 0.03  # for each claim that must go first
NAMED = 3  # how many of those that are waited for are named


class Claim(BaseModel):
    """What wants a core, or with `alone` all of them: `what` of which `run`, in which process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    run: str = ""
    alone: bool = False
    pid: int = 0

    def __str__(self) -> str:
        return f"{self.what}{f' of {self.run}' if self.run else ''} (pid {self.pid})"

    @property
    def wanted(self) -> str:
        """Return what it waits for, in words."""
        return "all cores" if self.alone else "a core"

    def of_another(self, other: "Claim") -> bool:
        """Say whether `other` belongs to another run."""
        return (self.pid, self.run) != (other.pid, other.run)


# Locked, and yet not readable: another version of Slipway. It may want everything.
UNREADABLE = Claim(what="an unknown program", alone=True)
# What this thread, or the one that started its work, holds already.
_held: ContextVar[Claim | None] = ContextVar("held", default=None)


def waits_for(mine: Claim, earlier: Sequence[Claim], cores: int) -> Sequence[Claim]:
    """Return which of the living `earlier` claims keep `mine` from its turn; none when it has come."""
    if mine.alone:
        return earlier
    alone = [one for one in earlier if one.alone]
    return alone or (earlier if len(earlier) >= cores else ())


@dataclass(frozen=True)
class Cores:
    """The queue in `directory` for `count` cores."""

    directory: Path
    count: int

    @contextmanager
    def take(
        self,
        claim: Claim,
        tell: Callable[[str], None] = lambda words: None,
        cancelled: threading.Event | None = None,
    ) -> Iterator[float]:
        """Hold a core, or all of them, while the block runs; yield the seconds that other runs made it wait.

        `tell` hears once for whom it waits and then how long that was, unless only its own run was in the way. Who
        holds one takes nothing a second time. Take it before any other lock, and start no thread in it that takes one.
        Raises ToolError when `cancelled` is set meanwhile, or when the directory cannot be used.
        """
        held = _held.get()
        if held:
            if claim.alone and not held.alone:
                raise ValueError(f"{claim.what} wants all cores inside of {held.what}, which holds one")
            yield 0.0
            return
        mine = claim.model_copy(update={"pid": os.getpid()})
        with self._queued(mine) as number:
            waited_s = self._await_turn(number, mine, tell, cancelled or threading.Event())
            token = _held.set(mine)
            try:
                yield waited_s
            finally:
                _held.reset(token)

    @contextmanager
    def _queued(self, mine: Claim) -> Iterator[int]:
        with self._looking():
            number = max(self._numbers(), default=0) + 1
            file = self._file(number)
            # Closed in every program that we start: a child must not keep what we give back.
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with open(descriptor, "wb", closefd=False) as stream:
                    stream.write(mine.model_dump_json().encode())
            except OSError:
                _leave(file, descriptor)
                raise
        try:
            yield number
        finally:
            _leave(file, descriptor)

    def _await_turn(self, number: int, mine: Claim, tell: Callable[[str], None], cancelled: threading.Event) -> float:
        waited_s, told = 0.0, False
        while ahead := waits_for(mine, earlier := self._earlier(number), self.count):
            began = time.monotonic()
            others = [one for one in ahead if one.of_another(mine)]
            if others and not told:
                tell(f"waits for {mine.wanted}: {_named(others)}")
                told = True
            # Who is far back looks less often: looking costs as much as there are earlier claims.
            if cancelled.wait(LOOK_EVERY_S * max(1, len(earlier) - self.count + 1)):
                raise ToolError(f"cancelled while it waited for {mine.wanted}")
            waited_s += time.monotonic() - began if others else 0
        if told:
            tell(f"waited {waited_s:.0f} s for {mine.wanted}")
        return waited_s

    def _earlier(self, number: int) -> list[Claim]:
        """Return the living claims with smaller numbers; the files of dead ones are removed."""
        with self._looking():
            found = (_living(self._file(one)) for one in sorted(self._numbers()) if one < number)
            return [claim for claim in found if claim]

    def _numbers(self) -> list[int]:
        return [int(file.stem) for file in self.directory.glob("*.claim") if file.stem.isdigit()]

    def _file(self, number: int) -> Path:
        return self.directory / f"{number:09d}.claim"

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Keep others from joining and from looking meanwhile; for as long as it takes to read the queue."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with locked(self.directory / "queue"):
                yield
        except OSError as error:
            raise ToolError(
                f"{self.directory}: cannot queue for a core: {error.strerror or error}; the state directory must be "
                "writable and have room"
            ) from error


def _living(file: Path) -> Claim | None:
    """Return the claim in a file while its process holds it; else remove the file, and return None."""
    try:
        with open(file, "r+b") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return _read(stream.read())
            file.unlink(missing_ok=True)
    except FileNotFoundError:
        pass  # given back in this moment
    return None


def _read(content: bytes) -> Claim:
    try:
        return Claim.model_validate_json(content)
    except ValidationError:
        return UNREADABLE


def _leave(file: Path, descriptor: int) -> None:
    """Give a claim back. Removed before it is unlocked, so that its number is not given away twice."""
    try:
        file.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _named(claims: Sequence[Claim]) -> str:
    more = len(claims) - NAMED
    return ", ".join(map(str, claims[:NAMED])) + (f" and {more} more" if more > 0 else "")


def host_cores(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many heavy things may run at once: SLIPWAY_CORES, else the cores that this process may use.

    Raises ConfigError if SLIPWAY_CORES is no whole number above 0.
    """
    asked = environment.get("SLIPWAY_CORES")
    if not asked:
        usable, quota = len(os.sched_getaffinity(0)), cgroup_quota()
        return usable if quota is None else max(1, min(usable, int(quota)))
    if not asked.isascii() or not asked.isdigit() or int(asked) < 1:
        raise ConfigError(f"SLIPWAY_CORES: got {asked!r}, expected a whole number above 0")
    return int(asked)


def cgroup_quota(top: Path = CGROUPS, own: Path = OWN_CGROUP) -> float | None:
    """Return how many cores' time the control groups (v2) grant this process; None when unlimited, or not known."""
    try:
        lines = own.read_text(encoding="ascii").splitlines()
        path = next((line[3:] for line in lines if line.startswith("0::/")), "/").strip("/")
    except (OSError, ValueError):
        return None
    folder = top / path
    quotas = [_quota(one / "cpu.max") for one in (folder, *folder.parents) if one.is_relative_to(top)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(file: Path) -> float | None:
    try:
        allowed, period = file.read_text(encoding="ascii").split()
        return int(allowed) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None  # "max", or not there
