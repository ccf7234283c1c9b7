"""The control plane on this host: Prefect's server, its database, the workers and `watch`, under one supervisor."""

import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deployments.home import CHECKOUT, Home
from deployments.ports import is_free, who_listens
from deployments.postgres import Postgres
from deployments.programs import Program, State
from deployments.settings import Target, read_settings
from deployments.supervisor import Supervisor
from evidence.errors import ConfigError
from evidence.store import write_atomically

POOLS = ("ci", "dev", "staging", "prod")
SERVER = "prefect-server"
WATCH = "watch"
# What our programs may inherit from the shell of whoever types `make up`.
INHERITED = ("HOME", "LANG", "TZ", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY", "SSH_AUTH_SOCK", "ENVOY_PATH")
STANDARD_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
INHERITED_PREFIXES = ("SLIPWAY_", "PIP_", "UV_")


def port() -> int:
    """Return the port of the Prefect server: SLIPWAY_PREFECT_PORT, default 4200."""
    raw = os.environ.get("SLIPWAY_PREFECT_PORT", "4200")
    if not raw.isdigit() or not 0 < int(raw) < 65536:
        raise ConfigError(f'SLIPWAY_PREFECT_PORT: got "{raw}", expected a port between 1 and 65535')
    return int(raw)


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
    def postgres(self) -> Postgres:
        return Postgres(self.home.control / "postgres", self.sockets)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{port()}"

    @property
    def auth(self) -> str:
        """Return the API's shared credential, `user:password`. ConfigError before `make setup` made it."""
        file = self.home.keys / "prefect-auth"
        try:
            return file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{file}: no credential for the Prefect API; run: make setup") from error

    def create_auth(self) -> None:
        """Make the credential once; an existing one is kept."""
        file = self.home.keys / "prefect-auth"
        if not file.exists():
            write_atomically(file, f"slipway:{secrets.token_urlsafe(24)}".encode())

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
        for target in Target:
            for reference in read_settings(target).secrets.values():
                kind, _, name = reference.partition(":")
                if kind == "env" and name in os.environ:
                    kept[name] = os.environ[name]
        return kept | {
            **self.client_environment(),
            "SLIPWAY_HOME": str(self.home.root),
            "PATH": _path(),
            "PYTHONPATH": str(CHECKOUT),
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        }

    def start_database(self) -> None:
        """Start the supervisor and Prefect's PostgreSQL. Safe to repeat. ConfigError when a stranger has the port."""
        self.postgres.initialise()
        was_up = self.supervisor.answers()
        self.supervisor.up()  # first: it ends what a killed supervisor left, and that may be on our port
        server = self.supervisor.state(SERVER)
        ours = server is not None and server.state in (State.RUNNING, State.STARTING)
        if not ours and not is_free(port()):
            if not was_up:
                self.supervisor.down()
            raise ConfigError(
                f"port {port()} is taken by {who_listens(port()) or 'another process'}; stop it, or set "
                "SLIPWAY_PREFECT_PORT to a free one"
            )
        self.supervisor.run(self.postgres.program("postgres", priority=10))
        self.postgres.wait_ready(log_tail=lambda: self.supervisor.log_tail("postgres"))
        self.postgres.create_database("prefect", "prefect", extensions=("pg_trgm",))

    def start_server(self) -> None:
        """Start the Prefect server; it takes some seconds to answer (`answers`)."""
        database = self.postgres.url("prefect", "prefect", driver="postgresql+asyncpg")
        env = self._environment() | {
            "PREFECT_SERVER_API_AUTH_STRING": self.auth,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_SERVER_UI_V2_ENABLED": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_UI_API_URL": f"{self.url}/api",
        }
        command = (prefect(), "server", "start", "--host", "127.0.0.1", "--port", str(port()))
        self.supervisor.run(Program(SERVER, command, CHECKOUT, env, stop_wait_s=15, start_s=1, priority=30))

    def start_workers(self) -> None:
        """Start a worker for each pool of this host, and `watch`."""
        env = self._environment() | {
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        }
        for pool in POOLS:
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
            if pool == "ci":  # what is checked must not take the processor from what serves on the same host
                command = ("nice", "-n", "10", *command)
            self.supervisor.run(Program(name, command, CHECKOUT, env, stop_wait_s=45, priority=40))
        watch = (sys.executable, "-m", "services.watch")
        self.supervisor.run(Program(WATCH, watch, CHECKOUT, env, stop_wait_s=30, priority=50))

    @property
    def own(self) -> tuple[str, ...]:
        """Return the names of the programs without which the control plane is not whole."""
        return ("postgres", SERVER, *(f"worker-{pool}" for pool in POOLS), WATCH)


def _path() -> str:
    """Return the PATH for our programs: the same from every shell, so that `make up` restarts nothing."""
    git = shutil.which("git")
    own = [str(Path(sys.executable).parent), *STANDARD_PATH]
    return ":".join([*own, str(Path(git).parent)] if git and str(Path(git).parent) not in own else own)


def prefect() -> str:
    """Return the `prefect` command of this environment."""
    return str(Path(sys.executable).with_name("prefect"))


def suite_database(home: Home | None = None) -> Postgres:
    """Return the PostgreSQL server in which test suites get their databases, started when it is not up.

    It is not Prefect's: the suites are app code, and get roles of their own here.
    """
    home = home or Home.find()
    control = Control(home)
    server = Postgres(home.control / "suites", home.sockets("control") / "suites")
    server.initialise()
    control.supervisor.run(server.program("postgres-suites", priority=10))
    server.wait_ready(log_tail=lambda: control.supervisor.log_tail("postgres-suites"))
    return server
