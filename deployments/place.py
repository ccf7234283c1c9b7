"""What one environment has on this host: its settings, journal, lease, supervisor, router, store and secrets."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import quote

from deployments.journal import lease as leases
from deployments.journal.journal import Journal
from deployments.journal.ledger import Ledger, read_ledger
from deployments.router.bootstrap import Edge
from deployments.router.router import Envoy
from evidence.bundle import Run
from evidence.signing import Keys
from evidence.store import Store
from gates.release.health_rules import HealthRules
from host.errors import ConfigError
from host.files import read_or_create, write_atomically
from host.home import Home
from host.ports import free_port, loopback_twin
from host.sandbox.uids import router_uid
from host.supervisor.supervisor import Supervisor
from settings.environment import Settings, read_settings
from settings.secret_references import TEMPLATE_NAME
from settings.targets import Target


@dataclass(frozen=True)
class Place:
    """An environment's place: a directory on local disk. Opening one changes nothing."""

    target: Target
    home: Home
    settings: Settings
    app: str

    @classmethod
    def open(cls, target: Target, app: str, home: Home | None = None, config: Path | None = None) -> Self:
        """Read the environment's settings, whole. Raises ConfigError if any of them is wrong."""
        return cls(target, home or Home.find(), read_settings(target, config), app)

    @property
    def name(self) -> str:
        return self.target.value

    @property
    def project(self) -> str:
        """Return the name under which an engine knows this environment: PROJECT, else <app>-<environment>."""
        return self.settings.project or f"{self.app}-{self.target.short}"

    @property
    def directory(self) -> Path:
        return self.home.place(self.name)

    @property
    def url(self) -> str:
        """Return the base URL for our own requests: the public address as seen from this host, without TLS."""
        return f"http://127.0.0.1:{self.router.edge.inner_port}" if self._tls else self.public_url

    @property
    def public_url(self) -> str:
        """Return the public base URL, as people on this host would type it."""
        host = self.settings.host
        if ip_address(host).is_unspecified:
            host = "127.0.0.1"
        return f"{'https' if self._tls else 'http'}://{host}:{self.settings.port}"

    def health_rules(self, run: Run) -> HealthRules:
        """Return how a version's health is asked for here: by HEALTH_HOST, and as over TLS where the router speaks it,
        for an app behind TLS sends others away to it.
        """
        rules = run.rules
        host, proto = self.settings.health_host or rules.host, "https" if self._tls else rules.forwarded_proto
        return rules.model_copy(update={"host": host, "forwarded_proto": proto})

    @property
    def _tls(self) -> bool:
        return self.settings.tls

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
        settings = self.settings
        edge = Edge(
            port=settings.port,
            host=settings.host,
            tls=self._tls,
            inner_port=self._inner_port() if self._tls else 0,
            redirect_port=settings.redirect_port,
            challenges=bool(settings.domains) and not settings.acme_dns_hook,
            trusted_hops=settings.xff_trusted_hops,
            twin=loopback_twin(settings.host),
            # Only root's router has a uid that no app has.
            shared=settings.router == "container" and os.geteuid() == 0,
        )
        return Envoy(self.directory / "router", self.sockets, edge, uid=self._router_uid(edge))

    def _router_uid(self, edge: Edge) -> int:
        """Return the uid of its own that the router has where we are root; engines give low ports to root alone."""
        if os.geteuid() != 0 or self.settings.router == "container" and edge.low:
            return os.geteuid()
        return router_uid(self.home, self.name)

    def _inner_port(self) -> int:
        """Return the port of 127.0.0.1 on which a router with TLS takes our own requests, chosen once."""
        file = self.directory / "inner.port"
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return int(read_or_create(file, lambda: str(free_port()).encode()))

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
        """Resolve a SECRET_ setting: generated (kept 0600 in the place), file:PATH, env:NAME or template:TEXT.

        In a template, {NAME} is the value of SECRET_NAME, percent-encoded, as a URL wants it.
        """
        if reference != "generated":
            return self.resolved(f"SECRET_{name}", reference)
        file = self.directory / "secrets" / name
        read_or_create(file, lambda: secrets.token_urlsafe(32).encode())
        return self.resolved(f"SECRET_{name}", f"file:{file}")

    def resolved(self, key: str, reference: str) -> str:
        """Return the secret that a key of the environment's file refers to: file:PATH, env:NAME or template:TEXT."""
        kind, _, value = reference.partition(":")
        where = f"config/{self.name}.env: {key}"
        if kind == "template":
            return TEMPLATE_NAME.sub(lambda found: quote(self._named_secret(where, found[1]), safe=""), value)
        if kind == "env":
            if value not in os.environ:
                raise ConfigError(f"{where}: the variable {value} is not set")
            return os.environ[value]
        try:
            return Path(value).read_text(encoding="utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where}: cannot read {value}: {error}") from error

    def _named_secret(self, where: str, name: str) -> str:
        reference = self.settings.secrets.get(name, "")
        if not reference or reference.startswith("template:"):
            raise ConfigError(
                f"{where}: its template names {{{name}}}; set SECRET_{name} to generated, file:PATH or env:NAME"
            )
        return self.app_secret(name, reference)
