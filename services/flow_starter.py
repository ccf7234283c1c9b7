"""Starts flow runs at once: this process has imported Prefect and every flow, and forks for each run.

Importing takes over two seconds of a core, each time, beside what is live. Nothing else happens here, so there is
nothing that a fork could break: no thread, no connection, no open file of a run. A flow run is a session of its own; it
outlives this process when that is killed, and ends with what stands for it (control/start_flow.py).

The code is what it was when this process started. So each request looks at the files first: when one has changed, the
run starts the slow way, and this process starts itself again.
"""

import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import structlog

from control.start_flow import ENDED, SOCKET, STARTED
from host.home import CHECKOUT
from services.logs import configure_logs

ENGINE = "prefect.engine"
# Beside the flows, what Prefect imports only when a run begins.
MODULES = (ENGINE, "prefect.flow_engine", "prefect._internal.metrics", "prefect.deployments.steps.core")
LONGEST_REQUEST = 1 << 20
ASKED_WITHIN_S = 5.0

log = structlog.get_logger("flow-starter")


@dataclass(frozen=True)
class Request:
    """What a flow run's process gets: an environment, a directory, and standard input, output and error."""

    environment: dict[str, str]
    directory: str
    streams: tuple[int, ...]


class Become(BaseException):
    """Raised in a forked process, to leave the loop of the starter: it is the flow run now."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


@dataclass
class Starter:
    """The loop: takes requests, forks, tells how each run ended, ends a run whose asker is gone."""

    listener: socket.socket
    code: dict[str, tuple[int, int]]
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    runs: dict[socket.socket, int] = field(default_factory=dict)

    def serve(self) -> NoReturn:
        """Serve until a signal ends the process. Raises Become in each forked process."""
        woken, wake = socket.socketpair()
        for one in (woken, wake):
            one.setblocking(False)
        signal.set_wakeup_fd(wake.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(woken, selectors.EVENT_READ)
        self.selector.register(self.listener, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is woken:
                    woken.recv(4096)
                    self._collect()
                elif key.fileobj is self.listener:
                    self._take()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self.runs:
                    os.kill(self.runs[key.fileobj], signal.SIGKILL)  # it is ours until it is collected
                    self.selector.unregister(key.fileobj)

    def _take(self) -> None:
        asker, _ = self.listener.accept()
        asker.settimeout(ASKED_WITHIN_S)
        try:
            request = read_request(asker)
        except (OSError, ValueError) as error:
            log.warning("a request was not served", error=str(error))
            asker.close()
            return
        if self.code != code_now():
            log.info("the code has changed: starting again")
            restart()
        try:
            self._start(asker, request)
        except OSError as error:  # no process or descriptor is left: who asked starts it the slow way, or fails
            log.warning("a run was not started", error=str(error))
            asker.close()
        for stream in request.streams:
            os.close(stream)

    def _start(self, asker: socket.socket, request: Request) -> None:
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            asker.close()  # else nobody would notice the starter's end
            raise Become(request)
        self.runs[asker] = pid
        try:
            process = os.pidfd_open(pid)
            try:
                socket.send_fds(asker, [STARTED.encode()], [process])
            finally:
                os.close(process)
            self.selector.register(asker, selectors.EVENT_READ)
        except OSError as error:  # else two would run: who asked starts it himself when he hears nothing
            os.kill(pid, signal.SIGKILL)
            log.warning("who asked for a run cannot be told", pid=pid, error=str(error))

    def _collect(self) -> None:
        while ended := _ended():
            pid, status = ended
            for asker in [one for one, run in self.runs.items() if run == pid]:
                del self.runs[asker]
                if asker in self.selector.get_map():
                    self.selector.unregister(asker)
                try:
                    asker.send(f"{ENDED} {os.waitstatus_to_exitcode(status)}".encode())
                except OSError:
                    pass  # killed meanwhile
                asker.close()


def _ended() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def read_request(asker: socket.socket) -> Request:
    """Return what is asked for. Raises ValueError if it is no request, OSError when none comes."""
    words, streams, *_ = socket.recv_fds(asker, LONGEST_REQUEST, 3)
    try:
        asked = json.loads(words)
        if len(streams) != 3:
            raise ValueError("a request without its three streams")
        return Request({str(k): str(v) for k, v in asked["environment"].items()}, str(asked["directory"]), (*streams,))
    except (ValueError, KeyError, TypeError, AttributeError):
        for stream in streams:
            os.close(stream)
        raise ValueError("no request") from None


def code_now() -> dict[str, tuple[int, int]]:
    """Return when each file of ours that is imported was changed, and its size; (0, 0) for one that is gone."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    ours = sorted(file for file in files if file and Path(file).is_relative_to(CHECKOUT) and ".venv" not in file)
    return {file: _changed(file) for file in [*ours, str(CHECKOUT / "requirements" / "base.lock")]}


def _changed(file: str) -> tuple[int, int]:
    try:
        seen = os.stat(file)
    except OSError:
        return (0, 0)
    return seen.st_mtime_ns, seen.st_size


def restart() -> NoReturn:
    """Start this program again, as the same process. Runs under way go on, and are waited for without us."""
    os.execv(sys.executable, [sys.executable, "-m", "services.flow_starter"])  # nosec B606  # ourselves


def become(request: Request) -> None:
    """Be the flow run that was asked for, as `python -m prefect.engine` would be."""
    os.setsid()
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    for signals in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(signals, signal.default_int_handler if signals is signal.SIGINT else signal.SIG_DFL)
    structlog.reset_defaults()
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.directory)
    time.tzset()
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()  # it was read from the starter's environment
    sys.argv = [ENGINE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that it is imported already is the point
        runpy.run_module(ENGINE, run_name="__main__", alter_sys=True)


def main() -> None:
    configure_logs("flow-starter")
    path = Path(os.environ[SOCKET])
    for module in (*MODULES, *(f"flows.{file.stem}" for file in sorted((CHECKOUT / "flows").glob("[!_]*.py")))):
        importlib.import_module(module)
    if threading.active_count() > 1:
        sys.exit("a thread runs after the imports: nothing may be forked beside it")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(64)
    gc.freeze()
    log.info("ready", path=str(path))
    starter = Starter(listener, code_now())
    try:
        starter.serve()
    except Become as run:
        listener.close()
        starter.selector.close()
        for asker in starter.runs:
            asker.close()
        request = run.request
    become(request)


if __name__ == "__main__":
    main()
