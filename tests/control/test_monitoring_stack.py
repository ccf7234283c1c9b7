"""The stack on a real engine: what its own programs say of our configuration, and that it comes up, tells and stops."""

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from control.monitoring_stack import SERVICES, MonitoringStack
from host.docker.engine import Engine
from host.home import CHECKOUT
from host.ports import free_port
from settings.monitoring import Monitoring
from tests.prefect_server import a_home
from tests.waiting import wait_for

pytestmark = pytest.mark.docker
CONFIG = CHECKOUT / "config" / "monitoring"


def with_free_ports(**sections: dict[str, Any]) -> Monitoring:
    """Return settings for a stack beside others, quick enough for a test."""
    ports = {name: {"port": free_port()} for name in ("exporter", *SERVICES)}
    quick: dict[str, dict[str, Any]] = {"prometheus": {"scrape_seconds": 2, "evaluation_seconds": 2}}
    merged = {name: {**ports[name], **quick.get(name, {}), **sections.get(name, {})} for name in ports}
    return Monitoring.model_validate(merged)


@pytest.fixture
def stack(engine: Engine, tmp_path: Path) -> Iterator[MonitoringStack]:
    absent = {name: {"image": "slipway-test.invalid/absent:1"} for name in ("loki", "alloy", "grafana")}
    made = MonitoringStack(a_home(tmp_path), with_free_ports(**absent), engine)
    yield made
    engine.remove(made.containers())


def tool(stack: MonitoringStack, service: str, program: str, *argv: str, more: str = "") -> str:
    """Run a program of a service's image on the files that were written for it."""
    mounts = ["-v", f"{stack.directory / service / 'etc'}:/etc/slipway:ro", *(["-v", more] if more else [])]
    image = getattr(stack.monitoring, service).image
    command = ["run", "--rm", "--network", "none", *mounts, "--user", f"{os.geteuid()}:{os.getegid()}"]
    code, output, errors = stack.engine.run([*command, "--entrypoint", program, image, *argv], {}, 200)
    assert code == 0, output + errors
    return output + errors


def test_prometheus_and_alertmanager_accept_what_is_written(stack: MonitoringStack) -> None:
    stack.prepare(4210)
    assert "SUCCESS" in tool(stack, "prometheus", "promtool", "check", "config", "/etc/slipway/prometheus.yml")
    assert "SUCCESS" in tool(stack, "prometheus", "promtool", "check", "web-config", "/etc/slipway/web.yml")
    assert "SUCCESS" in tool(stack, "alertmanager", "amtool", "check-config", "/etc/slipway/alertmanager.yml")


def test_the_alert_rules_pass_their_own_tests(stack: MonitoringStack) -> None:
    mount = f"{CONFIG}:/c:ro"
    stack.prepare(4210)
    files = [f"/c/{file.name}" for file in sorted(CONFIG.glob("alerts*_test.yml"))]
    assert len(files) == 2
    assert tool(stack, "prometheus", "promtool", "test", "rules", *files, more=mount).count("SUCCESS") == 2


class Hook:
    """What Alertmanager sends, as the receiver would get it."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.got.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


def test_it_starts_what_can_be_had_tells_and_stops(stack: MonitoringStack) -> None:
    hook = Hook()
    try:
        started = stack.up(hook.server.server_port)
        assert started.ready == ("prometheus", "alertmanager")
        assert set(started.missing) == {"loki", "alloy", "grafana"}
        assert all("slipway-test.invalid/absent" in said for said in started.missing.values())
        _hardened(stack)
        _tells_the_exporter_is_down(stack, hook)
        ids = {one.service: one.id for one in stack.containers()}
        stack.up(hook.server.server_port)  # nothing changed: nothing is made anew
        assert {one.service: one.id for one in stack.containers()} == ids
        stack.down()
        assert {one.state for one in stack.containers()} == {"exited"} and not stack.answers("prometheus")
    finally:
        hook.server.shutdown()


def _hardened(stack: MonitoringStack) -> None:
    for one in stack.containers():
        given = "{{.HostConfig.NetworkMode}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}"
        shown = subprocess.run(["docker", "inspect", "-f", given, one.name], capture_output=True, text=True, check=True)
        assert shown.stdout.strip() == "host true [ALL]" and one.memory_limit > 0
    for service in ("prometheus", "alertmanager"):
        port = getattr(stack.monitoring, service).port
        for connection in _listening(port):
            assert connection == "127.0.0.1"


def _listening(port: int) -> list[str]:
    import psutil

    return [one.laddr.ip for one in psutil.net_connections("tcp") if one.status == "LISTEN" and one.laddr.port == port]


def _tells_the_exporter_is_down(stack: MonitoringStack, hook: Hook) -> None:
    """A fired alert, posted as Prometheus posts it, reaches the hook with the token; Prometheus knows its rules."""
    http = stack.http()
    rules = http.get(f"{stack.url('prometheus')}/api/v1/rules").json()["data"]["groups"]
    assert {group["name"] for group in rules} == {"slots", "live", "releases", "control"}
    alert = {"labels": {"alertname": "A", "severity": "critical"}, "annotations": {"summary": "s"}}
    http.post(f"{stack.url('alertmanager')}/api/v2/alerts", json=[alert]).raise_for_status()
    wait_for(lambda: bool(hook.got), "Alertmanager calls its webhook")
    path, headers, body = hook.got[0]
    token = (stack.home.keys / "alertmanager").read_text()
    assert (path, headers["authorization"]) == ("/alerts", f"Bearer {token}") and b'"version":"4"' in body
