"""Programs that run while others are measured, and what their process trees use, seen from outside the sandbox."""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil

from host.errors import ToolError
from host.files import open_directory
from host.process_marks import carriers
from host.resources.process_usage import cpu_s, memory_bytes, tree
from host.sandbox import run as sandbox
from host.sandbox.run import AnyNetwork, Completed, Isolation, Network, Sandbox, for_check
from tasks.source.workspace import Workspace

SAMPLE_S = 0.25
RELAY = Path(__file__).with_name("relay.py")
SOCKET = "relay.sock"
# Longer than any load test. It ends with the block, and with us.
RELAY_S, RELAY_START_S = 86_400.0, 60.0


class Sample(NamedTuple):
    """At Unix time `at`: seconds of processor time used so far by the app, by the load generator, by the app's database
    and by the whole machine, and the app's memory in bytes.
    """

    at: float
    app_cpu_s: float
    load_cpu_s: float
    database_cpu_s: float
    machine_cpu_s: float
    memory_bytes: int


@dataclass
class Background:
    """A program in a sandbox, running in a thread of ours."""

    mark: str
    future: "Future[Completed]"
    stop: threading.Event
    isolation: Isolation
    _launcher: psutil.Process | None = None

    @property
    def ended(self) -> Completed | None:
        """Return how it ended, None while it runs. Raises ToolError when it could not be started."""
        return self.future.result() if self.future.done() else None

    def tree(self) -> list[psutil.Process]:
        """Return the launcher, then everything below it that is there now."""
        launcher = self._find()
        return tree(launcher) if launcher else []

    def _find(self) -> psutil.Process | None:
        if self._launcher is None:
            for pid, _ in carriers(sandbox.EPOCH, self.mark):
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(pid)
                    if process.ppid() == os.getpid():
                        self._launcher = process
        return self._launcher

    def memory_bytes(self) -> int:
        """Return the memory of the app's processes: PSS, in which shared pages count once; RSS where that is denied."""
        # The launcher, and with namespaces the init below it, are ours.
        ours = 2 if self.isolation is Isolation.NAMESPACES else 1
        return memory_bytes(self.tree()[ours:])


@contextlib.contextmanager
def running(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], box: Sandbox, timeout_s: float, log: Path
) -> Iterator[Background]:
    """Run a program in the background while the block runs. Afterwards its whole tree is gone: TERM, 5 s, KILL."""
    mark = f"load:{uuid.uuid4().hex}:"
    stop = threading.Event()

    def work() -> Completed:
        return sandbox.run(
            argv, cwd=cwd, env=env, sandbox=box, timeout_s=timeout_s, cancelled=stop, log=log, epoch=mark
        )

    with ThreadPoolExecutor(1, thread_name_prefix="load") as pool:
        future = pool.submit(work)
        try:
            yield Background(mark, future, stop, box.isolation)
        finally:
            stop.set()


@contextlib.contextmanager
def entrance(workspace: Workspace, name: str, network: AnyNetwork, port: int) -> Iterator[Path | None]:
    """Yield a unix socket through which we reach a port of a network, None for the host's, while the block runs.

    A relay of ours in there carries what we ask; no program of the app's sees the socket. Raises ToolError if the relay
    does not start.
    """
    if network is Network.HOST:
        yield None
        return
    scratch = workspace.scratch(f"{name}-relay")
    # The interpreter of the app's environment, without what is installed there.
    argv = [str(workspace.environment / "bin" / "python"), "-I", "-S", "-c", RELAY.read_text(encoding="utf-8")]
    box = for_check(workspace.shares, read_only=(workspace.environment,), writable=(scratch,), network=network)
    log = workspace.root / f"{name}-relay.log"
    with (
        open_directory(scratch) as short,
        running([*argv, SOCKET, str(port)], cwd=scratch, env={}, box=box, timeout_s=RELAY_S, log=log) as relay,
    ):
        until = time.monotonic() + RELAY_START_S
        while not (scratch / SOCKET).exists():
            if (ended := relay.ended) or time.monotonic() > until:
                said = ended.output.strip()[-300:] if ended else f"nothing within {RELAY_START_S:g} s"
                raise ToolError(f"the relay into the network of {name} did not start; it said: {said}")
            time.sleep(SAMPLE_S / 10)
        yield short / SOCKET


@dataclass
class Sampler:
    """Takes a sample each quarter of a second, in a thread, from `start` on."""

    app: Background
    load: Background
    database: psutil.Process | None = None
    samples: list[Sample] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def sampling(self) -> Iterator[None]:
        """Take samples while the block runs."""
        thread = threading.Thread(target=self._follow, name="load-sampler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()

    def _follow(self) -> None:
        while not self._done.wait(SAMPLE_S):
            if not self.app.future.done():
                self.samples.append(self.sample())

    def sample(self) -> Sample:
        machine = psutil.cpu_times()
        # user to steal: what guests used is counted as the user's already
        used = sum(machine[:8]) - machine.idle - machine.iowait
        database = tree(self.database) if self.database else []
        app, load = self.app.tree(), self.load.tree()
        return Sample(time.time(), cpu_s(app), cpu_s(load), cpu_s(database), used, self.app.memory_bytes())
