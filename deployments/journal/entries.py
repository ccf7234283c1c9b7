"""The kinds of journal entries and the data of each: the one place that knows what is written and may be read.

These are the data of format 1 (`v` of a line). A field may be added with a default; any other change is a new format.
Data that a newer Slipway added are passed over. Words that it may add to (operation, outcome, action, ruling) are read
as text, so that an unknown one does not stop an environment.
"""

from collections.abc import Mapping
from dataclasses import asdict, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, AwareDatetime, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from deployments.journal.endpoints import Written, read_endpoints
from gates.documents import first_fault
from gates.release.operation import Live, Version
from host.errors import JournalError


def _readable(written: Written) -> Written:
    read_endpoints(written)
    return written


# Where a slot is reached, as it is written; refused when `read_endpoints` could not read it.
Reachable = Annotated[Written, AfterValidator(_readable)]


def _named(routing: dict[str, Any]) -> dict[str, Any]:
    if routing and not isinstance(routing.get("version"), str):
        raise ValueError("a routing without its version")
    return routing


# What the router was told, of deployments/router/router.py; its version is what is compared.
Routed = Annotated[dict[str, Any], AfterValidator(_named)]


class EventKind(StrEnum):
    """What happened, as `kind` of a line has it."""

    BEGIN = "begin"
    END = "end"
    STEP = "step"
    JUDGED = "judged"
    CONDEMNED = "condemned"
    ROUTING = "routing"
    ROUTED = "routed"
    SLOT_STARTING = "slot.starting"
    SLOT_STARTED = "slot.started"
    SLOT_STOPPING = "slot.stopping"
    SLOT_STOPPED = "slot.stopped"
    QUESTION = "question"
    ANSWER = "answer"
    MIGRATING = "migrating"
    MIGRATED = "migrated"
    MIGRATION_FAILED = "migration.failed"
    SCHEMA_RESTORED = "schema.restored"
    BACKUP = "backup"
    SEEDING = "seeding"
    SEEDED = "seeded"
    REPORTED = "reported"


class Entry(NamedTuple):
    """One line of the journal. `data` are read by `read_event`."""

    seq: int
    at: str
    epoch: int
    kind: str
    data: Mapping[str, Any]
    prev: str
    hash: str

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True, slots=True)
class Event:
    """An entry's data."""

    @property
    def kind(self) -> EventKind:
        return KINDS[type(self)]

    def to_data(self) -> dict[str, Any]:
        """Return the data as they are written."""
        data = asdict(self)
        return {name: one.isoformat() if isinstance(one, datetime) else one for name, one in data.items()}


@dataclass(frozen=True, slots=True)
class LiveData:
    """What serves the public, and where."""

    digest: str
    version: str
    commit: str
    slot: str

    @classmethod
    def of(cls, live: Live | None) -> Self | None:
        """Return what serves as the journal has it, None when nothing does."""
        if live is None:
            return None
        version = live.version
        return cls(digest=version.digest, version=version.version, commit=version.commit, slot=live.slot)

    def live(self, since: datetime) -> Live:
        return Live(Version(self.digest, self.version, self.commit), self.slot, since)


@dataclass(frozen=True, slots=True)
class OperationBegun(Event):
    """A release or rollback (`operation`) is going to put a version into a slot. `run` is its flow run, or empty."""

    id: str
    operation: str
    slot: str
    run: str
    digest: str
    version: str
    commit: str
    before: LiveData | None = None


@dataclass(frozen=True, slots=True)
class OperationEnded(Event):
    id: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepEnded(Event):
    """A step went well. `downtime_s`: how long nothing served in it."""

    name: str
    seconds: float
    downtime_s: float = 0.0

    def to_data(self) -> dict[str, Any]:
        """Return the data as they are written: without a downtime that there was not."""
        return {name: one for name, one in asdict(self).items() if name != "downtime_s" or one}


@dataclass(frozen=True, slots=True)
class VersionJudged(Event):
    """What the router's figures came to; `action` is of gates/verdict.py."""

    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class VersionCondemned(Event):
    """A version is bad and never a target again."""

    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class RoutingIntended(Event):
    """The router is going to be told this."""

    routing: Routed
    live: LiveData | None


@dataclass(frozen=True, slots=True)
class RoutingConfirmed(Event):
    """The router does this, `seconds` after it was written."""

    routing: Routed
    live: LiveData | None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SlotStarting(Event):
    slot: str
    digest: str
    port: Reachable


@dataclass(frozen=True, slots=True)
class SlotStarted(Event):
    """It is healthy."""

    slot: str
    digest: str
    port: Reachable


@dataclass(frozen=True, slots=True)
class SlotStopping(Event):
    slot: str


@dataclass(frozen=True, slots=True)
class SlotStopped(Event):
    slot: str


@dataclass(frozen=True, slots=True)
class QuestionAsked(Event):
    """A person is asked to approve. `pid` and `started` name the process that waits for the answer."""

    id: str
    run: str
    deployment: str
    parameters: dict[str, Any]
    expires: AwareDatetime
    pid: int
    started: float
    digest: str = ""


@dataclass(frozen=True, slots=True)
class QuestionAnswered(Event):
    """`ruling` is of gates/release/approval.py."""

    id: str
    ruling: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Migrating(Event):
    """A migration begins. `unsafe`: the versions that it may leave no way back to, each with the reason."""

    digest: str
    unsafe: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Migrated(Event):
    digest: str


@dataclass(frozen=True, slots=True)
class MigrationFailed(Event):
    """It changed nothing; `unsafe` as in its intent."""

    digest: str
    unsafe: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SchemaRestored(Event):
    """A person restored a dump: the versions `safe` may be gone back to again."""

    safe: list[str]
    reason: str


@dataclass(frozen=True, slots=True)
class BackupMade(Event):
    """The database was dumped; `digest` is the artifact that was going to migrate it."""

    digest: str
    file: str
    bytes: int
    sha256: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Seeding(Event):
    seed: str
    digest: str


@dataclass(frozen=True, slots=True)
class Seeded(Event):
    seed: str
    digest: str
    said: str


@dataclass(frozen=True, slots=True)
class OutcomeReported(Event):
    """Prefect was told how an operation ended; `state` is the run's now, None when Prefect does not know the run."""

    id: str
    state: str | None


EVENTS: Mapping[str, type[Event]] = {
    EventKind.BEGIN: OperationBegun,
    EventKind.END: OperationEnded,
    EventKind.STEP: StepEnded,
    EventKind.JUDGED: VersionJudged,
    EventKind.CONDEMNED: VersionCondemned,
    EventKind.ROUTING: RoutingIntended,
    EventKind.ROUTED: RoutingConfirmed,
    EventKind.SLOT_STARTING: SlotStarting,
    EventKind.SLOT_STARTED: SlotStarted,
    EventKind.SLOT_STOPPING: SlotStopping,
    EventKind.SLOT_STOPPED: SlotStopped,
    EventKind.QUESTION: QuestionAsked,
    EventKind.ANSWER: QuestionAnswered,
    EventKind.MIGRATING: Migrating,
    EventKind.MIGRATED: Migrated,
    EventKind.MIGRATION_FAILED: MigrationFailed,
    EventKind.SCHEMA_RESTORED: SchemaRestored,
    EventKind.BACKUP: BackupMade,
    EventKind.SEEDING: Seeding,
    EventKind.SEEDED: Seeded,
    EventKind.REPORTED: OutcomeReported,
}
KINDS = {event: EventKind(kind) for kind, event in EVENTS.items()}
VALIDATORS = {kind: TypeAdapter(event).validator for kind, event in EVENTS.items()}


def read_event(entry: Entry) -> Event:
    """Return the typed data of an entry of a known kind.

    Raises JournalError if the data are not what the kind has.
    """
    try:
        event: Event = VALIDATORS[entry.kind].validate_python(entry.data)
        return event
    except ValidationError as error:
        raise JournalError(
            f"journal entry {entry.seq} ({entry.kind}) cannot be read ({first_fault(error)}); nothing is done here "
            "until a person has looked: docs/operations.md, 'A damaged journal'"
        ) from error
