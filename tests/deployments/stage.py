"""An environment whose router and runtime are stand-ins that write down what they were told, in order."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pytest_httpserver import HTTPServer

from deployments.candidate import Artifact, read_artifact
from deployments.environment import Environment
from deployments.instance import Instance
from deployments.journal.endpoints import write_endpoints
from deployments.journal.lease import Lease
from deployments.router.router import DrainResult, Router, Routing
from deployments.runtimes.databases import OwnDatabase
from deployments.runtimes.layout import Installed
from deployments.runtimes.process import ProcessRuntime
from evidence.bundle import Image, Metrics, Run
from gates.migrations.steps import Step
from gates.release.analysis import SlotCounters
from gates.release.operation import Live, Version
from gates.release.verification import Usage
from host.databases.postgres import Postgres
from host.docker.engine import Engine
from host.errors import PortTaken, RouterError, ToolError
from host.ports import LOCAL, Endpoint, Endpoints
from tests.deployments.shop import Shop

NO_IMAGE = Image(id="sha256:" + "0" * 64)
LEASE = Lease("production", 7, "test")


class StandInRouter(Router):
    """Serves what it is told, at once."""

    def __init__(self, effects: list[str]) -> None:
        self.effects = effects
        self.routing: Routing | None = None
        self.seen: str | None = None
        self.readings: list[dict[str, SlotCounters]] = []
        self.drained = DrainResult(clean=True, seconds=0.25, still_active=0)
        self.refuses = ""
        self.drain_error = ""

    def publish(self, routing: Routing) -> float:
        if self.refuses:
            raise RouterError(self.refuses)
        live = ", ".join(routing.weights) or "nothing"
        self.effects.append(f"publish {live}" + (f", preview {routing.preview_slot}" if routing.preview_slot else ""))
        self.routing, self.seen = routing, routing.version
        return 0.002

    def version(self) -> str | None:
        return self.seen

    def counters(self) -> dict[str, SlotCounters]:
        """Return the next of `readings`; the last one again and again."""
        if len(self.readings) > 1:
            return self.readings.pop(0)
        return self.readings[0] if self.readings else {}

    def drain(self, slot: str, deadline_s: float) -> DrainResult:
        if self.drain_error:
            raise RouterError(self.drain_error)
        self.effects.append(f"drain {slot} for {deadline_s:g} s")
        return self.drained

    def ready(self) -> bool:
        return True


class StandInDatabase(OwnDatabase):
    """Nobody is told of it."""

    def variables(self, run: Run) -> Mapping[str, str]:
        return {}

    def secrets(self) -> tuple[str, ...]:
        return ()


class StandInRuntime(ProcessRuntime):
    """Runs nothing: what it starts answers at the test's own server."""

    def __init__(self, place: Environment, effects: list[str], port: int) -> None:
        super().__init__(place)
        self.orchestrator = self
        self.database = StandInDatabase(Postgres(place.directory / "postgres", place.sockets), place)
        self.effects = effects
        self.endpoints: Endpoints = (Endpoint(LOCAL, port),)
        self.deaths: dict[str, str] = {}
        self.silent = ""
        self.found: list[str] = []
        self.ready_error = ""
        self.start_error = ""
        self.dies = ""  # of what is started
        self.generations: dict[str, str] = {}
        self.strangers: list[str] = []  # each is met once
        self.sockets = frozenset({"1"})
        self.migrate_error = ""
        self.task_error = ""
        self.used: tuple[Usage, ...] = ()
        self.anew = ""
        self.workers: dict[str, str] = {}
        self.singletons: dict[str, str] = {}

    @property
    def registry_login(self) -> Path:
        return self.place.directory / "registry"

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        return []

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        return self.found

    def wait_ready(self) -> None:
        if self.ready_error:
            raise ToolError(self.ready_error)

    def install(self, artifact: Artifact) -> Installed:
        self.effects.append(f"install {artifact.bundle.version}")
        return self.installed(artifact)

    def installed(self, artifact: Artifact) -> Installed:
        return Installed(artifact.digest, artifact.bundle, self.place.home.root / "installed")

    def migrate(self, installed: Installed, lease: Lease) -> str:
        self.effects.append(f"migrate {installed.bundle.version}")
        if self.migrate_error:
            raise ToolError(self.migrate_error)
        return "migrated"

    def choose_endpoints(self) -> Endpoints:
        return self.endpoints

    def start(self, slot: str, installed: Installed, endpoints: Endpoints) -> None:
        if self.start_error:
            raise ToolError(self.start_error)
        self.effects.append(f"start {installed.bundle.version} in {slot}")
        self.deaths.pop(slot, None)
        if self.dies:
            self.deaths[slot] = self.dies

    def restart(self, slot: str) -> None:
        self.effects.append(f"restart {slot}")

    def stop(self, slot: str) -> None:
        self.effects.append(f"stop {slot}")

    def gone(self, slot: str, since: str | None = None) -> str | None:
        if self.silent:
            raise ToolError(self.silent)
        if since not in (None, self.generations.get(slot, "1")):
            return "exit 1, and started again"
        return self.deaths.get(slot)

    def generation(self, slot: str) -> str:
        return self.generations.get(slot, "1")

    def listening(self, slot: str, endpoints: Endpoints, *, alone: bool) -> frozenset[str]:
        if self.strangers:
            raise PortTaken(self.strangers.pop(0))
        return self.sockets

    def usage(self, slot: str) -> tuple[Usage, ...]:
        return self.used

    def restarted_from_outside(self, slot: str, since: datetime) -> str | None:
        return self.anew or None

    def tidy(self) -> None:
        self.effects.append("tidy")

    def run_tasks(self, installed: Installed, lease: Lease) -> str:
        self.effects.append(f"tasks of {installed.bundle.version}")
        if self.task_error:
            raise ToolError(self.task_error)
        return "init: filled"

    def programs(self, slot: str | None = None) -> Mapping[str, str]:
        return {"web": "running", **self.workers} if slot else self.singletons

    def follow(self, live: Live | None) -> None:
        self.effects.append(f"singletons of {live.version.version if live else 'nothing'}")


class Stage:
    """A place with stand-ins, whose public address and slots are a server of the test."""

    def __init__(self, directory: Path, server: HTTPServer, **changed: object) -> None:
        self.shop = Shop(directory, "process", Engine())
        self.effects: list[str] = []
        self.server = server
        self.place = self.shop.place()
        settings = self.place.settings.model_copy(update={"port": server.port, **changed})
        self.place = replace(self.place, settings=settings)
        self.router = StandInRouter(self.effects)
        self.runtime = StandInRuntime(self.place, self.effects, server.port)
        self.place.__dict__.update(router=self.router, runtime=self.runtime)
        self.place.directory.mkdir(parents=True)
        server.expect_request("/health").respond_with_json({"status": "ok"})

    def version(self, how: str, migrations: list[Step] | None = None, metrics: Metrics | None = None) -> Version:
        """Make a version of the app."""
        digest = self.shop.artifact(how, image=NO_IMAGE, migrations=migrations, metrics=metrics)
        return read_artifact(self.place.store, digest).version

    def instance(self, slot: str) -> Instance:
        """Return what runs in a slot now."""
        return Instance.now(self.place, slot, self.runtime.endpoints)

    def artifact(self, version: Version) -> Artifact:
        """Return a version that was made, whole."""
        return read_artifact(self.place.store, version.digest)

    def write(self, kind: str, **data: object) -> None:
        self.place.journal.write(kind, data, LEASE.epoch)

    def run(self, slot: str, version: Version) -> None:
        """Have the journal say that a version runs in a slot."""
        self.write("slot.starting", slot=slot, digest=version.digest, port=write_endpoints(self.runtime.endpoints))

    def serve(self, version: Version, slot: str) -> Live:
        """Have the journal and the router say that a version is live."""
        self.run(slot, version)
        name = f"e1-{self.place.ledger().entries}"
        live = {"digest": version.digest, "version": version.version, "commit": version.commit, "slot": slot}
        self.write("routed", routing={"version": name}, live=live)
        self.router.seen = name
        return self.live()

    def live(self) -> Live:
        live = self.place.ledger().live
        assert live
        return live

    def begin(self, version: Version, slot: str, kind: str = "release", name: str = "r1") -> None:
        """Have the journal say that an operation began."""
        about = {"digest": version.digest, "version": version.version, "commit": version.commit}
        self.write("begin", id=name, operation=kind, slot=slot, run="", **about)

    def promote(self, version: Version, slot: str, name: str) -> Live:
        """Have the journal tell of a whole release."""
        self.begin(version, slot, name=name)
        live = self.serve(version, slot)
        self.write("end", id=name, outcome="promoted", reason="good")
        return live

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.place.journal.entries()]


class Clock:
    """Stands for the module `time`: whoever sleeps moves it on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def passed(self) -> float:
        """Return the seconds since the test began."""
        return self.now - 1000.0
