"""Who may change an environment: a `flock` held by the deploying process for the whole release. No expiry, no split
brain.

The kernel drops the lock when the holder dies. The file keeps who that was, so that whoever takes over can first end
what the dead one may have left running: its process group and the sandboxes that carry its epoch.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from host.errors import LeaseHeld
from host.sandbox.run import kill_epoch
from host.wait import wait_for

WATCH = "watch"  # how the reasons of `services/watch` begin: others wait for it, because it only tidies up
READ_TRIES = 5
WAIT_FOR_WATCH_S = 120.0
WAIT_FOR_HAND_OVER_S = 5.0  # the file says "released", the lock is held: the old holder lets go, or a new one begins
END_STUCK_S = 5.0
RECORD_BYTES = 1024


@dataclass(frozen=True)
class Holder:
    """Who holds, or last held, the lease. `started` is the process's start time in seconds since 1970."""

    pid: int
    started: float
    epoch: int
    reason: str
    since: str
    released: bool = False


@dataclass(frozen=True)
class Lease:
    """Proof that this process may change the environment. `epoch` grows by one with each holder."""

    environment: str
    epoch: int
    reason: str

    @property
    def mark(self) -> str:
        """Return what the holder's sandboxes carry in their environment."""
        return f"{self.environment}:{self.epoch};"


def read_holder(file: Path) -> Holder | None:
    """Return who is written in the lease file, without asking whether the lease is held."""
    for _ in range(READ_TRIES):
        try:
            return Holder(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            time.sleep(0.005)  # read while it was written, which is over at once
    return None


def held_by(file: Path) -> Holder | None:
    """Return the holder when the lease is held right now, else None."""
    if not file.exists():
        return None
    with open(file, "r+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return read_holder(file) or Holder(0, 0, 0, "unknown", "unknown")
    return None


@contextmanager
def hold(file: Path, environment: str, reason: str, floor: int = 0) -> Iterator[Lease]:
    """Hold the lease. `floor` is the highest epoch that the journal knows, so that a lost file never repeats one.

    Raises LeaseHeld at once, with who holds it since when and why, when another process does.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, file, environment)
        before = read_holder(file)
        if before and not before.released:
            _end_leftovers(before, environment)
        epoch = max(before.epoch if before else 0, floor) + 1
        me = Holder(os.getpid(), _started(os.getpid()), epoch, reason, datetime.now(UTC).isoformat(timespec="seconds"))
        _write(descriptor, me)
        try:
            yield Lease(environment, epoch, reason)
        finally:
            _write(descriptor, Holder(**{**asdict(me), "released": True}))
    finally:
        os.close(descriptor)


def _lock(descriptor: int, file: Path, environment: str) -> None:
    start = time.monotonic()
    attempt = 0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            attempt += 1
        holder = read_holder(file)
        # Who merely asks `held_by` has the lock for microseconds: hence the few tries.
        if attempt > 5 and time.monotonic() - start >= _patience_s(holder):
            break
        time.sleep(0.02 * min(attempt, 10))
    who = f"pid {holder.pid} since {holder.since}: {holder.reason}" if holder else "an unknown process"
    raise LeaseHeld(f"{environment} is being changed by {who}; wait for it to end, or stop that run")


def _patience_s(holder: Holder | None) -> float:
    if holder is None:
        return 0
    if holder.released:
        return WAIT_FOR_HAND_OVER_S
    return WAIT_FOR_WATCH_S if holder.reason.startswith(WATCH) else 0


def _write(descriptor: int, holder: Holder) -> None:
    # Padded, so that one write replaces the whole of it: killed between two, this would leave an unreadable mixture.
    raw = json.dumps(asdict(holder)).encode().ljust(RECORD_BYTES)
    os.pwrite(descriptor, raw, 0)
    if os.fstat(descriptor).st_size != len(raw):
        os.ftruncate(descriptor, len(raw))
    os.fsync(descriptor)


def _started(pid: int) -> float:
    return float(psutil.Process(pid).create_time())


def _end_leftovers(holder: Holder, environment: str) -> None:
    """Kill what a holder that never released may have left: itself when stuck, its group, its sandboxes."""
    try:
        process = psutil.Process(holder.pid)
        same = abs(process.create_time() - holder.started) < 0.02 and holder.pid != os.getpid()
        if same:
            group = os.getpgid(holder.pid)
            if group not in (os.getpgid(0), 0, 1) and group == holder.pid:
                os.killpg(group, signal.SIGKILL)
            process.kill()
            _await_end(process)
    except (psutil.NoSuchProcess, ProcessLookupError):
        pass
    kill_epoch(f"{environment}:{holder.epoch};")


def _await_end(process: psutil.Process) -> None:
    """Wait until a killed process has ended. A zombie has: it only waits for a parent that may never collect it."""

    def has_ended() -> bool:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE

    if not wait_for(has_ended, END_STUCK_S, every=0.01):
        raise LeaseHeld(f"pid {process.pid} held the lease and cannot be ended; look at it with ps, then try again")
