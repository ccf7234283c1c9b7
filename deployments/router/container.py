"""The router in a container of its own: Envoy with host networking, on the same files as the embedded one.

It is replaced while it serves by another on the same ports (SO_REUSEPORT), which the kernel allows to programs of one
uid. So that is done only as root: then the router has a uid that nobody else has. An ordinary user's router has the uid
of the apps, shares its ports with nobody, and is replaced with a gap of a second or so.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deployments.router import admin as envoy_admin
from deployments.router.router import DRAIN_TIME_S, Envoy
from host.docker.containers import Container
from host.docker.engine import Engine
from host.errors import ConfigError, RouterError
from host.resources.starts import Start
from host.wait import wait_for

START_TIMEOUT_S = 60
SERVES_TIMEOUT_S = 60
POLL_S = 0.1
MARK, UID = "slipway.router", "slipway.router.uid"
OLD = "-old"
MEMORY = "256m"


@dataclass(frozen=True)
class RouterContainer:
    """One environment's. It runs as the router's uid, which as root is its own, and sees its own files alone."""

    engine: Engine
    name: str
    labels: Mapping[str, str]
    image: str

    def running(self) -> bool:
        """Return whether it runs."""
        found = self._mine()
        return found is not None and found.state == "running"

    def outdated(self, envoy: Envoy) -> bool:
        """Return whether one runs that listens in another way or is of another image than it should be now."""
        found = self._mine()
        return found is not None and found.state == "running" and found.labels.get(MARK) != self._mark(envoy)

    def _mark(self, envoy: Envoy) -> str:
        image = self.engine.image(self.image)
        return f"{envoy.mark}-{image['Id'].partition(':')[2][:12] if image else 'absent'}"

    def up(self, envoy: Envoy) -> None:
        """Start it unless it runs; the engine restarts it from here on. RouterError: the engine's reason.

        What an interrupted replacement left is ended: the one that this one was to replace.
        """
        found = self._mine()
        if found is None or found.state != "running":
            if found:
                self.engine.remove([found])
            self._start(envoy)
        if self._mine(OLD):
            self._await(envoy)
            self._retire(envoy, 0)

    def replace(self, envoy: Envoy, drain_s: float) -> None:
        """Start another beside the one that runs, on the same ports, and let the old one finish what it has.

        No request is lost: the kernel shares out new connections until the old one takes none; streams that are open
        after `drain_s` end. Where ports are not shared, or not with another uid, the new one takes the old one's place
        instead, and what is open is cut. Raises RouterError if the new one does not serve: then it is gone, and the old
        one goes on.
        """
        found = self._mine()
        if not envoy.edge.shared or found and found.labels.get(UID) != str(envoy.uid):
            self._swap(envoy)
            return
        old_socket = _old_socket(envoy)
        os.replace(envoy.admin_socket, old_socket)
        self.engine.rename(self.name, self.name + OLD)
        try:
            self._start(envoy)
            self._await(envoy)
        except BaseException:
            if failed := self._mine():
                self.engine.remove([failed])
            self.engine.rename(self.name + OLD, self.name)
            os.replace(old_socket, envoy.admin_socket)
            raise
        self._retire(envoy, drain_s)

    def _swap(self, envoy: Envoy) -> None:
        """Stop the one that runs and start another. Raises RouterError if that does not serve: the old one is back."""
        self.engine.rename(self.name, self.name + OLD)
        old = [one for one in [self._mine(OLD)] if one]
        try:
            self.engine.stop(old, START_TIMEOUT_S)
            self._start(envoy)
            self._await(envoy)
        except BaseException:
            if failed := self._mine():
                self.engine.remove([failed])
            self.engine.rename(self.name + OLD, self.name)
            self.engine.start(old)
            raise
        self.engine.remove(old)

    def _await(self, envoy: Envoy) -> None:
        start = Start(SERVES_TIMEOUT_S, self._pids)
        while not envoy.ready():
            mine = self._mine()
            if (mine is None or mine.state != "exited") and not start.over():
                time.sleep(POLL_S)
                continue
            raise RouterError(f"the new router does not serve, the old one goes on: {self.last_words()[-600:]}")

    def _pids(self) -> list[int]:
        return [one.pid for one in [self._mine()] if one and one.pid]

    def _retire(self, envoy: Envoy, drain_s: float) -> None:
        """Have the replaced one take no more connections, wait until it has none, and remove it."""
        old_socket = _old_socket(envoy)
        with suppress(RouterError), envoy_admin.connect(old_socket) as admin:  # it may be dead already
            admin.leave()
            time.sleep(DRAIN_TIME_S + 1)  # until then it takes connections
            wait_for(lambda: admin.serving() == (0, 0), drain_s, POLL_S)
        old = self._mine(OLD)
        self.engine.stop([old] if old else [], START_TIMEOUT_S)
        self.engine.remove([old] if old else [])
        old_socket.unlink(missing_ok=True)

    def _start(self, envoy: Envoy) -> None:
        """Directories, not files, are mounted: a renamed file is seen only in a directory."""
        code, output, errors = self.engine.run(self._command(envoy), {}, START_TIMEOUT_S)
        if code:
            raise RouterError(f"the router's container could not be started: {(errors or output).strip()[-600:]}")

    def _command(self, envoy: Envoy) -> list[str]:
        labels = {**self.labels, "slipway.role": "router", MARK: self._mark(envoy), UID: str(envoy.uid)}
        own, sockets = envoy.directory, envoy.admin_socket.parent
        mounted = (f"{own}:{own}:ro", f"{sockets}:{sockets}")
        return [
            *("run", "-d", "--name", self.name, "--network", "host", "--restart", "unless-stopped"),
            *("--user", f"{envoy.uid}:{envoy.group}", "--read-only", "--cap-drop", "ALL", "--memory", MEMORY),
            *(("--cap-add", "NET_BIND_SERVICE") if envoy.edge.low else ()),
            *("--security-opt", "no-new-privileges", "--log-opt", "max-size=10m", "--log-opt", "max-file=3"),
            *(word for key, value in labels.items() for word in ("--label", f"{key}={value}")),
            *(word for path in mounted for word in ("--volume", path)),
            *("--entrypoint", "envoy", self.image, *envoy.arguments()),
        ]

    def last_words(self) -> str:
        """Return what it printed last."""
        found = self._mine()
        return self.engine.log_tail(found, 15) if found else f"there is no container {self.name}"

    def _mine(self, suffix: str = "") -> Container | None:
        found = self.engine.container(self.name + suffix)
        if found and not all(found.labels.get(key) == value for key, value in self.labels.items()):
            raise ConfigError(
                f"the container {self.name}{suffix} is not Slipway's; it was left alone. Rename it, remove it, or set "
                "PROJECT"
            )
        return found


def _old_socket(envoy: Envoy) -> Path:
    """Return where the replaced router is asked: a socket can be renamed while it is listened on."""
    return envoy.admin_socket.with_name("envoy-old.sock")
