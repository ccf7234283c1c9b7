"""A stranger listens where the router, a slot or the Prefect server does, to be taken for it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from deployments.router.bootstrap import Edge
from deployments.router.router import Envoy
from host.ports import LOCAL, free_port, loopback_twin
from host.sandbox import run as sandbox
from tests.pems import Issuer
from tests.waiting import wait_for

CANARY = "cookie-of-a-customer"
# Listens as often as it can at each "address port", says how often, and then answers itself and keeps what it is sent.
SHARER = """
import socket, sys
def listen(host, port):
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    for option in (socket.SO_REUSEPORT, socket.SO_REUSEADDR):
        one.setsockopt(socket.SOL_SOCKET, option, 1)
    if ":" in host and sys.argv[1] == "v6only":
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        one.bind((host, int(port)))
        one.listen()
    except OSError as error:
        print(host, port, error.strerror, flush=True)
        one.close()
        return []
    return [one]
places = list(zip(sys.argv[2::2], sys.argv[3::2]))
shared = [one for _ in range(30) for place in places for one in listen(*place)]
print("bound", len(shared), flush=True)
import selectors
chosen = selectors.DefaultSelector()
for one in shared:
    chosen.register(one, selectors.EVENT_READ)
while shared:
    for key, _ in chosen.select():
        client = key.fileobj.accept()[0]
        print("stolen", client.recv(65536), flush=True)
        client.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 6\\r\\nconnection: close\\r\\n\\r\\nstolen")
        client.close()
"""


class Stranger:
    """A program of an app, sandboxed, with the uid of who runs the router: so it is on an ordinary user's host."""

    def __init__(self, mode: str, *places: tuple[str, int]) -> None:
        self.said, self._stop, self._bound = "", threading.Event(), threading.Event()
        words = [str(word) for place in places for word in place]
        self._argv = [f"{sys.base_prefix}/bin/python3", "-c", SHARER, mode, *words]
        self._pool = ThreadPoolExecutor(1)
        self._run = self._pool.submit(self._do)

    def _do(self) -> None:
        level = sandbox.Sandbox(sandbox.available(), uid=os.geteuid())
        env = {"PATH": "/usr/bin:/bin"}
        heard, stop = self._hear, self._stop
        try:
            sandbox.run(
                self._argv, cwd=Path("/"), env=env, sandbox=level, timeout_s=30, on_output=heard, cancelled=stop
            )
        finally:
            self._bound.set()

    def _hear(self, text: str) -> None:
        self.said += text
        if "bound" in self.said:
            self._bound.set()

    def __enter__(self) -> "Stranger":
        assert self._bound.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._run.result()
        self._pool.shutdown()


def tls_router(directory: Path) -> Envoy:
    """Return a router with every kind of listener that there is."""
    public, inner, redirect = free_port(), free_port(), free_port()
    edge = Edge(public, tls=True, inner_port=inner, redirect_port=redirect, twin=loopback_twin(LOCAL))
    return Envoy(directory / "router", directory / "run", edge)


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    directory = tmp_path_factory.mktemp("edge")
    envoy = tls_router(directory)
    envoy.prepare()
    chain, key = Issuer.make().pair()
    envoy.certify("1", chain.decode(), key.decode())
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(envoy.command(), stdout=log, stderr=log)
    try:
        wait_for(envoy.ready, f"Envoy; {(directory / 'log').read_text()[-800:]}")
        yield envoy
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> list[int]:
    """Return the statuses of 40 requests, each on a connection of its own, with something to steal."""
    fresh = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(trust_env=False, verify=False, limits=fresh, headers={"cookie": CANARY}, timeout=5) as client:
        return [client.get(url).status_code for _ in range(40)]


@pytest.mark.parametrize("listener", ["public", "inner", "redirect"])
def test_a_sandboxed_program_of_our_uid_shares_no_port_of_the_router(router: Envoy, listener: str) -> None:
    edge = router.edge
    port = {"public": edge.port, "inner": edge.inner_port, "redirect": edge.redirect_port}[listener]
    # nobody types the inner port, and our own requests go to 127.0.0.1
    hosts = [LOCAL, "0.0.0.0", "::"] + ["::1"] * (listener != "inner")
    with Stranger("dual", *((host, port) for host in hosts)) as stranger:
        assert "bound 0" in stranger.said
        for host in hosts:
            assert f"{host} {port} Address already in use" in stranger.said
        scheme = "https" if listener == "public" else "http"
        assert answers(f"{scheme}://{LOCAL}:{port}/") == [308 if listener == "redirect" else 503] * 40
    assert CANARY not in stranger.said


def test_who_types_localhost_comes_to_the_router_over_either_address(router: Envoy) -> None:
    port = router.edge.port
    with Stranger("v6only", ("::1", port), ("::", port)) as stranger:
        assert "bound 0" in stranger.said
        assert answers(f"https://localhost:{port}/") == answers(f"https://[::1]:{port}/") == [503] * 40
    assert CANARY not in stranger.said
