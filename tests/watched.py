"""Production with releases in its journal that nobody did, served by an app that answers what a test says."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from evidence.bundle import Bundle, Run, put_bundle
from gates.notify.messages import Post, read_post
from host.home import Home
from notify.outbox import Outbox
from services.watch.health import HealthFollower
from settings.targets import Target
from tests.prefect_server import PrefectServer

PATHS = ("/health/overall", "/health/database", "/health/database/pool")


class App(BaseHTTPRequestHandler):
    """Answers what the test says: `answers` by path, else healthy."""

    answers: dict[str, tuple[int, bytes]] = {}

    def do_GET(self) -> None:
        status, body = self.answers.get(self.path, (200, b'{"status": "healthy"}'))
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # they do not read all of 10 MB

    def log_message(self, format: str, *args: object) -> None:
        return None


class Watched:
    """Production, served by an app without a router, and followed with a Prefect server and an outbox."""

    def __init__(self, home: Home, server: PrefectServer, api: PrefectApi) -> None:
        self.home, self.server, self.api = home, server, api
        self.outbox = Outbox.of(home)
        self.app: type[App] = type("TheApp", (App,), {"answers": {}})
        self.number = 0

    def place(self) -> Environment:
        return Environment.open(Target("production"), "assistant", self.home)

    def follower(self) -> HealthFollower:
        return HealthFollower(self.place(), self.outbox, self.api)

    def release(self, outcome: str = "promoted", kind: str = "release") -> str:
        """Journal a release, without doing it; return its digest."""
        self.number += 1
        place = self.place()
        bundle = Bundle(
            app="assistant",
            version=f"v{self.number}",
            commit=f"{self.number:040x}",
            python="3.11",
            source="0" * 64,
            lock="0" * 64,
            wheels={},
            run=Run(command=("true",), health=PATHS),
        )
        digest = put_bundle(place.store, bundle)
        version = {"digest": digest, "version": bundle.version, "commit": bundle.commit}
        begin = {"id": f"op{self.number}", "operation": kind, "slot": "blue", "run": "", "before": None}
        place.journal.write("begin", begin | version)
        live = {"routing": {}, "live": {**version, "slot": "blue"}}
        place.journal.write("routed", live)
        place.journal.write("end", {"id": begin["id"], "outcome": outcome, "reason": "test"})
        return digest

    def events(self) -> list[str]:
        return [event["event"].removeprefix("slipway.") for event in self.server.events]

    def posts(self) -> list[Post]:
        """Return what waits for Slack."""
        return [read_post(item.kind, item.body) for item in self.outbox.due("slack")]


@contextmanager
def watched(home: Home, server: PrefectServer, api: PrefectApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Serve the app at production's address, without a router; look at one path only."""
    made = Watched(home, server, api)
    http = ThreadingHTTPServer(("127.0.0.1", 0), made.app)
    http.daemon_threads = True
    monkeypatch.setenv("SLIPWAY_PRODUCTION_PORT", str(http.server_port))
    monkeypatch.setenv("SLIPWAY_PRODUCTION_WATCH", "basic")
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield made
    finally:
        http.shutdown()
        http.server_close()
