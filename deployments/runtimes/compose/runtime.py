"""Runtime `compose`: a slot is a compose project of an artifact's image, reached on a port of 127.0.0.1.

    PROJECT-blue, PROJECT-green   the services labelled `slipway.role: slot`
    PROJECT-singleton             those labelled `singleton`, of the live version only
    PROJECT-shared                those labelled `shared`: started once, never recreated by a release
    PROJECT-task                  a one-off container: a migration, those labelled `task`

PROJECT is the setting of that name, else <app>-<environment>. Containers are ours by label (home and environment).
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from deployments.candidate import Artifact, read_artifact
from deployments.journal.lease import Lease
from deployments.journal.ledger import Ledger
from deployments.place import Place
from deployments.runtimes import beside, one_off
from deployments.runtimes.compose import files
from deployments.runtimes.compose.databases import SharedDatabase, postgres_service
from deployments.runtimes.compose.entrypoints import self_migrating
from deployments.runtimes.compose.exit_reasons import RUNNING, ending
from deployments.runtimes.compose.files import Names, Settled
from deployments.runtimes.compose.images import images_run, refuse_unbuilt, unlike_the_image
from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.left_out import left_out, untaken
from deployments.runtimes.compose.model import Stack, read_stack
from deployments.runtimes.compose.mounts import absent, covering
from deployments.runtimes.compose.obstacles import obstacles, refused, taken_ports
from deployments.runtimes.compose.preconditions import (
    disk_problems,
    fetch_image,
    image_of,
    image_problems,
    live_restore_problems,
    orphan_problems,
)
from deployments.runtimes.compose.problems import Unusable
from deployments.runtimes.compose.projects import ENGINE_FILE, Projects
from deployments.runtimes.compose.read import read_model
from deployments.runtimes.compose.secrets import Secrets
from deployments.runtimes.compose.tasks import in_order, timeout_of
from deployments.runtimes.layout import Installed, Layout, app_secrets
from evidence.bundle import Image
from gates.compose_roles import Role
from gates.release.operation import Live
from gates.release.verification import Usage
from host.docker.containers import Container
from host.docker.engine import Engine
from host.docker.healthy import await_healthy
from host.docker.labels import owner
from host.errors import ArtifactError, ConfigError, SlipwayError, ToolError
from host.files import write_atomically
from host.home import CHECKOUT
from host.listeners import listening_at, of_user, refuse
from host.masking import masked
from host.ports import LOCAL, Endpoint, Endpoints, free_port

POLL_S = 0.1
LOOPING_S = 10.0
LAST_LINES = 15
SHARED_UP_S = 600  # compose itself waits for those that others depend on
SHARED_WAIT_S = 120
ENGINE_WAIT_S = 90
# A migration that waits for a lock makes every later query of that table wait behind it.
LOCK_TIMEOUT = {"PGOPTIONS": "-c lock_timeout=5s"}


class ComposeRuntime:
    """Migrates, starts and stops artifacts as compose projects on one engine."""

    runs_images: ClassVar[bool] = True

    def __init__(self, place: Place) -> None:
        self.place = place
        self.engine = Engine(place.settings.docker_host, self.registry_login)
        self.database = SharedDatabase(self.engine, self._postgres)
        self._layout = Layout(place, runs_here=False)
        self._stacks: dict[str, Stack] = {}
        self._left_out: dict[str, list[str]] = {}

    @property
    def orchestrator(self) -> "ComposeRuntime":
        return self

    @property
    def registry_login(self) -> Path:
        return self.place.directory / "compose" / "registry"

    @cached_property
    def names(self) -> Names:
        """Return how everything of this environment is called on its engine."""
        return Names(self.place.project, owner(self.place.home.root, self.place.name))

    @cached_property
    def projects(self) -> Projects:
        return Projects(self.engine, self.names, self.place.directory / "compose")

    @cached_property
    def secrets(self) -> Secrets:
        return Secrets(self.place, self.projects.directory / "secrets")

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        """Look at engine, disk, image and compose file."""
        found: list[str] = []
        try:
            info = self.engine.info()
            found += disk_problems(Path(info.get("DockerRootDir") or "/"), self.place.settings.min_free_disk_mb)
            found += live_restore_problems(info) if self.place.settings.require_live_restore else []
            found += self._orphans()
            if artifact:
                found += image_problems(self.engine, image_of(artifact))
                installed = self._layout.unpack(artifact)
                stack = self.stack(installed)
                found += [*self.file_problems(installed, stack), *self.image_problems(installed, stack)]
                found += [why for file in self.made(installed, stack) for why in self.obstacles(file)]
        except Unusable as error:
            return [*found, *error.folded]
        except SlipwayError as error:
            return [*found, str(error)]
        return found

    def file_problems(self, installed: Installed, stack: Stack) -> list[str]:
        """Return what is wrong with the files that would run, as far as no engine needs to be asked."""
        found = self.secrets.missing(stack.model.get("secrets") or {})
        found += absent(stack, self.reach(installed))
        if self.place.settings.backup_before_migration:
            try:
                postgres_service(stack)
            except ConfigError as error:
                found.append(str(error))
        secrets = self.place.settings.secrets
        return found + [why for file in self.made(installed, stack) for why in refused(self.projects, file, secrets)]

    def obstacles(self, file: Mapping[str, Any]) -> list[str]:
        """Return what the engine has already that a file needs: names, volumes, networks, ports."""
        ports = taken_ports(self.projects, file) if file["name"] == self.names.shared else ()
        return [*obstacles(self.projects, file), *ports]

    def image_problems(self, installed: Installed, stack: Stack) -> list[str]:
        """Return which services the artifact has no image for, and what is wrong in the images that are here."""
        return [*self._without_image(installed, stack), *self._of_images(installed, stack)]

    def _orphans(self) -> list[str]:
        """Say that there is data of ours from before this state directory; its passwords are lost."""
        known = self.projects.file(self.names.shared).exists() or any(
            one.ended for one in self.place.ledger().operations
        )
        return [] if known else orphan_problems(self.engine.volumes(self.names.owner))

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        """Say what a restart of the engine would do, which secrets nobody takes, and what environments share."""
        try:
            found = live_restore_problems(self.engine.info())
        except ToolError as error:
            found = [str(error)]
        if artifact:
            # What is wrong with the file is one of the problems.
            with suppress(ConfigError, ArtifactError):
                stack = self.stack(self._layout.unpack(artifact))
                found += beside(stack.services(Role.SLOT), stack.services(Role.SINGLETON))
                if unused := ", ".join(artifact.bundle.run.processes):
                    found.append(f"Not run here: {unused} of [run.processes]; the compose file says what runs.")
                secrets = untaken(stack, self.place.settings.secrets)
                found += [f"No container gets SECRET_{name}: the compose file does not name it." for name in secrets]
        return found

    def wait_ready(self) -> None:
        self.engine.wait(ENGINE_WAIT_S)

    def prepare(self) -> None:
        """Ask the engine, so that `up` fails at once when it is away."""
        self.engine.info()
        self.projects.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self.projects.directory / ENGINE_FILE, self.engine.host.encode())

    def up(self, ledger: Ledger) -> None:
        """Start the shared services and slots that a stop of everything, or of the engine, ended."""
        wanted = {self.names.slot(name): slot for name, slot in ledger.slots.items() if slot.running}
        down = [
            one
            for one in self.projects.all()
            if one.state != "running"
            and (one.labels["slipway.role"] != Role.SLOT or one.labels.get("com.docker.compose.project") in wanted)
            and one.labels.get("com.docker.compose.project") != self.names.task
        ]
        shared = [one for one in down if one.labels["slipway.role"] == Role.SHARED]
        self.engine.start(shared)
        self.engine.start([one for one in down if one not in shared])

    def install(self, artifact: Artifact) -> Installed:
        installed = self._layout.install(artifact)
        fetch_image(self.engine, image_of(artifact), artifact.digest)
        # Preflight could not look into an image that only a registry had.
        if wrong := self._of_images(installed, self.stack(installed)):
            raise ConfigError("; ".join(wrong))
        return installed

    def _of_images(self, installed: Installed, stack: Stack) -> list[str]:
        """Return what can be told to be wrong once the images are on the engine."""
        images = self._images(installed, stack)
        found = self_migrating(self.engine, stack, images)
        return [*found, *covering(self.engine, images, stack, self.reach(installed))]

    def installed(self, artifact: Artifact) -> Installed:
        return self._layout.installed(artifact)

    def stack(self, installed: Installed) -> Stack:
        """Return the artifact's compose file for this environment, read and checked. Raises ConfigError if it is
        unusable.
        """
        if installed.digest not in self._stacks:
            self._stacks[installed.digest] = self._read_stack(installed)
        return self._stacks[installed.digest]

    def _read_stack(self, installed: Installed) -> Stack:
        image = image_of(installed)
        name = image.compose.get(self.place.name)
        if name is None:
            raise ConfigError(
                f"{installed.bundle.version} has no compose file for {self.place.name}; name one in [image.compose] of "
                "config/pipeline.toml and build again"
            )
        file = installed.source / name
        secrets = self.place.settings.secrets
        model, kept_out, self._left_out[installed.digest] = read_model(
            self.engine, file, installed.source, self.names.project, self._settings(image), secrets
        )
        stack = read_stack(model, name, self.reach(installed), kept_out)
        refuse_unbuilt(image, self.place.name, stack)
        return stack

    def _without_image(self, installed: Installed, stack: Stack) -> list[str]:
        """Return which services the artifact has no image for. One that was live here goes on as it was: it is what a
        rollback leads to.
        """
        if installed.digest in self.place.ledger().promoted:
            return []
        return unlike_the_image(image_of(installed), self.place.name, stack)

    def _images(self, installed: Installed, stack: Stack) -> dict[str, str]:
        return images_run(image_of(installed), self.place.name, stack)

    def reach(self, installed: Installed) -> Reach:
        """Return what this environment lets a file reach."""
        settings, home = self.place.settings, self.place.home
        return Reach(
            self.names.project,
            str(installed.source.resolve()),
            settings.binds,
            settings.external,
            {*settings.app, *settings.secrets},
            (str(home.root), str(home.store), str(CHECKOUT)),
        )

    def _settings(self, image: Image) -> dict[str, str]:
        return {**self.place.settings.app, "SLIPWAY_IMAGE": image.id}

    def settled(self, installed: Installed, stack: Stack) -> Settled:
        """Return what this environment adds to the team's file."""
        image = image_of(installed)
        used = self.secrets.paths(stack.model.get("secrets") or {})
        settings, source = self.place.settings, str(installed.source.resolve())
        images = self._images(installed, stack)
        return Settled(self.names, image.id, installed.digest, settings.app, used, source, settings.external, images)

    def left_out(self, installed: Installed) -> list[str]:
        """Return what the files that would run do not have of the team's file, one line each with why."""
        stack = self.stack(installed)
        return [*self._left_out[installed.digest], *left_out(stack, self.reach(installed))]

    def laid_out(self, artifact: Artifact) -> Installed:
        """Return an artifact whose files lie here; its environments need not."""
        return self._layout.unpack(artifact)

    def made(self, installed: Installed, stack: Stack) -> list[dict[str, Any]]:
        """Return the files that this environment would run. The slot's port is chosen anew at each start."""
        settled, stop_s = self.settled(installed, stack), installed.bundle.run.stop_seconds
        made = [files.slot_file(stack, settled, self.place.ledger().idle_slot, free_port(), stop_s)]
        made += [files.singleton_file(stack, settled, stop_s)] * bool(stack.services(Role.SINGLETON))
        made += [files.shared_file(stack, settled)] * bool(stack.services(Role.SHARED))
        made += [files.one_shot_file(stack, settled, name, stop_s) for name in stack.services(Role.TASK)]
        return made

    def _up(self, file: Mapping[str, Any], *options: str, timeout_s: float = 180) -> None:
        self.secrets.write(file.get("secrets") or ())
        try:
            self.projects.up(file, self.secrets.environment(), *options, timeout_s=timeout_s)
        except ToolError as error:
            raise ToolError(self._masked(str(error))) from error

    def share(self, installed: Installed) -> None:
        """Have the shared services running and healthy. Those that are there are never recreated."""
        stack = self.stack(installed)
        names = stack.services(Role.SHARED)
        there = {one.service for one in self.projects.containers(self.names.shared) if one.state == "running"}
        if set(names) <= there:
            return
        # As they were made they could not start, and what was mended in the file would not reach them.
        self.engine.remove([one for one in self.projects.containers(self.names.shared) if one.never_ran])
        file = files.shared_file(stack, self.settled(installed, stack))
        up = partial(self._said, file, "--no-recreate")
        if why := await_healthy(self.engine, up, partial(self.projects.containers, self.names.shared), SHARED_WAIT_S):
            raise ToolError(f"{self._masked(why)}{self._kept_as_they_are()}")

    def _said(self, file: Mapping[str, Any], *options: str) -> str:
        """Start a project; return what compose said, "" when it was content."""
        try:
            self._up(file, *options, timeout_s=SHARED_UP_S)
        except ToolError as error:
            return str(error)
        return ""

    def _kept_as_they_are(self) -> str:
        """Return the way out for shared containers that ran and do not work: they may hold data."""
        kept = [
            f"{one.name} ({one.health or one.state})"
            for one in self.projects.containers(self.names.shared)
            if not one.never_ran and (one.state != "running" or one.health not in ("", "healthy"))
        ]
        names = " ".join(one.partition(" ")[0] for one in kept)
        return (
            f"; no release makes a shared container anew: what is mended in the file reaches {', '.join(kept)} after "
            f"docker rm -f {names} (named volumes stay)" * bool(kept)
        )

    def migrate(self, installed: Installed, lease: Lease) -> str:
        """Run the artifact's migration in a one-off container of its image, after the shared services are up."""
        self.share(installed)
        once = partial(self._once, installed)
        return one_off.migrate(installed.bundle.run, once, LOCK_TIMEOUT, self.place.settings.migration_timeout_seconds)

    def seed(self, installed: Installed, kind: str, lease: Lease) -> str:
        once = partial(self._once, installed)
        return one_off.seed(installed.bundle.run, kind, once, self.place.settings.seed_timeout_seconds)

    def run_tasks(self, installed: Installed, lease: Lease) -> str:
        """Run the services that are tasks, one after another, in the order that their dependencies want."""
        stack = self.stack(installed)
        names = in_order(stack.model["services"], stack.services(Role.TASK))
        if not names:
            return "there are no tasks"
        self.share(installed)
        settled, stop_s = self.settled(installed, stack), installed.bundle.run.stop_seconds
        said = []
        for name in names:
            file, timeout_s = files.one_shot_file(stack, settled, name, stop_s), timeout_of(stack.service(name))
            wrong, output = self._to_its_end(file, timeout_s)
            if wrong:
                raise ToolError(f"task {name}: it {wrong}; it said: {output[-1500:] or 'nothing'}")
            said.append(f"{name}: {(output.splitlines() or ['done'])[-1][:200]}")
        return "; ".join(said)

    def _once(
        self, installed: Installed, command: Sequence[str], env: Mapping[str, str], timeout_s: float
    ) -> tuple[str, str]:
        """Run a command in a one-off container; return how that ended when it was not good, and what it printed."""
        stack = self.stack(installed)
        return self._to_its_end(files.task_file(stack, self.settled(installed, stack), command, env), timeout_s)

    def _to_its_end(self, file: Mapping[str, Any], timeout_s: float) -> tuple[str, str]:
        """Run the one service of a file; return how it ended when that was not good, and what it printed."""
        self.tidy()
        try:
            self._up(file)
            ended, said = self._await_task(timeout_s)
        finally:
            self.tidy()
        if ended is None:
            return f"did not end within {timeout_s:g} s and was stopped", said
        return (ending(ended) if ended.exit_code or ended.oom else ""), said

    def _await_task(self, timeout_s: float) -> tuple[Container | None, str]:
        deadline = time.monotonic() + timeout_s
        while True:
            found = self.projects.containers(self.names.task)
            over = not found or found[0].state in ("exited", "dead")
            if over or time.monotonic() > deadline:
                said = self._masked(self.engine.log_tail(found[0], 200)) if found else ""
                return (found[0] if found and over else None), said
            time.sleep(POLL_S)

    def _postgres(self, installed: Installed) -> Container:
        """Return the running container of the shared PostgreSQL."""
        self.share(installed)
        name = postgres_service(self.stack(installed))
        found = [one for one in self.projects.containers(self.names.shared) if one.service == name]
        if not found:
            raise ToolError(f"there is no container of the shared service {name}")
        return found[0]

    def tidy(self) -> None:
        """Remove the one-off container of a release that was killed: a migration must not run on beside a restore."""
        self.projects.remove(self.names.task, 0)

    def choose_endpoints(self) -> Endpoints:
        return (Endpoint(LOCAL, free_port()),)

    def start(self, slot: str, installed: Installed, endpoints: Endpoints) -> None:
        """Start the artifact's slot services. Restart policies keep them running across our death and a reboot."""
        self.share(installed)
        stack = self.stack(installed)
        port, stop_s = endpoints[0].port, installed.bundle.run.stop_seconds
        file = files.slot_file(stack, self.settled(installed, stack), slot, port, stop_s)
        self._up(file)
        images = self._images(installed, stack)
        for one in self.projects.containers(self.names.slot(slot)):
            if one.image != images.get(one.service, one.image):
                wanted = images[one.service][:19]
                raise ArtifactError(f"{one.name} runs {one.image[:19]}, expected {wanted}; nothing was switched")

    def restart(self, slot: str) -> None:
        self.engine.restart(self.projects.containers(self.names.slot(slot)), self._grace_s())

    def stop(self, slot: str) -> None:
        self.projects.remove(self.names.slot(slot), self._grace_s())

    def _grace_s(self) -> float:
        return max(self.place.settings.drain_seconds, 60)

    def gone(self, slot: str, since: str | None = None) -> str | None:
        """Return which container of a slot is not running, how it ended, and its last lines, masked.

        `since`: also one that died and that the engine started again, and one that is no more.
        """
        found = self.projects.containers(self.names.slot(slot))
        if not found:
            return f"there is no container of {self.names.slot(slot)}"
        known = since.split(",") if since is not None else [_mark(one) for one in found]
        for one in found:
            why = self._death(one)
            if why is None and _mark(one) not in known:
                why = f"{one.service} {ending(self.engine.last_death(one))}, and the engine started it again"
            if why:
                said = self._masked(self.engine.log_tail(one, LAST_LINES))
                return f"{why}; it said: {said or 'nothing'}"
        return "a container of it is gone" if set(known) - {_mark(one) for one in found} else None

    def generation(self, slot: str) -> str:
        """What a restart of the engine starts anew has died of nothing, and keeps its mark."""
        return ",".join(_mark(one) for one in self.projects.containers(self.names.slot(slot)))

    def listening(self, slot: str, endpoints: Endpoints, *, alone: bool) -> frozenset[str]:
        """Return the containers of the slot for which the engine listens at the endpoints, which are on 127.0.0.1.

        The socket there is the engine's (docker-proxy, rootlesskit, or none where the kernel forwards alone), never a
        process of the slot's. So two things are asked: the engine whether it holds the port for a running container of
        the slot, which it can only while nobody else does; and the kernel whether every socket there is of the
        engine's user. Inside, each container has a network of its own, in which no other program listens.
        """
        running = [one for one in self.projects.containers(self.names.slot(slot)) if one.state == "running"]
        found = []
        for endpoint in endpoints:
            ours = [one.id for one in running if str(endpoint) in one.published]
            refuse([one for one in listening_at(endpoint, alone=alone) if not (ours and of_user(one, self.engine.uid))])
            found.append(ours)
        return frozenset(one for ours in found for one in ours) if all(found) else frozenset()

    def _death(self, container: Container) -> str | None:
        if container.state == "restarting" or _loops(container):
            container = self.engine.last_death(container)
            return f"{container.service} {ending(container)} and is started again and again"
        return None if container.state in RUNNING else f"{container.service} {ending(container)}"

    def restarted_from_outside(self, slot: str, since: datetime) -> str | None:
        """A container that died by itself is counted as restarted; one that a restart of the engine ended is not."""
        for one in self.projects.containers(self.names.slot(slot)):
            if one.restarts == 0 and one.started_at() > since:
                return f"{one.service} was started anew from outside, as when the engine at {self.engine.name} restarts"
        return None

    def follow(self, live: Live | None) -> None:
        """Have exactly the live version's singletons: those of another are stopped before these start."""
        found = self.projects.containers(self.names.singleton)
        digest = live.version.digest if live else None
        right = [one for one in found if one.labels.get("slipway.digest") == digest and one.state == "running"]
        if live is None or (found and len(right) < len(found)):
            self.projects.remove(self.names.singleton, self._grace_s())
            right = []
        if live is None or right:
            return
        installed = self.installed(read_artifact(self.place.store, live.version.digest))
        stack = self.stack(installed)
        if stack.services(Role.SINGLETON):
            stop_s = installed.bundle.run.stop_seconds
            self._up(files.singleton_file(stack, self.settled(installed, stack), stop_s))

    def programs(self, slot: str | None = None) -> Mapping[str, str]:
        project = self.names.slot(slot) if slot else self.names.singleton
        return {one.service: "restarting" if _loops(one) else one.state for one in self.projects.containers(project)}

    def usage(self, slot: str) -> tuple[Usage, ...]:
        """Return what each container of a slot uses of its limits."""
        return tuple(self.engine.usage(one) for one in self.projects.containers(self.names.slot(slot)))

    def _masked(self, text: str) -> str:
        return masked(text, app_secrets(self.place, self.database.secrets()))


def _mark(container: Container) -> str:
    return f"{container.id[:12]}-{container.restarts}"


def _loops(container: Container) -> bool:
    """Say whether a container was restarted by the engine and runs for a few seconds only."""
    return container.restarts > 0 and container.age_s() < LOOPING_S
