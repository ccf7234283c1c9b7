"""A launcher (host/sandbox/launcher.py) that was started: its output taken, its time kept, its tree ended."""

import codecs
import contextlib
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from host.process_marks import send
from host.resources.patience import Patience
from host.sandbox import launcher as sandbox_init

TERM_WAIT_S = 5.0
# From the kill of the tree, which the launcher reports, to that of the launcher itself.
KILL_WAIT_S = 5.0
BLOCK_BYTES = 8_000
BLOCK_S = 0.5
TICK_S = 0.1


@dataclass
class Output:
    """Takes what a program prints: text in blocks to a listener, bytes to a log, the last of it kept."""

    limit_bytes: int
    listener: Callable[[str], None] | None
    sink: IO[bytes] | None
    total_bytes: int = 0
    _tail: bytearray = field(default_factory=bytearray)
    _block: bytearray = field(default_factory=bytearray)
    _block_since: float = 0.0
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    @property
    def truncated(self) -> bool:
        """Return whether more came than the limit."""
        return self.total_bytes > self.limit_bytes

    def take(self, data: bytes) -> None:
        """Take what was read."""
        within = data[: max(0, self.limit_bytes - self.total_bytes)]
        self.total_bytes += len(data)
        self._tail += data
        if len(self._tail) > 2 * self.limit_bytes:
            del self._tail[: -self.limit_bytes]
        if self.sink:
            self.sink.write(within)
        self._block_since = self._block_since if self._block else time.monotonic()
        self._block += within
        if len(self._block) >= BLOCK_BYTES:
            self.flush()

    def flush_if_old(self) -> None:
        """Hand on what has waited long enough."""
        if self._block and time.monotonic() - self._block_since >= BLOCK_S:
            self.flush()

    def flush(self, *, final: bool = False) -> None:
        """Hand on what has not been; `final`: nothing more comes."""
        if self.listener and (text := self._decoder.decode(bytes(self._block), final)):
            self.listener(text)
        self._block.clear()

    def text(self) -> str:
        """Return the last of it."""
        return bytes(self._tail[-self.limit_bytes :]).decode(errors="replace")


@dataclass
class Launched:
    """Follows one launcher until it has ended, and stops it when its time is over or nobody wants it any more."""

    process: "subprocess.Popen[bytes]"
    output: Output
    patience: Patience
    exceeding: Callable[[int], str] = lambda launcher: ""
    stopped_for: str = ""
    exceeded: str = ""
    _kill_at: float | None = None

    def follow(self, cancelled: threading.Event | None) -> None:
        """Return once it has ended; `stopped_for` says if that was our doing: "timeout", "cancelled", or "exceeded".

        `exceeding` is asked again and again with the launcher's process id; what it answers ends the tree at once.
        """
        stream = self.process.stdout
        assert stream is not None  # nosec B101  # for the type checker
        os.set_blocking(stream.fileno(), False)
        with selectors.DefaultSelector() as selector, stream:
            selector.register(stream, selectors.EVENT_READ)
            while self.process.poll() is None:
                if selector.get_map():
                    if selector.select(TICK_S) and not self._drain(stream):
                        selector.unregister(stream)
                else:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.process.wait(TICK_S)
                self.output.flush_if_old()
                self._stop_when_due(cancelled)
            self._drain(stream)
        self.output.flush(final=True)

    def _drain(self, stream: IO[bytes]) -> bool:
        """Take what can be read now, at most 1 MB; return False at the end of the stream."""
        for _ in range(16):
            try:
                data = os.read(stream.fileno(), 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.output.take(data)
        return True

    def _stop_when_due(self, cancelled: threading.Event | None) -> None:
        now = time.monotonic()
        if self._kill_at is not None:
            if now >= self._kill_at + KILL_WAIT_S:
                self.process.kill()
            elif now >= self._kill_at:
                send(self.process.pid, sandbox_init.KILL_TREE)
        elif (over := self.patience.over()) or (cancelled and cancelled.is_set()):
            self.stopped_for = "timeout" if over else "cancelled"
            self._kill_at = now + TERM_WAIT_S
            self.process.terminate()
        elif why := self.exceeding(self.process.pid):
            self.stopped_for, self.exceeded = "exceeded", why
            self._kill_at = now
            send(self.process.pid, sandbox_init.KILL_TREE)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Leave no tree behind, whatever happens: TERM, 5 s, kill the tree, and the launcher itself if that fails."""
    try:
        if process.poll() is None:
            process.terminate()
            process.wait(TERM_WAIT_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            send(process.pid, sandbox_init.KILL_TREE)
            try:
                process.wait(KILL_WAIT_S)
            finally:
                process.kill()
                process.wait()
