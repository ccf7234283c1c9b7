"""A running app, or a router that was taken over, answers so that who asks waits without end or runs out of memory."""

import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat
from pathlib import Path

import pytest

from deployments.router import admin
from gates.release.condition import Condition
from gates.verdict import Action
from host import app_metrics, probe
from host.errors import RouterError, ToolError

GOOD = b'{"status": "healthy"}'
OK = b"HTTP/1.1 200 OK\r\n"
PAUSE_S = 0.05
MOST_BYTES = 50_000_000


@cache
def _packed(times: int) -> bytes:
    """Return an answer whose body is 300 MB of zeros, packed so often."""
    packer, zeros = zlib.compressobj(9, wbits=31), b"\0" * 1_000_000
    body = b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()
    for _ in range(times - 1):
        body = gzip.compress(body)
    named = b"content-encoding: " + b", ".join([b"gzip"] * times)
    return OK + named + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body


# What is sent first, and what follows piece by piece for as long as somebody listens.
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "status line": (b"HTTP/1.1 200 ", b"O"),
    "one header": (OK + b"x: ", b"y"),
    "headers": (OK, b"x: y\r\n"),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "body": (OK + b"content-length: 60000\r\n\r\n", b" "),
    "chunk size": (OK + b"transfer-encoding: chunked\r\n\r\n", b"0"),
    "chunk extension": (OK + b"transfer-encoding: chunked\r\n\r\n1;", b"x"),
    "trailers": (OK + b"transfer-encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
    "body without end": (OK + b"connection: close\r\n\r\n", b" "),
}


@dataclass
class App:
    """Reads a question and then says what a test tells it to, on a port and at a unix socket."""

    first: bytes
    drip: bytes | None
    socket_path: Path
    gone: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def serve(self, listener: socket.socket) -> None:
        while not self.gone.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with closing(connection):
            try:
                connection.recv(65536)
                connection.sendall(self.first)
                for piece in repeat(self.drip) if self.drip is not None else ():
                    if self.gone.wait(PAUSE_S):
                        return
                    connection.sendall(piece)
            except OSError:
                pass  # who asked has gone away


Serves = Callable[[bytes, bytes | None], App]


@pytest.fixture
def serves(tmp_path: Path) -> Iterator[Serves]:
    opened: list[tuple[App, list[socket.socket]]] = []

    def start(first: bytes, drip: bytes | None) -> App:
        app = App(first, drip, tmp_path / "s")
        inet, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
        unix.bind(str(app.socket_path))
        unix.listen()
        app.port = inet.getsockname()[1]
        opened.append((app, [inet, unix]))
        for listener in (inet, unix):
            threading.Thread(target=app.serve, args=(listener,), daemon=True).start()
        return app

    yield start
    for app, listeners in opened:
        app.gone.set()
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


def _release_asks(app: App) -> None:
    asked = probe.ask(f"http://127.0.0.1:{app.port}", "/health")
    assert asked.verdict.action is Action.WAIT and asked.verdict.reason.startswith("/health")


def _watch_asks(app: App) -> None:
    look = probe.examine(f"http://127.0.0.1:{app.port}", "/health", patience_s=0.4)
    assert look.condition is Condition.UNHEALTHY and look.reason.startswith("/health")


def _metrics_are_asked(app: App) -> None:
    with pytest.raises(ToolError, match=f"127.0.0.1:{app.port}"):
        app_metrics.read_histogram(f"http://127.0.0.1:{app.port}", "/metrics", "latency")


def _router_is_asked(app: App) -> None:
    with admin.connect(app.socket_path) as asking, pytest.raises(RouterError, match="no usable answer"):
        asking.exported()


ASKERS = [_release_asks, _watch_asks, _metrics_are_asked, _router_is_asked]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.4)
    monkeypatch.setattr(app_metrics, "TIMEOUT_S", 0.4)
    monkeypatch.setattr(admin, "ANSWER_TIMEOUT_S", 0.4)
    monkeypatch.setattr(admin, "WHOLE_ANSWER_S", 0.4)


@pytest.mark.parametrize("asks", ASKERS)
@pytest.mark.parametrize("kind", DRIPS)
def test_an_answer_that_drips_holds_nobody(serves: Serves, kind: str, asks: Callable[[App], None]) -> None:
    asks(serves(*DRIPS[kind]))  # the answer has no end: an asker without a deadline is ended by the test's own


@pytest.mark.parametrize("asks", ASKERS)
@pytest.mark.parametrize("times", [2, 3])
def test_an_answer_that_is_packed_many_times_is_not_unpacked(
    serves: Serves, times: int, asks: Callable[[App], None]
) -> None:
    app = serves(_packed(times), None)
    tracemalloc.start()
    try:
        asks(app)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
