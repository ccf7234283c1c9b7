"""The ways to run an artifact: `process` and `compose`, behind three small protocols."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from deployments.candidate import Artifact
from deployments.journal.lease import Lease
from deployments.journal.ledger import Ledger
from deployments.runtimes.layout import Installed
from evidence.bundle import Run
from gates.release.operation import Live
from gates.release.verification import Usage
from host.ports import Endpoints


class Database(Protocol):
    """The app's database. Errors are SlipwayErrors that a person may see."""

    def variables(self, run: Run) -> Mapping[str, str]:
        """Return what an app that runs so is told of its database, by variable name. Secret."""

    def secrets(self) -> Sequence[str]:
        """Return what of it must not appear in what we print."""

    @property
    def dump_magic(self) -> bytes:
        """Return how a dump of it begins."""

    @property
    def undoes_failures(self) -> bool:
        """Return whether a migration that failed changed nothing: MySQL's DDL has no transactions."""

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        """Return what of it is in the way of a release (of `artifact`), found without changing anything."""

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        """Return what a person who approves should know of it."""

    def size_bytes(self, installed: Installed) -> int:
        """Return how big it is. Raises ToolError if it cannot be asked, ConfigError if there is none of ours."""

    def dump(self, installed: Installed, file: Path, timeout_s: float) -> None:
        """Write it into an existing file, so that it can be restored. Raises ToolError if that failed."""


class Orchestrator(Protocol):
    """What keeps containers for a runtime, and is not ours: it can be away, lack an image, restart what it keeps.

    Also what only a runtime with one has: one-off containers that outlive an interrupted operation.
    """

    @property
    def registry_login(self) -> Path:
        """Return the directory for the login of the registry that images are pulled from."""

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        """Return what is in the way of releasing here (and of starting `artifact`), found without changing anything."""

    def wait_ready(self) -> None:
        """Wait until slots can be started and stopped: one that restarts is away for seconds. Raises ToolError if it
        stays away.
        """

    def tidy(self) -> None:
        """End what an interrupted operation left running beside the slots, such as a migration."""

    def run_tasks(self, installed: Installed, lease: Lease) -> str:
        """Run what the artifact wants done once before it serves, to its end; return what was said last. Raises
        ToolError if something of it failed or did not end in its time.
        """

    def restarted_from_outside(self, slot: str, since: datetime) -> str | None:
        """Return why a slot was restarted after `since` through no fault of its own; None when it was not."""


class Runtime(Protocol):
    """What a release needs of a runtime. Every method may be repeated; errors are SlipwayErrors that a person may see.

    A slot's last words are masked: no secret of the environment is in them.
    """

    @property
    def database(self) -> Database:
        """Return the app's database."""

    @property
    def orchestrator(self) -> Orchestrator | None:
        """Return what keeps this runtime's containers; None where our own supervisor keeps processes."""

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        """Return what a person who approves should know of this host (and of `artifact` on it: what runs beside its
        service), and what stands in nobody's way.
        """

    def prepare(self) -> None:
        """Lay out what `up` needs, before the place's supervisor runs."""

    def up(self, ledger: Ledger) -> None:
        """Start what slots need (a database) and, after a stop of everything, what the journal says was running."""

    def install(self, artifact: Artifact) -> Installed:
        """Verify an artifact, every byte, and lay it out. Raises ArtifactError if something is missing or changed."""

    def installed(self, artifact: Artifact) -> Installed:
        """Return an artifact that lies ready here; install it when it does not."""

    def migrate(self, installed: Installed, lease: Lease) -> str:
        """Bring the database to the artifact's schema; return the last line printed. Raises MigrationError if it
        failed.
        """

    def seed(self, installed: Installed, kind: str, lease: Lease) -> str:
        """Run the artifact's seed command for this kind of data; return its last line. Raises ToolError if it
        failed.
        """

    def choose_endpoints(self) -> Endpoints:
        """Return where a slot that is started next shall listen: free ports, on this host or others."""

    def start(self, slot: str, installed: Installed, endpoints: Endpoints) -> None:
        """Start an artifact in an empty slot and return at once; from here on it is kept running across our death."""

    def restart(self, slot: str) -> None:
        """Stop a slot and start the same again at the same endpoints: what still hangs on it ends."""

    def stop(self, slot: str) -> None:
        """Stop a slot (SIGTERM, its stop time, SIGKILL) and forget it."""

    def follow(self, live: Live | None) -> None:
        """Have the singletons (schedulers, consumers) of the live version running, and no other version's: those of
        another are stopped before these start.
        """

    def programs(self, slot: str | None = None) -> Mapping[str, str]:
        """Return how each program of a slot is doing, None: each singleton; by name. `running` is well."""

    def gone(self, slot: str, since: str | None = None) -> str | None:
        """Return why a slot is not running, with its last words; None while it runs.

        `since`: a generation. A slot that ended since then is gone too, also when its keeper has started it again.
        """

    def generation(self, slot: str) -> str:
        """Return a mark of what runs in a slot now: another one once a part of it ended by itself."""

    def listening(self, slot: str, endpoints: Endpoints, *, alone: bool) -> frozenset[str]:
        """Return the sockets at which a slot listens, by name; none while it does not listen at every endpoint.

        Raises PortTaken if somebody else could be sent what is sent there, or nobody can tell; `alone`: also if
        somebody listens on the same port of the other loopback address. What a version answers counts only while
        this stays the same.
        """

    def usage(self, slot: str) -> tuple[Usage, ...]:
        """Return what each service of a slot uses now, beside its limits. Raises ToolError if it cannot be seen."""


def beside(slot: Sequence[str], singletons: Sequence[str]) -> list[str]:
    """Return the note on what runs of a version, for a person; none when its service is all."""
    said = [f"each slot has {', '.join(slot)}"] * (len(slot) > 1)
    said += [f"only the live version has {', '.join(singletons)} (never two at a time)"] * bool(singletons)
    return [f"Processes: {'; '.join(said)}."] if said else []
