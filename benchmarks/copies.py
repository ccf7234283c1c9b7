"""Tests run in copies of a tree, with or without one file changed: a part of `make mutants`."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from host.errors import ToolError

# Not run here: they start the whole installation, a browser or an engine, and take minutes.
NOT_RUN = ("stack", "browser", "docker", "chaos", "gauntlet")
NO_TESTS = 5  # pytest's exit code when none was chosen
POLL_S = 0.02
TAIL = 40


@dataclass(frozen=True)
class Ended:
    """How a run of pytest ended: its exit code, None when it was killed at its limit; its seconds; its last lines."""

    code: int | None
    seconds: float
    output: str


def tracked(root: Path) -> list[str]:
    """Return the tree's files as git tells them, those not yet added too, ignored ones not; raises ToolError."""
    argv = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise ToolError(f"{root}: git ls-files ended with {done.returncode}: {done.stderr.strip()}")
    return sorted(file for file in set(done.stdout.split("\0")) if file and os.path.lexists(root / file))


class Copy:
    """A copy of the tree, in which one run at a time takes place."""

    def __init__(self, root: Path, files: Sequence[str], directory: Path, stop: threading.Event) -> None:
        self.tree, self._tmp, self._output = directory / "tree", directory / "tmp", directory / "output"
        self._stop = stop
        self._tmp.mkdir(parents=True)
        for file in files:
            to = self.tree / file
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / file, to, follow_symlinks=False)

    @contextmanager
    def changed(self, file: str, text: str) -> Iterator[None]:
        """Put text in place of a file's own, and its own back."""
        path = self.tree / file
        before = path.read_bytes()
        path.write_text(text)
        try:
            yield
        finally:
            path.write_bytes(before)

    def run(self, tests: Sequence[str], limit_s: float) -> Ended:
        """Run test files up to the first failure. A run over its limit is killed, and what it started too."""
        marks = " and ".join(f"not {mark}" for mark in NOT_RUN)
        argv = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:xdist", "-m", marks, *tests]
        # No bytecode: two mutants of one second and size would be taken for each other.
        env = {**os.environ, "PYTHONPATH": str(self.tree), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(self._tmp)}
        began = time.monotonic()
        with self._output.open("wb") as output:
            process = subprocess.Popen(
                argv,
                cwd=self.tree,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            in_time = False
            try:
                in_time = self._await(process.pid, began + limit_s)
            finally:
                _end(process)
        lines = self._output.read_text(errors="replace").splitlines()
        code = process.returncode if in_time else None
        return Ended(code, time.monotonic() - began, "\n".join(lines[-TAIL:]))

    def _await(self, pid: int, until: float) -> bool:
        """Return whether the process ended in time. It is left unreaped, so that its number stays its own."""
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > until or self._stop.is_set():
                return False
            time.sleep(POLL_S)
        return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a run, and reap it."""
    left = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in left:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()


@contextmanager
def copies(root: Path, files: Sequence[str], count: int) -> Iterator[tuple[list[Copy], threading.Event]]:
    """Make copies of the tree, and the event that ends what runs in them; all are removed afterwards."""
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as directory:
        yield [Copy(root, files, Path(directory, str(number)), stop) for number in range(count)], stop
