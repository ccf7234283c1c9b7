"""A Redis of one suite's own: empty, on 127.0.0.1 behind a random password, gone when the suite is.

It is in the suite's network, where that has one of its own. We ask it through a unix socket in its directory.

It runs sandboxed as the user that app code runs as: whoever may talk to a Redis can make it write files and load code.
Clients of every language take a `redis://` address, unlike one of a unix socket.
"""

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from host.errors import ToolError
from host.files import open_directory
from host.ports import LOCAL, free_port
from host.sandbox import run as sandbox

READY_S = 60.0
PORT_TRIES = 3
MEMORY = "256mb"
SOCKET = "redis.sock"  # from the directory, where Redis goes before it listens


@contextlib.contextmanager
def fresh_redis(
    binary: Path, directory: Path, lifetime_s: float, network: sandbox.AnyNetwork = sandbox.Network.HOST
) -> Iterator[str]:
    """Start a Redis without persistence (256 MB at most) and give its address, `redis://:password@127.0.0.1:port/0`.

    `directory` is made for its configuration; `binary` is bound with the folder that it lies in. It ends with the
    block, with this process, and after `lifetime_s`. Raises ToolError when it does not come up within 10 s.
    """
    level = sandbox.available()
    box = sandbox.Sandbox(level, read_only=(binary.resolve().parent,), writable=(directory,), network=network)
    directory.mkdir(parents=True, exist_ok=True)
    for left in reversed(range(PORT_TRIES)):
        server = _Server(binary.resolve(), directory, box, lifetime_s)
        try:
            if server.start(last_try=not left):
                yield server.url
                return
        finally:
            server.stop()


@dataclass
class _Server:
    binary: Path
    directory: Path
    box: sandbox.Sandbox
    lifetime_s: float
    port: int = field(default_factory=free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    said: str = ""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOCAL}:{self.port}/0"

    def start(self, last_try: bool) -> bool:
        """Start it and wait until it answers; False when somebody else took the port meanwhile."""
        self._configure()
        self._thread = threading.Thread(target=self._run, name="redis", daemon=True)
        self._thread.start()
        until = time.monotonic() + READY_S
        while not self._answers():
            if not self._thread.is_alive() and "Address already in use" in self.said and not last_try:
                return False
            if not self._thread.is_alive() or time.monotonic() > until:
                self.stop()
                raise ToolError(f"{self.binary} did not come up within {READY_S:g} s: {self.said.strip()[-500:]}")
            time.sleep(0.02)
        return True

    def stop(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _configure(self) -> None:
        lines = [
            f"bind {LOCAL}",
            f"port {self.port}",
            f"unixsocket {SOCKET}",
            f"requirepass {self.password}",
            'save ""',
            "appendonly no",
            "daemonize no",
            f"dir {self.directory}",
            f"maxmemory {MEMORY}",
        ]
        file = self.directory / "redis.conf"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as written:
            written.write("\n".join([*lines, ""]))
        if os.geteuid() == 0:
            for path in (self.directory, file):
                os.chown(path, self.box.owner(), self.box.owner())
        self.directory.chmod(0o700)

    def _run(self) -> None:
        try:
            done = sandbox.run(
                [str(self.binary), str(self.directory / "redis.conf")],
                cwd=self.directory,
                env={"PATH": sandbox.LAUNCHER_PATH, "LANG": "C.UTF-8"},
                sandbox=self.box,
                timeout_s=self.lifetime_s,
                output_limit_bytes=100_000,
                cancelled=self._stopping,
            )
            self.said = done.output
        except ToolError as error:
            self.said = str(error)

    def _answers(self) -> bool:
        try:
            with open_directory(self.directory) as directory, socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(directory / SOCKET))
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while b"PONG" not in answer and (more := connection.recv(200)):
                    answer += more
                return answer.startswith(b"+OK") and b"PONG" in answer
        except OSError:
            return False
