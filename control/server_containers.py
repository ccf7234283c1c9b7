"""Prefect's server in containers: API, background services, PostgreSQL and Redis of docker-compose.server.yml."""

import hashlib
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from host.docker.containers import Container
from host.docker.engine import Engine
from host.docker.healthy import await_healthy, told
from host.docker.labels import PROJECT, owner
from host.errors import ToolError
from host.files import read_or_create, write_atomically
from host.home import CHECKOUT, Home

NAME = "prefect-server"
IMAGE = "slipway-server"
COMPOSE_FILE = CHECKOUT / "docker" / "docker-compose.server.yml"
# What the server's image is made of: another content is another image.
SOURCES = ("docker/server.Dockerfile", "docker/server.sh", "requirements/server.lock")
PREFECTS = ("server", "services")
SERVICES = (*PREFECTS, "postgres", "redis")
BUILD_TIMEOUT_S = 900
UP_S = 600  # compose itself waits for those that others depend on
HEALTHY_S = 180
STOP_S = 60.0


@dataclass(frozen=True)
class ServerStack:
    """The containers of one installation's server, which answers on 127.0.0.1. Making one changes nothing."""

    home: Home
    port: int
    engine: Engine

    kind = "compose"
    programs = ()

    @property
    def directory(self) -> Path:
        """Return where the secrets lie that the containers read; it is there once the stack was started."""
        return self.home.root / NAME

    @property
    def project(self) -> str:
        return f"slipway-{NAME}-{owner(self.home.root, NAME)['slipway.home'][:8]}"

    @property
    def labels(self) -> dict[str, str]:
        return {PROJECT: self.project}

    @cached_property
    def image(self) -> str:
        """Return the image's name, which tells its content."""
        digest = hashlib.sha256()
        for name in SOURCES:
            digest.update(name.encode() + b"\0" + (CHECKOUT / name).read_bytes())
        return f"{IMAGE}:{digest.hexdigest()[:12]}"

    def up(self, auth: str) -> None:
        """Build the image unless it is there, start everything, and wait until it is healthy. Safe to repeat.

        ToolError: no engine, an image that cannot be had, or the last words of what did not come up.
        """
        self._prepare(auth)
        if self.engine.image(self.image) is None:
            self._compose(["build", "server"], BUILD_TIMEOUT_S)
        up = ["up", "-d", "--no-build"]
        if why := await_healthy(self.engine, lambda: self._said(up, UP_S), self.containers, HEALTHY_S):
            raise ToolError(f"the Prefect server's containers could not be started: {why}")

    def _prepare(self, auth: str) -> None:
        """Write the secrets: readable inside a directory that nobody else enters, since containers have other users."""
        password = read_or_create(
            self.home.keys / "prefect-database-password", lambda: secrets.token_urlsafe(24).encode()
        ).decode()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        values = {"prefect_auth": auth, "prefect_database_password": password}
        for name, value in values.items():
            file = self.directory / name
            # The file is mounted, not its name: a new one would not be seen by a container that runs.
            if not file.exists() or file.read_text(encoding="utf-8") != value + "\n":
                write_atomically(file, f"{value}\n".encode(), mode=0o444)

    def _compose(self, words: list[str], timeout_s: float) -> None:
        if said := self._said(words, timeout_s):
            raise ToolError(f"the Prefect server's containers could not be started: {said}\n{self.last_words()}")

    def _said(self, words: list[str], timeout_s: float) -> str:
        """Run compose; return what it said, "" when it was content."""
        argv = ["compose", "--progress", "quiet", "-p", self.project, "-f", str(COMPOSE_FILE), *words]
        code, output, errors = self.engine.run(argv, self._environment(), timeout_s)
        return (errors or output).strip()[-600:] or f"exit code {code}" if code else ""

    def _environment(self) -> dict[str, str]:
        return {
            "SLIPWAY_SERVER_IMAGE": self.image,
            "SLIPWAY_SERVER_SECRETS": str(self.directory),
            "SLIPWAY_PREFECT_PORT": str(self.port),
            "PREFECT_UI_API_URL": f"http://127.0.0.1:{self.port}/api",
        }

    def last_words(self) -> str:
        """Return what each container that is not well printed last, "" when all are."""
        sick = [one for one in self.containers() if one.state != "running" or one.health not in ("", "healthy")]
        return told(self.engine, sick)

    def containers(self) -> list[Container]:
        """Return its containers, running or not. Raises ToolError if the engine does not answer."""
        return self.engine.containers(self.labels)

    def running(self) -> bool:
        """Return whether its API's container runs, whether or not it answers. False as well when no engine answers."""
        if not self.directory.exists():
            return False
        try:
            return any(one.service == "server" and one.state == "running" for one in self.containers())
        except ToolError:
            return False

    def down(self) -> None:
        """Stop it, what needs the databases first; data is kept. Nothing to do where it never was started."""
        if not self.directory.exists():
            return
        running = [one for one in self.containers() if one.state == "running"]
        for some in (PREFECTS, ("postgres", "redis")):
            self.engine.stop([one for one in running if one.service in some], STOP_S)

    def prune(self) -> list[str]:
        """Remove the images of earlier content that no container uses; return their names. ToolError: no engine.

        Nothing to do where it never was started.
        """
        if not self.directory.exists():
            return []
        return [one for one in self.engine.names(IMAGE) if one != self.image and self.engine.remove_image(one)]

    def remove(self) -> None:
        """Remove its containers, networks and volumes, the history of runs with them. For tests."""
        self.engine.remove(self.containers())
        self.engine.remove_networks(self.labels)
        self.engine.remove_volumes(self.labels)
