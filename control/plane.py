"""The control plane on this host: Prefect's server, the workers, `watch` and what listens, under one supervisor."""

import os
import secrets
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from control import start_flow
from control.server_containers import ServerStack
from control.server_process import PrefectServer, ServerElsewhere, ServerProcess, prefect
from host import keep_port
from host.databases.postgres import Postgres
from host.docker.engine import Engine
from host.errors import ConfigError, ToolError
from host.files import read_or_create
from host.home import CHECKOUT, Home
from host.ports import LOCAL, is_free, loopback_twin, who_listens
from host.supervisor.program import Program
from host.supervisor.readiness import await_ready
from host.supervisor.supervisor import Supervisor
from settings.environment import read_settings
from settings.hosts import pools, server_url, targets
from settings.monitoring import read_monitoring
from settings.notify import read_notify

WATCH = "watch"
FLOW_STARTER = "flow-starter"
SUITE_DATABASE = "postgres-suites"
KEEPER = "localhost"
PREFECT_RUNTIME = "SLIPWAY_PREFECT_RUNTIME"

RECEIVER = "receiver"
EXPORTER = "exporter"
NOTIFY = "notify"
MODULES = {RECEIVER: "services.receiver.main", EXPORTER: "services.exporter.main", NOTIFY: "services.notify.main"}
FORMER_NOTIFY = "slack"  # its name in installations made before there were other channels
LISTENS_S = 120
LISTENERS = (RECEIVER, EXPORTER, NOTIFY)  # the last is left out where no channel is configured
# What our programs may inherit from the shell of whoever types `make up`.
INHERITED = (
    "HOME",
    "LANG",
    "TZ",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSH_AUTH_SOCK",
    "ENVOY_PATH",
    "REDIS_SERVER_PATH",
)
STANDARD_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# OTEL_: where traces of releases go (services/exporter/traces.py), and with which credentials.
INHERITED_PREFIXES = ("SLIPWAY_", "PIP_", "UV_", "OTEL_")


def port() -> int:
    """Return the port of the Prefect server: SLIPWAY_PREFECT_PORT, default 4200."""
    raw = os.environ.get("SLIPWAY_PREFECT_PORT", "4200")
    if not raw.isdigit() or not 0 < int(raw) < 65536:
        raise ConfigError(f'SLIPWAY_PREFECT_PORT: got "{raw}", expected a port between 1 and 65535')
    return int(raw)


def in_containers() -> bool:
    """Return whether the Prefect server of this host runs in containers: SLIPWAY_PREFECT_RUNTIME, default process."""
    raw = os.environ.get(PREFECT_RUNTIME, "process")
    if raw not in ("process", "compose"):
        raise ConfigError(f'{PREFECT_RUNTIME}: got "{raw}", expected one of: process, compose')
    return raw == "compose"


@dataclass(frozen=True)
class Control:
    """The control plane's programs and how to reach its API. Making one changes nothing."""

    home: Home

    @cached_property
    def sockets(self) -> Path:
        return self.home.sockets("control")

    @cached_property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.home.control / "supervisor", self.sockets)

    @cached_property
    def process(self) -> ServerProcess:
        """Return the server as a process, whether or not it is used here."""
        return ServerProcess(self.home, port(), self.supervisor, self.sockets, self._environment)

    @cached_property
    def stack(self) -> ServerStack:
        """Return the server's containers, whether or not they are used here."""
        return ServerStack(self.home, port(), Engine())

    @property
    def server(self) -> PrefectServer:
        """Return the server that this installation uses. Raises ConfigError if one of its settings is wrong."""
        if server_url():
            return ServerElsewhere()
        return self.stack if in_containers() else self.process

    @property
    def url(self) -> str:
        return server_url() or f"http://127.0.0.1:{port()}"

    @property
    def auth(self) -> str:
        """Return the API's shared credential, `user:password`. ConfigError before `make up` made it."""
        file = self.home.keys / "prefect-auth"
        try:
            return file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{file}: no credential for the Prefect API; run: make up") from error

    def create_auth(self) -> None:
        """Make the credential once; an existing one is kept. Raises ConfigError if it is to come from the server's
        host.
        """
        file = self.home.keys / "prefect-auth"
        if server_url() and not file.exists():
            raise ConfigError(f"{file}: copy the file of this name from the server's host: it is the login there")
        read_or_create(file, lambda: f"slipway:{secrets.token_urlsafe(24)}".encode())

    def client_environment(self) -> dict[str, str]:
        """Return what a Prefect client of this installation needs in its environment."""
        return {
            "PREFECT_API_URL": f"{self.url}/api",
            "PREFECT_API_AUTH_STRING": self.auth,
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_HOME": str(self.home.control / "prefect"),
            "DO_NOT_TRACK": "1",
        }

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in INHERITED or name.startswith(INHERITED_PREFIXES)
        }
        for target in targets():
            for reference in read_settings(target).references:
                kind, _, name = reference.partition(":")
                if kind == "env" and name in os.environ:
                    kept[name] = os.environ[name]
        kept |= {name: os.environ[name] for name in read_notify().environment_names if name in os.environ}
        return kept | {
            **self.client_environment(),
            "SLIPWAY_HOME": str(self.home.root),
            "PATH": _path(),
            "PYTHONPATH": str(CHECKOUT),
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
            "PREFECT_LOGGING_SETTINGS_PATH": str(CHECKOUT / "config" / "logging.yml"),
        }

    def start_server(self) -> None:
        """Start the supervisor and the Prefect server; it takes some seconds to answer. Safe to repeat.

        A server of another kind is stopped, its data kept. Raises ConfigError if a stranger has the port; ToolError
        when something does not come up.
        """
        was_up = self.supervisor.answers()
        self.supervisor.up()  # first: it ends what a killed supervisor left, and that may be on our port
        try:
            self._refuse_taken_port("prefect", LOCAL, port(), "the Prefect server", self.server.running())
            if twin := self._twin:
                kept = self.supervisor.runs(KEEPER)
                self._refuse_taken_port("prefect", twin, port(), f"the Prefect server, on {twin}", kept)
        except ConfigError:
            if not was_up:
                self.supervisor.down()
            raise
        self._stop_servers(but=self.server.kind)
        self._keep_localhost()
        self.server.up(self.auth)

    @property
    def _twin(self) -> str:
        """Return the other address that "localhost" means, "" where there is none or the server is elsewhere."""
        return "" if server_url() else loopback_twin(LOCAL)

    def _keep_localhost(self) -> None:
        """Have the server's port on the other loopback address too, where nothing serves: a login page there would be a
        stranger's, and the credential is code on every worker.
        """
        if twin := self._twin:
            command = (sys.executable, "-I", "-S", keep_port.__file__, twin, str(port()))
            self.supervisor.run(Program(KEEPER, command, CHECKOUT, {}, start_s=0, priority=10))
        else:
            self.supervisor.remove(KEEPER)

    def stop_server(self) -> None:
        """Stop the Prefect server and its database, of either kind."""
        self._stop_servers()
        self.supervisor.remove(KEEPER)

    def _stop_servers(self, but: str = "") -> None:
        for one in (self.process, self.stack):
            if one.kind != but:
                with suppress(ToolError):  # without an engine no container is in anybody's way
                    one.down()

    def start_workers(self) -> None:
        """Start a worker for each pool of this host, what starts their flow runs, and `watch`."""
        env = self._environment() | {
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
            start_flow.SOCKET: str(self.sockets / "flow-starter.sock"),
        }
        starter = (sys.executable, "-m", "services.flow_starter")
        self.supervisor.run(Program(FLOW_STARTER, starter, CHECKOUT, env, stop_wait_s=45, priority=35))
        for pool in pools():
            name = f"worker-{pool}"
            command: tuple[str, ...] = (
                prefect(),
                "worker",
                "start",
                "--pool",
                pool,
                "--name",
                name,
                "--type",
                "process",
            )
            self.supervisor.run(Program(name, command, CHECKOUT, env, stop_wait_s=45, priority=40))
        watch = (sys.executable, "-m", "services.watch.main")
        self.supervisor.run(Program(WATCH, watch, CHECKOUT, env, stop_wait_s=30, priority=50))

    def start_listeners(self) -> None:
        """Start what listens: the receiver, the exporter of figures, and what sends messages.

        Raises ConfigError if a stranger has one of their ports.
        """
        notify, exporter = read_notify(), read_monitoring().exporter
        for name, one, what in ((RECEIVER, notify.receiver, "webhooks"), (EXPORTER, exporter, "figures")):
            self._refuse_taken_port(name, one.host, one.port, what, self.supervisor.runs(name))
        env = self._environment()
        for name in {NOTIFY, FORMER_NOTIFY} - set(_listeners()):
            if self.supervisor.state(name):
                self.supervisor.remove(name)
        for name in _listeners():
            command = (sys.executable, "-m", MODULES[name])
            self.supervisor.run(Program(name, command, CHECKOUT, env, stop_wait_s=15, start_s=1, priority=50))

    def await_listeners(self) -> None:
        """Wait until receiver and exporter take connections, for as long as they work. Raises ToolError with their last
        words when one ends, or does nothing any more.
        """
        receiver, exporter = read_notify().receiver, read_monitoring().exporter
        for name, host, at in ((RECEIVER, receiver.host, receiver.port), (EXPORTER, exporter.host, exporter.port)):
            if why := await_ready(self.supervisor, (name,), lambda: not is_free(at, host), LISTENS_S):
                raise ToolError(f"{name} does not listen on port {at}: {why}")

    def _refuse_taken_port(self, name: str, host: str, at: int, what: str, ours: bool) -> None:
        if not ours and not is_free(at, host):
            raise ConfigError(
                f"port {at} ({what}) is taken by {who_listens(at, host) or 'another process'}; stop it, or set "
                f"SLIPWAY_{name.upper()}_PORT to a free one"
            )

    @property
    def own(self) -> tuple[str, ...]:
        """Return the names of the programs without which the control plane is not whole."""
        listeners = _listeners()
        workers = (f"worker-{pool}" for pool in pools())
        keeper = (KEEPER,) if self._twin else ()
        return (*self.server.programs, *keeper, FLOW_STARTER, *workers, WATCH, *listeners)


def _listeners() -> tuple[str, ...]:
    """Return which of them run here. Each host sends messages about its own environments."""
    return LISTENERS if any(read_notify().channels.values()) else LISTENERS[:-1]


def _path() -> str:
    """Return the PATH for our programs: the same from every shell, so that `make up` restarts nothing."""
    git = shutil.which("git")
    own = [str(Path(sys.executable).parent), *STANDARD_PATH]
    return ":".join([*own, str(Path(git).parent)] if git and str(Path(git).parent) not in own else own)


def suite_database(home: Home | None = None) -> Postgres:
    """Return the PostgreSQL server in which test suites get their databases, started when it is not up.

    It is not Prefect's: the suites are app code, and get roles of their own here.
    """
    home = home or Home.find()
    control = Control(home)
    server = Postgres(home.control / "suites", home.sockets("control") / "suites")
    server.initialise()
    control.supervisor.run(server.program(SUITE_DATABASE, priority=10))
    server.wait_ready(
        log_tail=lambda: control.supervisor.log_tail(SUITE_DATABASE),
        pid=lambda: control.supervisor.pid(SUITE_DATABASE),
    )
    return server
