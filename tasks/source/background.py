"""Programs that run in a sandbox while a check does something else."""

import contextlib
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from host.process_marks import carriers
from host.resources.process_usage import memory_bytes, tree
from host.sandbox import run as sandbox
from host.sandbox.run import Completed, Isolation, Sandbox


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
    mark = f"background:{uuid.uuid4().hex}:"
    stop = threading.Event()

    def work() -> Completed:
        return sandbox.run(
            argv, cwd=cwd, env=env, sandbox=box, timeout_s=timeout_s, cancelled=stop, log=log, epoch=mark
        )

    with ThreadPoolExecutor(1, thread_name_prefix="background") as pool:
        future = pool.submit(work)
        try:
            yield Background(mark, future, stop, box.isolation)
        finally:
            stop.set()
