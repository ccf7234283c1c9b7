"""One environment on this host: its settings, journal, lease, supervisor, database, router and slots."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deployments import lease as leases
from deployments.home import CHECKOUT, Home
from deployments.journal import Journal
from deployments.ledger import Ledger, read_ledger
from deployments.ports import is_free, who_listens
from deployments.postgres import Postgres
from deployments.programs import Program, State
from deployments.router import Envoy
from deployments.settings import Settings, Target, read_settings
from deployments.supervisor import Supervisor
from evidence.errors import ConfigError, RouterError
from evidence.signing import Keys
from evidence.store import Store, write_atomically

ROUTER = "router"
DATABASE = "postgres"


@dataclass(frozen=True)
class Place:
    """An environment's place: a directory on local disk. Opening one changes nothing."""

    target: Target
    home: Home
    settings: Settings
    app: str

    @classmethod
    def open(cls, target: Target, app: str, home: Home | None = None, config: Path = CHECKOUT / "config") -> "Place":
        """Read the environment's settings, whole. ConfigError when any of them is wrong."""
        return cls(target, home or Home.find(), read_settings(target, config), app)

    @property
    def name(self) -> str:
        return self.target.value

    @property
    def directory(self) -> Path:
        return self.home.place(self.name)

    @property
    def url(self) -> str:
        """Return the public base URL, as seen from this host."""
        host = self.settings.host
        if ip_address(host).is_unspecified:
            host = "127.0.0.1"
        return f"http://{host}:{self.settings.port}"

    @cached_property
    def journal(self) -> Journal:
        return Journal(self.directory)

    @cached_property
    def sockets(self) -> Path:
        return self.home.sockets(self.name)

    @cached_property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.directory / "supervisor", self.sockets)

    @cached_property
    def router(self) -> Envoy:
        return Envoy(self.directory / "router", self.sockets, self.settings.port, host=self.settings.host)

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(self.directory / "postgres", self.sockets)

    @cached_property
    def store(self) -> Store:
        return Store(self.home.store)

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.home.keys)

    def ledger(self) -> Ledger:
        """Read the journal and add it up."""
        return read_ledger(self.journal.entries())

    def holder(self) -> leases.Holder | None:
        """Return who holds the lease now, None when it is free."""
        return leases.held_by(self.directory / "lease")

    @contextmanager
    def lease(self, reason: str) -> Iterator[leases.Lease]:
        """Hold the lease of this environment. LeaseHeld at once when another release or rollback does."""
        floor = self.ledger().epoch
        with leases.hold(self.directory / "lease", self.name, reason, floor) as lease:
            yield lease

    def preview_secret(self, renew: bool = False) -> str:
        """Return the value of the header that reaches the idle slot; a new one for each operation."""
        file = self.directory / "preview.secret"
        if renew or not file.exists():
            write_atomically(file, secrets.token_urlsafe(24).encode())
        return file.read_text(encoding="utf-8")

    def app_secret(self, name: str, reference: str) -> str:
        """Resolve a SECRET_ setting: generated (kept 0600 in the place), file:PATH or env:NAME."""
        kind, _, value = reference.partition(":")
        if kind == "env":
            if value not in os.environ:
                raise ConfigError(f"config/{self.name}.env: SECRET_{name}: the variable {value} is not set")
            return os.environ[value]
        file = Path(value) if kind == "file" else self.directory / "secrets" / name
        if kind == "generated" and not file.exists():
            write_atomically(file, secrets.token_urlsafe(32).encode())
        try:
            return file.read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            raise ConfigError(f"config/{self.name}.env: SECRET_{name}: cannot read {file}: {error}") from error

    def app_environment(self) -> dict[str, str]:
        """Return what the app is told: its database, its settings (APP_) and its secrets (SECRET_)."""
        return {
            **self.settings.app,
            **{name: self.app_secret(name, reference) for name, reference in self.settings.secrets.items()},
            "DATABASE_URL": self.postgres.url(self.app, self.app),
        }

    def secrets(self) -> list[str]:
        """Return every value that must not appear in what we print of the app's output."""
        found = [self.app_secret(name, reference) for name, reference in self.settings.secrets.items()]
        password = urlsplit(self.postgres.url(self.app, self.app)).password or ""
        return [secret for secret in (*found, password, unquote(password), self.preview_secret()) if secret]

    def up(self) -> None:
        """Start supervisor, database and router, and with them the slots that were running. Safe to repeat.

        Raises ConfigError when a stranger has the public port.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        self.postgres.initialise()
        self.router.prepare()
        was_up = self.supervisor.answers()
        self.supervisor.up()  # first: it ends what a killed supervisor left, and that may be on our port
        try:
            self._refuse_taken_port()
        except ConfigError:
            if not was_up:
                self.supervisor.down()
            raise
        self.supervisor.run(self.postgres.program(DATABASE, priority=10))
        self.supervisor.run(Program(ROUTER, tuple(self.router.command()), self.directory / "router", {}, priority=20))
        self.postgres.wait_ready(log_tail=lambda: self.supervisor.log_tail(DATABASE))
        self.postgres.create_database(self.app, self.app)
        self._await_router()

    def _refuse_taken_port(self) -> None:
        router = self.supervisor.state(ROUTER)
        ours = router is not None and router.state in (State.RUNNING, State.STARTING)
        if not ours and not is_free(self.settings.port, self.settings.host):
            who = who_listens(self.settings.port) or "another process"
            raise ConfigError(
                f"{self.name}: port {self.settings.port} is taken by {who}; stop it, or set "
                f"SLIPWAY_{self.name.upper()}_PORT to a free one"
            )

    def _await_router(self) -> None:
        deadline = time.monotonic() + 15
        while not self.router.ready():
            if time.monotonic() > deadline:
                raise RouterError(f"{self.name}: the router did not start:\n{self.supervisor.log_tail(ROUTER)}")
            time.sleep(0.05)
