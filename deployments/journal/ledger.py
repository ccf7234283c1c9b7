"""What a journal adds up to: what is live, what runs in which slot, what was promoted or condemned, what is
unfinished. The only place that gives an entry a meaning.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from deployments.journal import entries
from deployments.journal.endpoints import read_endpoints
from deployments.journal.entries import Entry, Event, EventKind, read_event
from gates.release.operation import Live, Operation, Outcome, Remark, TimedStep, Version
from gates.verdict import Action
from host.ports import Endpoints

SLOTS = ("blue", "green")


@dataclass(frozen=True)
class Slot:
    """What the journal says of a slot: `running` is what was asked for and confirmed, not what is observed."""

    digest: str
    endpoints: Endpoints
    running: bool


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
    asked: datetime


class Approval(NamedTuple):
    """A question that was answered. `ruling` is of gates/release/approval.py, or a newer Slipway's."""

    run: str
    asked: datetime
    answered: datetime
    ruling: str

    @property
    def waited_s(self) -> float:
        return (self.answered - self.asked).total_seconds()


class Change(NamedTuple):
    """An entry and what it is about: the operation that it falls into, or the approval that it completes."""

    entry: Entry
    event: Event
    subject: Operation | Approval | None


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
    approvals: list[Approval] = field(default_factory=list)
    unsafe: dict[str, str] = field(default_factory=dict)
    seeded: set[str] = field(default_factory=set)
    reported: set[str] = field(default_factory=set)

    @property
    def unfinished(self) -> Operation | None:
        """Return the operation that nobody ended. There is one at most: each reconciles before it begins."""
        for operation in reversed(self.operations):  # no generator: the fold asks for each step
            if operation.outcome is None:
                return operation
        return None

    @property
    def idle_slot(self) -> str:
        """Return the slot that does not serve the public."""
        return next(slot for slot in SLOTS if not self.live or slot != self.live.slot)

    @property
    def promotion(self) -> Operation | None:
        """Return the release that promoted what is live, None when any other operation came after it."""
        last = self.operations[-1] if self.operations else None
        good = (
            last and last.outcome == Outcome.PROMOTED and self.live and last.version.digest == self.live.version.digest
        )
        return last if good else None

    def warm(self, window: timedelta) -> tuple[str, datetime] | None:
        """Return the slot that still runs what was live before, and until when it is kept.

        None while an operation is unfinished: the idle slot is its business.
        """
        if self.unfinished:
            return None
        promoted = (one.ended for one in reversed(self.operations) if one.outcome == Outcome.PROMOTED and one.ended)
        ended = next(promoted, None)
        idle = self.slots.get(self.idle_slot)
        if not ended or not idle or not idle.running or not self.live:
            return None
        return self.idle_slot, ended + window

    def add(self, entry: Entry) -> Change | None:
        """Take in the next entry; return what it changed, None for a kind that adds nothing or is a newer Slipway's.

        Raises JournalError if its data are not what its kind has.
        """
        self.entries = entry.seq
        self.epoch = max(self.epoch, entry.epoch)
        handle = _HANDLERS.get(entry.kind)
        if handle is None:
            return None
        event = read_event(entry)
        return Change(entry, event, handle(self, entry, event))


def read_ledger(journal: Iterable[Entry]) -> Ledger:
    """Fold the entries, oldest first. Raises JournalError for an entry whose data are not what its kind has."""
    ledger = Ledger()
    for entry in journal:
        ledger.add(entry)
    return ledger


def _begin(ledger: Ledger, entry: Entry, event: entries.OperationBegun) -> Operation:
    version = Version(event.digest, event.version, event.commit)
    ledger.versions[version.digest] = version
    operation = Operation(
        event.id, event.operation, version, event.slot, ledger.live, entry.time, entry.epoch, event.run
    )
    ledger.operations.append(operation)
    return operation


def _end(ledger: Ledger, entry: Entry, event: entries.OperationEnded) -> Operation | None:
    for operation in reversed(ledger.operations):
        if operation.id == event.id and operation.outcome is None:
            operation.outcome, operation.reason, operation.ended = event.outcome, event.reason, entry.time
            if event.outcome == Outcome.PROMOTED:
                ledger.promoted.append(operation.version.digest)
            return operation
    return None


def _step(ledger: Ledger, entry: Entry, event: entries.StepEnded) -> Operation | None:
    operation = ledger.unfinished
    if operation:
        operation.steps.append(TimedStep(event.name, event.seconds, entry.time))
        operation.downtime_s += event.downtime_s
    return operation


def _judged(ledger: Ledger, entry: Entry, event: entries.VersionJudged) -> Operation | None:
    operation = _remark(ledger, entry, event.reason)
    if operation:
        operation.judged_good = event.action == Action.PROMOTE
    return operation


def _condemned(ledger: Ledger, entry: Entry, event: entries.VersionCondemned) -> Operation | None:
    ledger.condemned[event.digest] = event.reason
    return _remark(ledger, entry, event.reason)


def _remark(ledger: Ledger, entry: Entry, reason: str) -> Operation | None:
    operation = ledger.unfinished
    if operation:
        operation.remarks.append(Remark(entry.kind, entry.time, reason))
    return operation


def _routed(ledger: Ledger, entry: Entry, event: entries.RoutingConfirmed) -> Operation | None:
    ledger.routing = event.routing
    live = event.live.live(entry.time) if event.live else None
    if live and ledger.live and live.version.digest == ledger.live.version.digest:
        live = Live(ledger.live.version, live.slot, ledger.live.since)
    ledger.live = live
    operation = ledger.unfinished
    if operation:  # a restore takes the traffic away again: then it is not switched any more
        operation.switched = live is not None and live.version.digest == operation.version.digest
        if operation.switched and operation.took_traffic is None:
            operation.took_traffic = entry.time
    return operation


def _slot_starting(ledger: Ledger, _: Entry, event: entries.SlotStarting) -> None:
    ledger.slots[event.slot] = Slot(event.digest, read_endpoints(event.port), running=True)


def _slot_stopped(ledger: Ledger, _: Entry, event: entries.SlotStopped) -> None:
    slot = ledger.slots.get(event.slot)
    if slot:
        ledger.slots[event.slot] = Slot(slot.digest, slot.endpoints, running=False)


def _question(ledger: Ledger, entry: Entry, event: entries.QuestionAsked) -> None:
    ledger.questions[event.id] = Question(
        event.id,
        event.run,
        event.deployment,
        event.parameters,
        event.expires,
        event.pid,
        event.started,
        entry.time,
    )


def _answer(ledger: Ledger, entry: Entry, event: entries.QuestionAnswered) -> Approval | None:
    question = ledger.questions.pop(event.id, None)
    if question is None:
        return None
    approval = Approval(question.run, question.asked, entry.time, event.ruling)
    ledger.approvals.append(approval)
    return approval


def _migrating(ledger: Ledger, _: Entry, event: entries.Migrating) -> None:
    """Believe the worst from the intent on: a migration that was killed may have done its work."""
    ledger.unsafe |= event.unsafe


def _migration_failed(ledger: Ledger, _: Entry, event: entries.MigrationFailed) -> None:
    for digest in event.unsafe:
        ledger.unsafe.pop(digest, None)


def _schema_restored(ledger: Ledger, _: Entry, event: entries.SchemaRestored) -> None:
    """Believe who restored a dump: what the schema had left behind fits it again."""
    for digest in event.safe:
        ledger.unsafe.pop(digest, None)


def _seeded(ledger: Ledger, _: Entry, event: entries.Seeded) -> None:
    ledger.seeded.add(event.seed)


def _reported(ledger: Ledger, _: Entry, event: entries.OutcomeReported) -> None:
    ledger.reported.add(event.id)


_HANDLERS: Mapping[str, Callable[[Ledger, Entry, Any], Operation | Approval | None]] = {
    EventKind.BEGIN: _begin,
    EventKind.END: _end,
    EventKind.STEP: _step,
    EventKind.JUDGED: _judged,
    EventKind.CONDEMNED: _condemned,
    EventKind.ROUTED: _routed,
    EventKind.SLOT_STARTING: _slot_starting,
    EventKind.SLOT_STOPPED: _slot_stopped,
    EventKind.QUESTION: _question,
    EventKind.ANSWER: _answer,
    EventKind.MIGRATING: _migrating,
    EventKind.MIGRATION_FAILED: _migration_failed,
    EventKind.SCHEMA_RESTORED: _schema_restored,
    EventKind.SEEDED: _seeded,
    EventKind.REPORTED: _reported,
}
