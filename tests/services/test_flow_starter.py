"""Flow runs that are forked from a process with everything imported: they must be as those that are started anew."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from control.start_flow import SOCKET
from host.home import CHECKOUT
from services import flow_starter
from tests.waiting import wait_for

DOUBLE = "tests.services.engine_double"
STARTER = f"from services import flow_starter as it; it.ENGINE = {DOUBLE!r}; it.MODULES = (); it.main()"


@dataclass
class Stage:
    """A starter whose engine is a double, and runs that are asked of it. `directory` is short: sockets need that."""

    directory: Path
    starter: subprocess.Popen[bytes]
    runs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def told(self) -> Path:
        return self.directory / "told"

    def run(self, does: str, path: str | None = None, **more: str) -> subprocess.Popen[bytes]:
        """Ask for a run that does something, as a worker would."""
        self.told.unlink(missing_ok=True)
        env = {**os.environ, "PYTHONPATH": str(CHECKOUT), "DOUBLE": does, "TOLD": str(self.told), **more}
        env[SOCKET] = str(self.directory / "s") if path is None else path
        argv = [sys.executable, "-m", "control.start_flow"]
        cwd = self.directory / "of the run"
        cwd.mkdir(exist_ok=True)
        run = subprocess.Popen(argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.runs.append(run)
        return run

    def heard(self) -> dict[str, Any]:
        """Return what the newest run said of itself, when it has."""
        wait_for(self.told.exists, "the run has begun")
        found: dict[str, Any] = json.loads(self.told.read_text(encoding="utf-8"))
        return found


@contextmanager
def started(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a starter that listens at "s" in the directory; it imports every flow, so most tests share one."""
    socket_path = directory / "s"
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT), SOCKET: str(socket_path), "OF_THE_STARTER": "1"}
    starter = subprocess.Popen([sys.executable, "-c", STARTER], cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(socket_path) or starter.poll() is not None, "the starter listens")
        assert starter.poll() is None
        yield starter
    finally:
        starter.kill()
        starter.wait()


@contextmanager
def staged(directory: Path, starter: subprocess.Popen[bytes]) -> Iterator[Stage]:
    stage = Stage(directory, starter)
    try:
        yield stage
    finally:
        for one in stage.runs:
            one.kill()
            one.wait()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    directory = tmp_path_factory.mktemp("starter")
    with started(directory) as starter:
        yield directory, starter


@pytest.fixture
def stage(shared: tuple[Path, subprocess.Popen[bytes]]) -> Iterator[Stage]:
    with staged(*shared) as stage:
        yield stage
        assert stage.starter.poll() is None  # the next test needs it


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Stage]:
    """Return a stage whose starter may be killed."""
    with started(tmp_path) as starter, staged(tmp_path, starter) as stage:
        yield stage


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        return probe.connect_ex(str(path)) == 0


def test_a_run_has_its_own_environment_directory_session_and_output(stage: Stage) -> None:
    run = stage.run("0", OF_THE_RUN="1")
    assert run.communicate(timeout=600)[0] == b"heard\n"
    told = stage.heard()
    assert run.returncode == 0 and told["pid"] != run.pid
    assert told["directory"] == str(stage.directory / "of the run") and len(told["argv"]) == 1
    assert told["environment"]["OF_THE_RUN"] == "1" and "OF_THE_STARTER" not in told["environment"]
    assert told["session"] == told["pid"]


@pytest.mark.parametrize(("does", "ends"), [("0", 0), ("3", 3), ("killed", -signal.SIGKILL)])
def test_who_stands_for_a_run_ends_as_it_does(stage: Stage, does: str, ends: int) -> None:
    assert stage.run(does).wait(600) == ends


def test_a_signal_is_handed_on(stage: Stage) -> None:
    run = stage.run("until told")
    stage.heard()
    run.send_signal(signal.SIGTERM)
    assert run.wait(600) == 7


def test_many_run_at_once(stage: Stage) -> None:
    told = [stage.directory / f"told {number}" for number in range(5)]
    runs = [stage.run("until told", TOLD=str(file)) for file in told]
    wait_for(lambda: all(file.exists() for file in told), "all run")
    for run in runs:
        run.send_signal(signal.SIGTERM)
    assert [run.wait(600) for run in runs] == [7] * 5


def test_a_run_ends_with_who_stands_for_it(stage: Stage) -> None:
    run = stage.run("until told")
    flow = psutil.Process(stage.heard()["pid"])
    run.kill()
    wait_for(lambda: not _lives(flow), "the flow has ended")
    assert stage.run("0").wait(600) == 0  # and the starter serves on


def test_a_run_outlives_the_starter_and_still_hears_signals(mortal: Stage) -> None:
    run = mortal.run("until told")
    flow = psutil.Process(mortal.heard()["pid"])
    mortal.starter.kill()
    mortal.starter.wait()
    assert _lives(flow) and run.poll() is None
    run.send_signal(signal.SIGTERM)
    assert run.wait(600) == 1  # nobody can tell any more how it ended
    assert not _lives(flow)


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("why", ["nobody listens", "too long a path", "no starter is named"])
def test_without_a_starter_it_becomes_the_engine_itself(stage: Stage, why: str, tmp_path: Path) -> None:
    path = {"nobody listens": str(tmp_path / "x"), "too long a path": "/" + "x" * 200}.get(why, "")
    run = stage.run("0", path, PREFECT__FLOW_RUN_ID="none")
    assert b"Invalid flow run id" in run.communicate(timeout=600)[0]
    assert run.returncode == 1


def test_what_is_no_request_is_refused_and_the_next_one_served(stage: Stage) -> None:
    for words in (b"", b"no JSON", b"[]", b'{"environment": {}}', b'{"environment": [], "directory": "/"}'):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
            asker.connect(str(stage.directory / "s"))
            asker.send(words)
            assert asker.recv(100) == b""
    assert stage.run("3").wait(600) == 3


def test_changed_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The starter starts itself again, and who asked hears nothing: it becomes the engine by itself."""
    again = threading.Event()
    monkeypatch.setattr(flow_starter, "restart", lambda: (again.set(), exit_thread()))
    listener = _listener(tmp_path / "s")
    starter = flow_starter.Starter(listener, {"a file": (1, 1)})
    asking = _in_a_thread(lambda: _ask(tmp_path / "s"))
    with pytest.raises(SystemExit):
        starter._take()
    assert again.is_set()
    listener.close()
    asking.join(60)


def exit_thread() -> None:
    raise SystemExit


def _listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen()
    return listener


def _ask(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asker:
        asker.connect(str(path))
        socket.send_fds(asker, [b'{"environment": {}, "directory": "/"}'], [0, 1, 2])
        try:
            asker.recv(100)
        except ConnectionError:
            pass


def _in_a_thread(what: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=what)
    thread.start()
    return thread


def test_code_counts_as_changed_when_a_file_is_touched_or_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_starter, "CHECKOUT", tmp_path)
    file = tmp_path / "ours.py"
    file.write_text("")
    module = type(sys)("ours")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "ours", module)
    before = flow_starter.code_now()
    assert str(file) in before and flow_starter.code_now() == before
    os.utime(file, (1, 1))
    touched = flow_starter.code_now()
    file.unlink()
    assert len({str(before), str(touched), str(flow_starter.code_now())}) == 3
