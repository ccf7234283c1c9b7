"""The monitoring stack of this host: its files in the state directory, its containers on this host's engine."""

import hashlib
import os
import secrets
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml

from control import monitoring_files
from control.monitoring_keys import Certificates, certificates, client_context
from host.docker.containers import Container
from host.docker.engine import Engine
from host.docker.healthy import has_ended
from host.docker.labels import owner
from host.errors import ToolError
from host.files import read_or_create, write_atomically
from host.home import CHECKOUT, Home
from host.resources.starts import Start
from settings.monitoring import Monitoring

NAME = "monitoring"
COMPOSE_FILE = CHECKOUT / "docker" / "docker-compose.monitoring.yml"
SOURCES = CHECKOUT / "config" / "monitoring"
SERVICES = ("prometheus", "alertmanager", "loki", "alloy", "grafana")
# Where each says that it can work; Loki takes some seconds more than the others.
READY = {
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    "loki": "/ready",
    "alloy": "/-/ready",
    "grafana": "/api/health",
}
# Those that answer only who shows the client certificate; Grafana has users. And those that show it themselves.
GUARDED = ("prometheus", "alertmanager", "loki", "alloy")
CLIENTS = ("prometheus", "alloy")
UP_TIMEOUT_S = 180
READY_S = 45.0
STOP_S = 20.0
SOCKET = Path("/var/run/docker.sock")


@dataclass(frozen=True)
class Started:
    """What came of a start: the services that answer, and for each other one the reason why it does not."""

    ready: tuple[str, ...]
    missing: Mapping[str, str]


class MonitoringStack:
    """The containers of one installation. Making one changes nothing."""

    def __init__(self, home: Home, monitoring: Monitoring, engine: Engine | None = None) -> None:
        self.home = home
        self.monitoring = monitoring
        self.engine = engine or Engine()
        self.directory = home.root / NAME

    @property
    def wanted(self) -> bool:
        """Return whether it was started here, and not given up since."""
        return (self.directory / "wanted").exists()

    def want(self, wanted: bool) -> None:
        """Remember whether `make up` is to start it from now on."""
        if wanted:
            write_atomically(self.directory / "wanted", b"")
        else:
            (self.directory / "wanted").unlink(missing_ok=True)

    @cached_property
    def labels(self) -> dict[str, str]:
        return owner(self.home.root, NAME)

    @property
    def project(self) -> str:
        return f"slipway-{NAME}-{self.labels['slipway.home'][:8]}"

    def url(self, service: str) -> str:
        """Return a service's address on this host."""
        return f"http{'s' * (service in GUARDED)}://127.0.0.1:{getattr(self.monitoring, service).port}"

    @property
    def client(self) -> Path:
        """Return the directory of what a client shows: ca.crt, client.crt, client.key, and client.yml for amtool."""
        return self.directory / "client"

    def http(self, timeout_s: float = 10) -> httpx.Client:
        """Return a client that the programs answer. Raises OSError before `prepare` wrote what it shows."""
        return httpx.Client(timeout=timeout_s, trust_env=False, verify=client_context(self.client))

    @property
    def password_file(self) -> Path:
        """Return the file of Grafana's password for `admin`."""
        return self.home.keys / "grafana-password"

    def prepare(self, receiver_port: int, containers: bool = False) -> None:
        """Write the configuration. Safe to repeat; a token and a password are made once.

        `containers`: releases run as containers, whose logs are shipped too.
        """
        shown = certificates(self.home)
        files = {
            **_tls_files(shown),
            "client/client.yml": _yaml(monitoring_files.client(str(self.client))),
            "prometheus/etc/web.yml": _yaml(monitoring_files.web()),
            "alertmanager/etc/web.yml": _yaml(monitoring_files.web()),
            "prometheus/etc/prometheus.yml": _yaml(monitoring_files.prometheus(self.monitoring)),
            "prometheus/etc/alerts.yml": (SOURCES / "alerts.yml").read_bytes(),
            "alertmanager/etc/alertmanager.yml": _yaml(monitoring_files.alertmanager(self.monitoring, receiver_port)),
            "alertmanager/etc/token": read_or_create(self.home.keys / "alertmanager", _token),
            "loki/etc/loki.yml": _yaml(monitoring_files.loki(self.monitoring)),
            "alloy/etc/logs.alloy": (SOURCES / "logs.alloy").read_bytes(),
            **({"alloy/etc/containers.alloy": (SOURCES / "containers.alloy").read_bytes()} if containers else {}),
            "grafana/etc/password": read_or_create(self.password_file, _token),
            "grafana/etc/provisioning/datasources/slipway.yml": _yaml(
                monitoring_files.datasources(self.monitoring, shown)
            ),
            "grafana/etc/provisioning/dashboards/slipway.yml": _yaml(monitoring_files.dashboard_provider()),
        }
        for file in (SOURCES / "dashboards").glob("*.json"):
            files[f"grafana/etc/dashboards/{file.name}"] = file.read_bytes()
        for name, content in files.items():
            write_atomically(self.directory / name, content)
        for file in self.directory.glob("*/etc/**/*"):
            if file.is_file() and str(file.relative_to(self.directory)) not in files:
                file.unlink()  # what is no part of it any more
        for service in SERVICES:
            (self.directory / service / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)

    def environment(self, containers: bool) -> dict[str, str]:
        """Return what the compose file wants to know, once the files are written."""
        found = {
            "SLIPWAY_UID": str(os.geteuid()),
            "SLIPWAY_GID": str(os.getegid()),
            "SLIPWAY_MARK": self.labels["slipway.home"],
            "SLIPWAY_MONITORING_HOME": str(self.directory),
            "SLIPWAY_STATE": str(self.home.root),
            "EXPORTER_PORT": str(self.monitoring.exporter.port),
            "PROMETHEUS_RETENTION": f"{self.monitoring.prometheus.retention_days}d",
            "DOCKER_SOCKET": str(SOCKET) if containers else os.devnull,
            "DOCKER_GID": str(_group(SOCKET) if containers else os.getegid()),
        }
        for service in SERVICES:
            part = getattr(self.monitoring, service)
            name = service.upper()
            found |= {f"{name}_IMAGE": part.image, f"{name}_PORT": str(part.port), f"{name}_MEMORY": part.memory}
            found[f"{name}_CONFIG"] = self._mark(service)
        return found

    def _mark(self, service: str) -> str:
        """Return a digest of a service's files: one that changes has its container made anew."""
        digest = hashlib.sha256()
        for file in sorted((self.directory / service / "etc").rglob("*")):
            if file.is_file():
                digest.update(str(file).encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:16]

    def up(self, receiver_port: int, containers: bool = False) -> Started:
        """Start what can be had and wait until it answers. Safe to repeat; changed files restart what reads them.

        ToolError: no engine, or compose refused.
        """
        self.prepare(receiver_port, containers)
        missing = {one: said for one in SERVICES if (said := self._absent(getattr(self.monitoring, one).image))}
        possible = [one for one in SERVICES if one not in missing]
        if possible:
            self._compose(["up", "-d", "--no-build", "--pull", "never", *possible], containers)
            missing |= self._await(possible)
        return Started(tuple(one for one in SERVICES if one not in missing), missing)

    def _absent(self, image: str) -> str:
        """Return why an image cannot be had, "" when it is here or could be pulled."""
        if self.engine.image(image) is not None:
            return ""
        try:
            self.engine.pull(image)
        except ToolError as error:
            return str(error)
        return ""

    def _compose(self, words: Sequence[str], containers: bool) -> None:
        argv = ["compose", "--progress", "quiet", "-p", self.project, "-f", str(COMPOSE_FILE), *words]
        code, output, errors = self.engine.run(argv, self.environment(containers), UP_TIMEOUT_S)
        if code:
            raise ToolError(f"the monitoring stack could not be started: {(errors or output).strip()[-800:]}")

    def _await(self, services: Sequence[str]) -> dict[str, str]:
        """Wait for services, for as long as they work; return for each that does not answer what it said last."""
        waiting = list(services)
        start = Start(READY_S, lambda: [one.pid for one in self.containers() if one.pid and one.service in waiting])
        while waiting := [one for one in waiting if not self.answers(one)]:
            ended = {one.service for one in self.containers() if has_ended(one)}
            if start.over() or ended.issuperset(waiting):
                break
            time.sleep(0.2)
        return {one: f"does not answer at {self.url(one)}; it said: {self._last_words(one)}" for one in waiting}

    def answers(self, service: str) -> bool:
        """Return whether a service says that it is ready."""
        try:
            with self.http(timeout_s=2) as http:
                return http.get(self.url(service) + READY[service]).status_code == 200
        except (httpx.HTTPError, OSError):  # OSError: nothing was prepared yet, so nothing of ours runs
            return False

    def _last_words(self, service: str) -> str:
        found = next((one for one in self.containers() if one.service == service), None)
        return self.engine.log_tail(found, 5) if found else "there is no such container"

    def containers(self) -> list[Container]:
        """Return its containers, running or not. Raises ToolError if the engine does not answer."""
        return self.engine.containers(self.labels)

    def down(self) -> None:
        """Stop its containers; figures and logs are kept. Nothing to do where it never was started."""
        if self.directory.exists():
            self.engine.stop([one for one in self.containers() if one.state == "running"], STOP_S)


def _tls_files(shown: Certificates) -> dict[str, bytes]:
    """Return the files that the programs show and trust, by name; and ours, for people and their tools."""
    server = {"ca.crt": shown.authority, "server.crt": shown.server, "server.key": shown.server_key}
    client = {"ca.crt": shown.authority, "client.crt": shown.client, "client.key": shown.client_key}
    files = {f"{service}/etc/tls/{name}": content for service in GUARDED for name, content in server.items()}
    files |= {f"{service}/etc/tls/{name}": content for service in CLIENTS for name, content in client.items()}
    return files | {f"client/{name}": content for name, content in client.items()}


def _yaml(document: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(document), sort_keys=False).encode()


def _token() -> bytes:
    return secrets.token_urlsafe(32).encode()


def _group(socket: Path) -> int:
    return socket.stat().st_gid if socket.exists() and stat.S_ISSOCK(socket.stat().st_mode) else os.getegid()
