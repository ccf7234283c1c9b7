import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployments.journal import lease as leases
from deployments.journal.lease import Holder, held_by, hold, read_holder
from host.errors import LeaseHeld
from host.process_marks import carriers
from tests.waiting import wait_for

CHECKOUT = Path(leases.__file__).parents[2]
ENVIRONMENT = f"test-{os.getpid()}"  # marks of this run's own

HOLDER = """
import sys
from pathlib import Path
from typing import Any
from deployments.journal.lease import hold
with hold(Path(sys.argv[1]), sys.argv[2], sys.argv[3]) as lease:
    sys.stdout.write(f"{lease.epoch}\\n"); sys.stdout.flush()
    sys.stdin.readline()
"""

# Holds the lease and runs app code under its epoch, as a release does.
RUNNER = """
import sys
from pathlib import Path
from typing import Any
from deployments.journal.lease import hold
from host.sandbox.run import Isolation, Sandbox, run
with hold(Path(sys.argv[1]), sys.argv[2], sys.argv[3]) as lease:
    sys.stdout.write(f"{lease.epoch}\\n"); sys.stdout.flush()
    run(["sleep", "300"], cwd=Path("/"), env={"PATH": "/usr/bin:/bin"}, sandbox=Sandbox(Isolation.NONE),
        timeout_s=200, epoch=lease.mark)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "place" / "lease"


@contextmanager
def process(program: str, file: Path, reason: str) -> Iterator["subprocess.Popen[str]"]:
    argv = [sys.executable, "-c", program, str(file), ENVIRONMENT, reason]
    with subprocess.Popen(argv, cwd=CHECKOUT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout and started.stdout.readline().strip().isdigit()
            yield started
        finally:
            if started.poll() is None:
                started.kill()


def written(file: Path, **fields: Any) -> Holder:
    """Write a holder as a dead process would have left it."""
    default: dict[str, Any] = {"pid": 2**22, "started": 0.0, "epoch": 4, "reason": "release", "since": "then"}
    holder = Holder(**{**default, **fields})
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(holder)))
    return holder


def test_a_lease_is_held_and_given_back(file: Path) -> None:
    assert held_by(file) is None
    with hold(file, ENVIRONMENT, "release v1") as lease:
        assert (lease.epoch, lease.mark) == (1, f"{ENVIRONMENT}:1;")
        holder = held_by(file)
        assert holder and (holder.pid, holder.epoch, holder.reason) == (os.getpid(), 1, "release v1")
        assert not holder.released and file.stat().st_mode & 0o777 == 0o600
    assert held_by(file) is None
    left = read_holder(file)
    assert left and left.released
    with hold(file, ENVIRONMENT, "next") as lease:
        assert lease.epoch == 2


def test_a_lease_is_given_back_after_an_error(file: Path) -> None:
    with pytest.raises(KeyboardInterrupt), hold(file, ENVIRONMENT, "release"):
        raise KeyboardInterrupt
    left = read_holder(file)
    assert held_by(file) is None and left and left.released


def test_the_second_is_told_who_holds_it_since_when_and_why(file: Path) -> None:
    with process(HOLDER, file, "release v2, run abc") as holder:
        with pytest.raises(LeaseHeld) as told, hold(file, ENVIRONMENT, "rollback"):
            pass
        seen = held_by(file)
        assert seen and seen.pid == holder.pid
        for part in (ENVIRONMENT, f"pid {holder.pid}", f"since {seen.since}", "release v2, run abc", "stop that run"):
            assert part in str(told.value)
        holder.communicate("\n")
        assert holder.returncode == 0
    assert held_by(file) is None
    with hold(file, ENVIRONMENT, "rollback") as lease:
        assert lease.epoch == 2


def test_a_thread_of_the_same_process_is_refused_too(file: Path) -> None:
    with hold(file, ENVIRONMENT, "release"), pytest.raises(LeaseHeld), hold(file, ENVIRONMENT, "another"):
        pass


def test_who_only_asks_is_not_in_the_way(file: Path) -> None:
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            held_by(file)

    thread = threading.Thread(target=ask)
    with hold(file, ENVIRONMENT, "first"):
        pass
    thread.start()
    try:
        for turn in range(30):
            with hold(file, ENVIRONMENT, f"release {turn}"):
                pass
    finally:
        done.set()
        thread.join()


def test_who_takes_over_from_the_dead_ends_what_it_left(file: Path) -> None:
    with process(RUNNER, file, "release v1") as holder:
        mark = f"{ENVIRONMENT}:1;"
        wait_for(lambda: any(carriers("SLIPWAY_EPOCH", mark)), "the sandbox to carry its epoch")
        tree = [psutil.Process(pid) for pid, _ in carriers("SLIPWAY_EPOCH", mark)]
        tree += [child for one in tree for child in one.children(recursive=True)]
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with hold(file, ENVIRONMENT, "next") as lease:
            assert lease.epoch == 2
            assert not list(carriers("SLIPWAY_EPOCH", mark))
            wait_for(lambda: not any(one.is_running() for one in tree), "the sandboxed tree to be gone")


def test_sandboxes_of_another_epoch_are_left_alone(file: Path) -> None:
    other = {"PATH": "/usr/bin:/bin", "SLIPWAY_EPOCH": f"{ENVIRONMENT}:40;"}
    with subprocess.Popen(["sleep", "300"], env=other) as bystander:
        try:
            written(file, epoch=4)
            with hold(file, ENVIRONMENT, "next"):
                assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_dead_holder_whose_parent_never_collects_it_holds_nobody_up(file: Path) -> None:
    parent = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
child.stdout.readline(); child.kill()
sys.stdout.write(f"{child.pid}\\n"); sys.stdout.flush()
sys.stdin.readline()
"""
    argv = [sys.executable, "-c", parent, sys.executable, "-c", HOLDER, str(file), ENVIRONMENT, "release"]
    with subprocess.Popen(argv, cwd=CHECKOUT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout
        zombie = psutil.Process(int(started.stdout.readline()))
        wait_for(lambda: zombie.status() == psutil.STATUS_ZOMBIE, "the holder to be dead")
        with hold(file, ENVIRONMENT, "next") as lease:
            assert lease.epoch == 2
        started.communicate("\n")


def test_a_stuck_holder_that_lost_its_lock_is_ended_with_its_group(file: Path) -> None:
    stuck = "import subprocess, sys; print(subprocess.Popen(['sleep', '300']).pid, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", stuck], text=True, start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as started:
        assert started.stdout
        child = psutil.Process(int(started.stdout.readline()))
        written(file, pid=started.pid, started=psutil.Process(started.pid).create_time())
        with hold(file, ENVIRONMENT, "next") as lease:
            assert lease.epoch == 5
            assert started.wait(120) == -signal.SIGKILL
            wait_for(lambda: not child.is_running(), "its group to be gone")


def test_a_holder_that_released_is_not_ended(file: Path) -> None:
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as started:
        try:
            written(file, pid=started.pid, started=psutil.Process(started.pid).create_time(), released=True)
            with hold(file, ENVIRONMENT, "next") as lease:
                assert lease.epoch == 5 and started.poll() is None
        finally:
            started.kill()


@pytest.mark.parametrize("seconds", [-1.0, 0.5, 100.0])
def test_a_process_that_got_the_same_number_later_is_not_ended(file: Path, seconds: float) -> None:
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as started:
        try:
            written(file, pid=started.pid, started=psutil.Process(started.pid).create_time() + seconds)
            with hold(file, ENVIRONMENT, "next"):
                assert started.poll() is None
        finally:
            started.kill()


def test_this_process_never_ends_itself(file: Path) -> None:
    written(file, pid=os.getpid(), started=psutil.Process().create_time())
    with hold(file, ENVIRONMENT, "next") as lease:
        assert lease.epoch == 5


def test_what_watch_does_is_waited_for(file: Path) -> None:
    with process(HOLDER, file, "watch: retire the old slot") as holder:
        timer = threading.Timer(0.8, holder.communicate, args=("\n",))
        timer.start()
        with hold(file, ENVIRONMENT, "release") as lease:
            assert lease.epoch == 2
        timer.join()


def test_watch_is_not_waited_for_without_end(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "WAIT_FOR_WATCH_S", 0.2)
    with (
        process(HOLDER, file, "watch: reconcile"),
        pytest.raises(LeaseHeld, match="watch: reconcile"),
        hold(file, ENVIRONMENT, "release"),
    ):
        pass


@pytest.mark.parametrize("reason", ["watch: reconcile", "release v1"])
def test_a_hand_over_is_waited_for(file: Path, reason: str) -> None:
    """Between `released` being written and the lock being dropped lies an fsync, which may take its time."""
    written(file, reason=reason, released=True)
    stream = open(file, "r+")
    fcntl.flock(stream, fcntl.LOCK_EX)
    timer = threading.Timer(0.6, stream.close)
    timer.start()
    with hold(file, ENVIRONMENT, "next") as lease:
        assert lease.epoch == 5
    timer.join()


def test_a_lock_that_nobody_explains_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "WAIT_FOR_HAND_OVER_S", 0.2)
    for content in ("", "{", "[]", '{"pid": 1}', json.dumps(asdict(written(file, released=True)))):
        file.write_text(content)
        with open(file, "r+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            with pytest.raises(LeaseHeld), hold(file, ENVIRONMENT, "next"):
                pass
            assert held_by(file)


@pytest.mark.parametrize("content", ["", "{", "null", "[1]", '{"pid": 1}', '{"pid": 1, "more": 2}', "\0" * 100])
def test_a_damaged_file_falls_back_on_the_journals_epoch(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(content)
    with hold(file, ENVIRONMENT, "next", floor=17) as lease:
        assert lease.epoch == 18


@pytest.mark.parametrize(("floor", "epoch"), [(0, 5), (3, 5), (4, 5), (5, 6), (90, 91)])
def test_the_epoch_is_above_both_file_and_journal(file: Path, floor: int, epoch: int) -> None:
    written(file, epoch=4)
    with hold(file, ENVIRONMENT, "next", floor) as lease:
        assert lease.epoch == epoch


def test_a_removed_file_never_repeats_an_epoch(file: Path) -> None:
    with hold(file, ENVIRONMENT, "first", floor=8) as lease:
        assert lease.epoch == 9
    file.unlink()
    with hold(file, ENVIRONMENT, "next", floor=9) as lease:
        assert lease.epoch == 10


def test_a_shorter_record_replaces_the_longer_one_whole(file: Path) -> None:
    for reason in ("r" * 3000, "short", "r" * 900, ""):
        with hold(file, ENVIRONMENT, reason):
            holder = read_holder(file)
            assert holder and holder.reason == reason


def _written_by(file: Path, pid: int) -> bool:
    seen = read_holder(file) if file.exists() else None
    return seen is not None and seen.pid == pid


def test_killed_at_any_moment_the_file_says_who_it_was(file: Path) -> None:
    """The record is replaced by one write: a reader never finds a mixture of two."""
    loop = HOLDER.split("with hold")[0] + (
        "turn = 0\n"
        "sys.stdout.write('0\\n'); sys.stdout.flush()\n"
        "while True:\n"
        "    turn += 1\n"
        "    with hold(Path(sys.argv[1]), sys.argv[2], 'r' * (turn % 300)):\n"
        "        pass\n"
    )
    for _ in range(5):
        with process(loop, file, "-") as holder:
            wait_for(lambda: _written_by(file, holder.pid), "the first record of this holder")
            until = time.monotonic() + 0.15
            while time.monotonic() < until:
                assert not file.exists() or not file.stat().st_size or read_holder(file)
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            seen = read_holder(file)
            assert seen and seen.pid == holder.pid


def test_the_next_one_waits_until_a_killed_holder_has_ended() -> None:
    """A process that is not killed here stands for one that takes its time to die."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        waiting = threading.Thread(target=leases._await_end, args=(psutil.Process(started.pid),))
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
        started.communicate()
        waiting.join()


def test_a_holder_that_cannot_be_ended_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "END_STUCK_S", 0)
    with subprocess.Popen(["sleep", "300"]) as started:
        try:
            with pytest.raises(LeaseHeld) as told:
                leases._await_end(psutil.Process(started.pid))
        finally:
            started.kill()
    assert str(told.value) == (
        f"pid {started.pid} held the lease and cannot be ended; look at it with ps, then try again"
    )


def test_a_holder_that_cannot_be_ended_keeps_the_next_one_out(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "END_STUCK_S", -1.0)
    monkeypatch.setattr(psutil.Process, "kill", lambda process: None)  # as a process in uninterruptible sleep
    with subprocess.Popen(["sleep", "300"]) as started:
        try:
            written(file, pid=started.pid, started=psutil.Process(started.pid).create_time())
            with pytest.raises(LeaseHeld, match="cannot be ended"), hold(file, ENVIRONMENT, "next"):
                pass
        finally:
            started.kill()
    left = read_holder(file)
    assert left and left.pid == started.pid and not left.released
