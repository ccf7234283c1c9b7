"""A real Envoy and real backends for the tests of whatever needs a router."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil

from deployments.router.bootstrap import Edge
from deployments.router.router import PREVIEW_HEADER, Envoy, Routing
from host.ports import LOCAL, Endpoint, free_port
from tests.waiting import wait_for

SECRET = "preview-secret-of-the-test"
CHECKOUT = Path(__file__).resolve().parent.parent.parent


class Backend(BaseHTTPRequestHandler):
    """Answers its name and the request's headers; /slow waits until released, /fail answers 500."""

    protocol_version = "HTTP/1.1"
    # Head and body in one packet; apart, they meet the 40 ms of a delayed acknowledgement.
    wbufsize = -1
    name = ""
    release: threading.Event

    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            self.release.wait(120)
        body = json.dumps({"slot": self.name, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(500 if self.path.startswith("/fail") else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return None


@contextmanager
def backend(name: str, release: threading.Event) -> Iterator[int]:
    handler = type(f"Backend_{name}", (Backend,), {"name": name, "release": release})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server.server_port
    finally:
        release.set()
        server.shutdown()
        server.server_close()


class Running:
    """One Envoy in the foreground of a child process, as a supervisor would run it."""

    def __init__(self, directory: Path, trusted_hops: int = 0) -> None:
        self.router = Envoy(directory / "router", directory / "run", Edge(free_port(), trusted_hops=trusted_hops))
        self.log = directory / "envoy.log"
        self.process: subprocess.Popen[bytes] | None = None
        fresh = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(timeout=120, trust_env=False, verify=False, limits=fresh)

    def start(self) -> None:
        self.router.prepare()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.router.command(), stdout=log, stderr=log)
        wait_for(lambda: self.answers_anything(), f"Envoy to listen; {self.log.read_text()[-500:]}")

    def answers_anything(self) -> bool:
        try:
            self.get("/")
            return True
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Kill it as the kernel does for want of memory; its sandbox ends with it."""
        if self.process is not None:
            with contextlib.suppress(psutil.Error):
                below = psutil.Process(self.process.pid).children(recursive=True)
                self.process.kill()
                psutil.wait_procs(below, timeout=600)
            self.process.kill()
            self.process.wait()

    def get(self, path: str = "/", preview: str | None = None) -> httpx.Response:
        headers = {} if preview is None else {PREVIEW_HEADER: preview}
        return self.client.get(f"http://127.0.0.1:{self.router.edge.port}{path}", headers=headers)

    def slot(self, preview: str | None = None) -> str:
        return str(self.get(preview=preview).raise_for_status().json()["slot"])


def routing(
    version: str, ports: dict[str, int], live: str | dict[str, int] | None, preview: str | None = None
) -> Routing:
    weights = {live: 100} if isinstance(live, str) else live or {}
    return Routing(version, {slot: (Endpoint(LOCAL, port),) for slot, port in ports.items()}, weights, preview, SECRET)
