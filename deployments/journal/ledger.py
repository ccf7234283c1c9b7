"""What a journal adds up to: what is live, what runs in which slot, what was promoted or condemned, what is
unfinished.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from deployments.journal.endpoints import read_endpoints
from deployments.journal.journal import Entry
from host.errors import JournalError
from host.ports import Endpoints

SLOTS = ("blue", "green")


@dataclass(frozen=True)
class Version:
    """An artifact as people know it. `digest` is hex SHA-256, `commit` a full hash."""

    digest: str
    version: str
    commit: str

    @classmethod
    def read(cls, data: Mapping[str, Any] | None) -> "Version | None":
        return cls(data["digest"], data["version"], data["commit"]) if data else None

    def __str__(self) -> str:
        return f"{self.version} ({self.digest[:12]})"


@dataclass(frozen=True)
class Live:
    """What serves the public, since when, and in which slot."""

    version: Version
    slot: str
    since: datetime


@dataclass(frozen=True)
class Slot:
    """What the journal says of a slot: `running` is what was asked for and confirmed, not what is observed."""

    digest: str
    endpoints: Endpoints
    running: bool


@dataclass
class Operation:
    """A release or a rollback, from its `begin` to its `end`. Times are aware UTC; `outcome` is None until it ends."""

    id: str
    kind: str
    version: Version
    slot: str
    before: Live | None
    began: datetime
    epoch: int
    run: str = ""
    judged_good: bool = False
    switched: bool = False  # its version has the traffic
    outcome: str | None = None
    reason: str = ""
    ended: datetime | None = None
    steps: list[tuple[str, float]] = field(default_factory=list)
    downtime_s: float = 0.0


@dataclass
class Question:
    """An approval that was asked for and not answered yet."""

    id: str
    run: str
    deployment: str
    parameters: dict[str, Any]
    expires: datetime
    pid: int
    started: float


@dataclass
class Ledger:
    """The fold over all entries."""

    entries: int = 0
    epoch: int = 0
    live: Live | None = None
    routing: Mapping[str, Any] | None = None
    slots: dict[str, Slot] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    promoted: list[str] = field(default_factory=list)
    versions: dict[str, Version] = field(default_factory=dict)
    condemned: dict[str, str] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    unsafe: dict[str, str] = field(default_factory=dict)
    seeded: set[str] = field(default_factory=set)

    @property
    def unfinished(self) -> Operation | None:
        """Return the operation that nobody ended. There is one at most: each reconciles before it begins."""
        return next((one for one in reversed(self.operations) if one.outcome is None), None)

    @property
    def idle_slot(self) -> str:
        """Return the slot that does not serve the public."""
        return next(slot for slot in SLOTS if not self.live or slot != self.live.slot)

    @property
    def promotion(self) -> Operation | None:
        """Return the release that promoted what is live, None when any other operation came after it."""
        last = self.operations[-1] if self.operations else None
        good = last and self.live and last.outcome == "promoted" and last.version.digest == self.live.version.digest
        return last if good else None

    def warm(self, window: timedelta) -> tuple[str, datetime] | None:
        """Return the slot that still runs what was live before, and until when it is kept.

        None while an operation is unfinished: the idle slot is its business.
        """
        if self.unfinished:
            return None
        last = next((one for one in reversed(self.operations) if one.outcome == "promoted" and one.ended), None)
        idle = self.slots.get(self.idle_slot)
        if not last or not last.ended or not idle or not idle.running or not self.live:
            return None
        return self.idle_slot, last.ended + window


def read_ledger(entries: Sequence[Entry]) -> Ledger:
    """Fold the entries, oldest first. Unknown kinds (of a newer Slipway) are passed over."""
    return extend(Ledger(), entries)


def extend(ledger: Ledger, entries: Sequence[Entry]) -> Ledger:
    """Add newer entries, oldest first, to what the older ones came to; return the same ledger.

    Raises JournalError for an entry whose data are not what its kind has.
    """
    for entry in entries:
        ledger.entries = entry.seq
        ledger.epoch = max(ledger.epoch, entry.epoch)
        handle = _HANDLERS.get(entry.kind)
        try:
            if handle:
                handle(ledger, entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise JournalError(
                f"journal entry {entry.seq} ({entry.kind}) cannot be read ({type(error).__name__}: {error}); nothing "
                "is done here until a person has looked: docs/operations.md, 'A damaged journal'"
            ) from error
    return ledger


def _live(data: Mapping[str, Any] | None, since: datetime) -> Live | None:
    version = Version.read(data)
    return Live(version, data["slot"], since) if data and version else None


def _begin(ledger: Ledger, entry: Entry) -> None:
    data = entry.data
    version = Version(data["digest"], data["version"], data["commit"])
    ledger.versions[version.digest] = version
    ledger.operations.append(
        Operation(
            data["id"], data["operation"], version, data["slot"], ledger.live, entry.time, entry.epoch, data["run"]
        )
    )


def _routed(ledger: Ledger, entry: Entry) -> None:
    data = entry.data
    ledger.routing = data["routing"]
    same = ledger.live and data["live"] and ledger.live.version.digest == data["live"]["digest"]
    if not same:
        ledger.live = _live(data["live"], entry.time)
    elif ledger.live and ledger.live.slot != data["live"]["slot"]:
        ledger.live = Live(ledger.live.version, data["live"]["slot"], ledger.live.since)
    operation = ledger.unfinished
    if operation:  # a restore takes the traffic away again: then it is not switched any more
        operation.switched = bool(ledger.live and ledger.live.version.digest == operation.version.digest)


def _slot_starting(ledger: Ledger, entry: Entry) -> None:
    data = entry.data
    ledger.slots[data["slot"]] = Slot(data["digest"], read_endpoints(data["port"]), running=True)


def _slot_stopped(ledger: Ledger, entry: Entry) -> None:
    slot = ledger.slots.get(entry.data["slot"])
    if slot:
        ledger.slots[entry.data["slot"]] = Slot(slot.digest, slot.endpoints, running=False)


def _step(ledger: Ledger, entry: Entry) -> None:
    if ledger.unfinished:
        ledger.unfinished.steps.append((entry.data["name"], entry.data["seconds"]))
        ledger.unfinished.downtime_s += entry.data.get("downtime_s", 0.0)


def _judged(ledger: Ledger, entry: Entry) -> None:
    if ledger.unfinished:
        ledger.unfinished.judged_good = entry.data["action"] == "promote"


def _condemned(ledger: Ledger, entry: Entry) -> None:
    ledger.condemned[entry.data["digest"]] = entry.data["reason"]


def _end(ledger: Ledger, entry: Entry) -> None:
    data = entry.data
    for operation in reversed(ledger.operations):
        if operation.id == data["id"] and operation.outcome is None:
            operation.outcome, operation.reason, operation.ended = data["outcome"], data["reason"], entry.time
            if data["outcome"] == "promoted":
                ledger.promoted.append(operation.version.digest)
            return


def _question(ledger: Ledger, entry: Entry) -> None:
    data = entry.data
    ledger.questions[data["id"]] = Question(
        data["id"],
        data["run"],
        data["deployment"],
        dict(data["parameters"]),
        datetime.fromisoformat(data["expires"]),
        data["pid"],
        data["started"],
    )


def _answer(ledger: Ledger, entry: Entry) -> None:
    ledger.questions.pop(entry.data["id"], None)


def _migrating(ledger: Ledger, entry: Entry) -> None:
    """Believe the worst from the intent on: a migration that was killed may have done its work."""
    ledger.unsafe |= entry.data.get("unsafe", {})


def _migration_failed(ledger: Ledger, entry: Entry) -> None:
    for digest in entry.data.get("unsafe", {}):
        ledger.unsafe.pop(digest, None)


def _schema_restored(ledger: Ledger, entry: Entry) -> None:
    """Believe who restored a dump: what the schema had left behind fits it again."""
    for digest in entry.data["safe"]:
        ledger.unsafe.pop(digest, None)


def _seeded(ledger: Ledger, entry: Entry) -> None:
    ledger.seeded.add(entry.data["seed"])


_HANDLERS = {
    "seeded": _seeded,
    "schema.restored": _schema_restored,
    "migrating": _migrating,
    "migration.failed": _migration_failed,
    "begin": _begin,
    "routed": _routed,
    "slot.starting": _slot_starting,
    "slot.stopped": _slot_stopped,
    "step": _step,
    "judged": _judged,
    "condemned": _condemned,
    "end": _end,
    "question": _question,
    "answer": _answer,
}
