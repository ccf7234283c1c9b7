"""A port that is kept: nobody else gets it, and who connects is sent away."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from host import keep_port
from host.ports import LOCAL, LOCAL6, free_port


@contextmanager
def kept(host: str, port: int) -> Iterator[None]:
    argv = [sys.executable, "-I", "-S", keep_port.__file__, host, str(port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout and keeper.stdout.readline() == f"port {port} of {host} is kept\n"
        yield
        keeper.terminate()


def bind(host: str, port: int, *options: int) -> socket.socket:
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    for option in options:
        one.setsockopt(socket.SOL_SOCKET, option, 1)
    if ":" in host:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind((host, port))
    return one


def test_nobody_gets_the_port_however_he_asks_and_who_connects_is_refused() -> None:
    port = free_port()
    with kept(LOCAL6, port):
        for host in (LOCAL6, "::"):
            for options in ((), (socket.SO_REUSEADDR,), (socket.SO_REUSEADDR, socket.SO_REUSEPORT)):
                with pytest.raises(OSError, match="in use"):
                    bind(host, port, *options)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOCAL6, port), 5)
        with socket.create_server((LOCAL, port)):  # the server's own address is not in its way
            assert socket.create_connection(("localhost", port), 5)


def test_a_port_that_somebody_has_is_told() -> None:
    with socket.create_server((LOCAL6, 0), family=socket.AF_INET6) as stranger:
        port = stranger.getsockname()[1]
        argv = [sys.executable, "-I", "-S", keep_port.__file__, LOCAL6, str(port)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    told = f"port {port} of ::1 cannot be kept: Address already in use\n"
    assert (done.returncode, done.stderr) == (os.EX_TEMPFAIL, told)
