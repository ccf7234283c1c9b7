"""A Docker engine of a test's own, that can be stopped and started: nobody else's containers are on it."""

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from host.docker.engine import Engine
from host.errors import ToolError

START_S = 60
STOP_S = 60
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


@contextmanager
def own_network() -> Iterator[None]:
    """Put this thread, and what it starts, into a network of its own that has a loopback only. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
            yield
        finally:
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


class OwnEngine:
    """One `dockerd` beside the host's, with a data directory and a socket of its own. Needs root.

    It is in the network of whoever starts it, which must not be the host's: it would take the host's docker0 away.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.engine = Engine(f"unix://{directory}/docker.sock")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers: then what was running runs again."""
        here = self.directory
        argv = [
            *(
                "dockerd",
                "--host",
                self.engine.host,
                "--data-root",
                str(here / "data"),
                "--exec-root",
                str(here / "run"),
            ),
            *("--pidfile", str(here / "pid"), "--config-file", str(here / "daemon.json")),
            *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        ]
        with (here / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        self.engine.wait(START_S)

    def stop(self) -> None:
        """Stop it as `systemctl stop docker` does: without live-restore its containers end with it."""
        if self.process:
            self.process.terminate()
            self.process.wait(STOP_S)
            self.process = None

    def load(self, image: str) -> None:
        """Copy an image from the host's engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            argv = ["docker", "--host", self.engine.host, "load", "-q"]
            subprocess.run(argv, stdin=saved.stdout, capture_output=True, timeout=120, check=True)

    def remove(self) -> None:
        """Stop it and remove all that it has."""
        with suppress(ToolError):
            self.engine.remove(self.engine.containers({}))
            self.engine.remove_networks({})
        self.stop()
        subprocess.run(["umount", str(self.directory / "data")], capture_output=True, timeout=120, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """Yield a second engine that runs, in a network of its own, in which this thread is until the end."""
    directory = Path(tempfile.mkdtemp(prefix="slipway-engine-"))
    (directory / "daemon.json").write_text("{}")
    made = OwnEngine(directory)
    with own_network():
        try:
            made.start()
            yield made
        finally:
            made.remove()
