"""Compose projects on an engine: written down, started, found again by label, removed. Never a stranger's."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployments.runtimes.compose.files import Names
from host.docker.containers import Container
from host.docker.engine import Engine
from host.docker.labels import PROJECT
from host.errors import ConfigError, ToolError
from host.files import write_atomically

UP_TIMEOUT_S = 180
STOP_EXTRA_S = 10
HEADER = """\
# Made by Slipway from the team's compose file; written anew at every start. Secrets stand as ${{NAME}}.
# By hand: docker compose -p {project} -f {path} ps
"""


ENGINE_FILE = "engine"


def _engine_of(directory: Path) -> Engine | None:
    file = directory / ENGINE_FILE
    return Engine(file.read_text(encoding="utf-8")) if file.exists() else None


def stop_containers(directory: Path, labels: Mapping[str, str]) -> None:
    """Stop an environment's containers, keeping them for the next start. Needs no configuration. Safe to repeat.

    `directory` is where its files lie; without one it has no containers.
    """
    if engine := _engine_of(directory):
        # One that the engine is about to start again is no running one, and would be back.
        engine.stop([one for one in engine.containers(labels) if one.state != "exited"], UP_TIMEOUT_S)


def remove_everything(directory: Path, labels: Mapping[str, str]) -> None:
    """Remove an environment's containers, networks and volumes, its data with them. For demo and tests."""
    if engine := _engine_of(directory):
        engine.remove(engine.containers(labels))
        engine.remove_networks(labels)
        engine.remove_volumes(labels)


@dataclass(frozen=True)
class Projects:
    """One environment's projects. `directory` keeps the files that run, 0600."""

    engine: Engine
    names: Names
    directory: Path

    def file(self, project: str) -> Path:
        """Return where a project's file lies."""
        return self.directory / f"{project}.yml"

    def text(self, file: Mapping[str, Any]) -> str:
        """Return a file as a person reads it."""
        body = yaml.safe_dump(dict(file), sort_keys=False, width=118, default_flow_style=False)
        return HEADER.format(project=file["name"], path=self.file(file["name"])) + body

    def up(
        self, file: Mapping[str, Any], env: Mapping[str, str], *options: str, timeout_s: float = UP_TIMEOUT_S
    ) -> None:
        """Start a project. Raises ConfigError if a stranger has one of its names. ToolError: what compose said."""
        project = file["name"]
        self.refuse_strangers(file)
        self._ensure(file)
        write_atomically(self.file(project), self.text(file).encode())
        words = ["compose", "--progress", "quiet", "-p", project, "-f", str(self.file(project)), "up", "-d"]
        code, output, errors = self.engine.run([*words, "--no-build", *options], env, timeout_s)
        if code:
            raise ToolError(f"project {project} could not be started: {(errors or output).strip()[-800:]}")

    def refuse_strangers(self, file: Mapping[str, Any]) -> None:
        """Raises ConfigError if a container that is not ours has the project's name or a name that it needs."""
        _refuse(self.strangers(file))

    def strangers(self, file: Mapping[str, Any]) -> Iterator[str]:
        """Yield which containers that are not ours have the project's name or a name that it needs."""
        project = file["name"]
        wanted = [f"{project}-{service}-1" for service in file["services"]]
        found = [one for name in wanted if (one := self.engine.container(name))]
        found += self.engine.containers({PROJECT: project})
        for one in {one.id: one for one in found}.values():
            if not self.is_ours(one):
                yield (
                    f"the container {one.name} (image {one.image[:19]}, {one.state}) has a name that {project} needs "
                    "and is not Slipway's; it was left alone. Rename it, remove it, or set PROJECT to another name"
                )

    def is_ours(self, container: Container) -> bool:
        """Say whether a container is this environment's."""
        return all(container.labels.get(key) == value for key, value in self.names.owner.items())

    def containers(self, project: str) -> list[Container]:
        """Return our containers of a project, running or not."""
        return self.engine.containers({PROJECT: project, **self.names.owner})

    def all(self) -> list[Container]:
        """Return all our containers of this environment."""
        return self.engine.containers(self.names.owner)

    def stop(self, containers: Sequence[Container], stop_s: float) -> None:
        """Stop containers: TERM, their grace period, KILL. They can be started again."""
        self.engine.stop([one for one in containers if one.state != "exited"], stop_s + STOP_EXTRA_S)

    def remove(self, project: str, stop_s: float) -> None:
        """Stop and remove our containers of a project, its own network and its file. Volumes stay. Safe to repeat."""
        containers = self.containers(project)
        self.stop(containers, stop_s)
        self.engine.remove(containers)
        self.engine.remove_networks({PROJECT: project, **self.names.owner})
        self.file(project).unlink(missing_ok=True)

    def _ensure(self, file: Mapping[str, Any]) -> None:
        """Create the networks and volumes that outlive a slot. What is there already keeps its data."""
        self.refuse_foreign(file)
        existing = file.get("x-existing") or ()
        for network in (file.get("networks") or {}).values():
            if network.get("external") and f"network/{network['name']}" not in existing:
                internal = network["name"] in (file.get("x-internal-networks") or ())
                self.engine.ensure_network(network["name"], internal, self.names.owner)
        for volume in (file.get("volumes") or {}).values():
            if f"volume/{volume['name']}" not in existing:
                options = (file.get("x-volume-options") or {}).get(volume["name"])
                self.engine.ensure_volume(volume["name"], self.names.owner, options)

    def refuse_foreign(self, file: Mapping[str, Any]) -> None:
        """Raises ConfigError if a volume or network that the file uses is another project's, whatever its name, or is
        one of COMPOSE_EXTERNAL that is not there.
        """
        _refuse(self.foreign(file))

    def foreign(self, file: Mapping[str, Any]) -> Iterator[str]:
        """Yield which volumes and networks of a file are another project's, or should be there and are not."""
        for kind in ("network", "volume"):
            for one in (file.get(f"{kind}s") or {}).values():
                if one.get("external"):
                    yield from self._foreign(kind, one["name"], file.get("x-existing") or ())

    def _foreign(self, kind: str, name: str, existing: Collection[str]) -> Iterator[str]:
        labels = self.engine.labels(kind, name)
        if f"{kind}/{name}" in existing:
            if labels is None:
                yield f"the {kind} {name} of COMPOSE_EXTERNAL is not on the engine; create it, or remove it"
            return
        owned = {**self.names.owner, PROJECT: self.names.project}
        if labels and any(labels.get(key, value) != value for key, value in owned.items()):
            whose = labels.get(PROJECT) or "another environment or installation"
            yield (
                f"the {kind} {name} is of {whose}, not of {self.names.project}; if this environment is meant to use "
                f"it, add {kind}/{name} to COMPOSE_EXTERNAL of config/<environment>.env"
            )


def _refuse(problems: Iterable[str]) -> None:
    if found := list(problems):
        raise ConfigError("; ".join(found))
