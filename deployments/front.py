"""An environment's front: its router, embedded or in a container, and the certificate that it serves."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from deployments.acme import Acme
from deployments.place import Place
from deployments.router.certificates import PLACEHOLDER, Certificate, placeholder, read_certificate
from deployments.router.container import RouterContainer
from gates.release.certificates import ends_soon
from host.docker.engine import Engine
from host.docker.labels import owner
from host.errors import ConfigError, LeaseHeld, RouterError
from host.ports import is_free, needs_rights, who_listens
from host.supervisor.program import Program
from host.supervisor.readiness import await_ready

ROUTER = "router"
START_S = 60


class Front:
    """Starts the router, replaces it while it serves, and keeps its certificate fresh. Made by its place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._container = self._made_container()

    def _made_container(self) -> RouterContainer | None:
        """Return the router's container, None where the supervisor runs the router."""
        place = self.place
        if place.settings.router == "embedded":
            return None
        labels = owner(place.home.root, place.name)
        engine = Engine(place.settings.docker_host)
        return RouterContainer(engine, f"{place.project}-router", labels, place.settings.router_image)

    def up(self) -> None:
        """Start the router unless it runs as it is set to; a container that runs otherwise is replaced while it serves.

        Safe to repeat. Raises ConfigError if there is no good certificate, and never was one.
        """
        self._certify_first()
        if self._container:
            self.place.supervisor.remove(ROUTER)
            self._container_up(self._container)
        else:
            router = self.place.router
            mark = {"SLIPWAY_ROUTER": router.mark}  # a router that is to listen in another way is another program
            program = Program(ROUTER, tuple(router.command()), self.place.directory / "router", mark, priority=20)
            self.place.supervisor.run(program)

    def _container_up(self, container: RouterContainer) -> None:
        if not container.outdated(self.place.router):
            container.up(self.place.router)
            return
        # A release that is under way has its eyes on the router's figures: the next `up` replaces it.
        with suppress(LeaseHeld), self.place.lease("up: replace the router"):
            container.replace(self.place.router, self.place.settings.drain_seconds)

    def refuse_taken_ports(self) -> None:
        """Raises ConfigError if somebody else listens where the router is to, or this user may not."""
        for port in filter(needs_rights, self.place.router.edge.ports):
            raise ConfigError(
                f"{self.place.name}: this user may not listen on port {port}; as root, once: "
                f"sysctl -w net.ipv4.ip_unprivileged_port_start={port} (and a line for it in /etc/sysctl.d/), or "
                "choose a port above 1023"
            )
        edge = self.place.router.edge
        taken = [(host, port) for port in edge.ports for host in edge.hosts if not is_free(port, host)]
        if taken and not self._runs():
            host, port = taken[0]
            who = who_listens(port, host) or "another process"
            raise ConfigError(
                f"{self.place.name}: port {port} is taken by {who}, on {host}; stop it, or set "
                f"SLIPWAY_{self.place.name.upper()}_PORT to a free one"
            )

    def _runs(self) -> bool:
        if self._container and self._container.running():
            return True
        return self.place.supervisor.runs(ROUTER)

    def wait(self) -> None:
        """Wait until the router serves, for as long as it works. Raises RouterError with what it said last."""
        names = () if self._container else (ROUTER,)
        if why := await_ready(self.place.supervisor, names, self.place.router.ready, START_S, 0.05):
            said = self._container.last_words() if self._container else ""
            raise RouterError(f"{self.place.name}: the router did not start: {why}{said}")

    def _read(self) -> Certificate | None:
        settings = self.place.settings
        if not settings.tls:
            return None
        acme = Acme(self.place) if settings.domains else None
        if acme and not acme.certificate.exists():
            raise ConfigError(f"TLS_DOMAINS of {self.place.name}: {acme.missing()}")
        files = (acme.certificate, acme.key) if acme else (Path(settings.tls_certificate), Path(settings.tls_key))
        try:
            return read_certificate(*files, datetime.now(UTC))
        except ConfigError as error:
            keys = "TLS_DOMAINS" if acme else "TLS_CERTIFICATE, TLS_KEY"
            raise ConfigError(f"{keys} of {self.place.name}: {error}") from error

    def _certify_first(self) -> None:
        """Have a certificate ready before the router starts. A bad new one is refused; an old good one goes on.

        Where an authority is to give one, the router must serve first: with one that no client believes.
        """
        try:
            self.renew()
        except ConfigError:
            if self.place.router.certificate():
                return
            if not self.place.settings.domains:
                raise
            made = placeholder(self.place.settings.domains, datetime.now(UTC))
            self.place.router.certify(made.version, made.chain, made.key)

    def renew(self) -> str | None:
        """Serve the certificate that the files hold now, if it is another one. Returns what was done.

        Raises ConfigError if it is expired, does not fit its key or cannot be read; the old one goes on. RouterError:
        refused.
        """
        found = self._read()
        if found is None or found.version == self.place.router.certificate():
            return None
        seconds = self.place.router.certify(found.version, found.chain, found.key)
        return f"the certificate for {', '.join(found.names)}, until {found.ends:%Y-%m-%d}, serves ({seconds:.3f} s)"

    def problems(self) -> list[str]:
        """Return why the certificate's files cannot be served; what is served goes on."""
        try:
            self._read()
        except ConfigError as error:
            placed = self.place.router.certificate().startswith(PLACEHOLDER)
            has = "one that no client believes" if placed else "the one that it has"
            return [f"{error}; the router goes on with {has}"]
        return []

    def notes(self) -> list[str]:
        """Return what to know of the certificate that is served."""
        if not self.place.settings.tls:
            return []
        ends = self.place.router.certificate_ends()
        said = ends_soon(ends, datetime.now(UTC)) if ends else ""
        last = Acme(self.place).tried() if self.place.settings.domains else None
        late = f"{last.error}; next try at {last.next:%Y-%m-%d %H:%M} UTC" if last and last.error else ""
        return [one for one in (said, late) if one]
