"""What the environments' journals say: releases, steps, approvals, what is live. Each entry is verified once."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client.core import Metric

from deployments.environment import Environment
from deployments.journal.entries import OperationEnded, QuestionAnswered, StepEnded, VersionJudged
from deployments.journal.journal import GENESIS
from deployments.journal.ledger import Approval, Change, Ledger
from deployments.past_releases import collecting_later
from gates.release.operation import Operation
from host.errors import JournalError
from services.exporter.measures import gauge
from services.exporter.measures.buckets import Counts, Times


@dataclass
class Reading:
    """One journal as far as it was read, and what it adds up to."""

    place: Environment
    length: int = 0
    head: str = GENESIS
    newest: datetime | None = None
    ledger: Ledger = field(default_factory=Ledger)

    def news(self) -> list[Change]:
        """Read, verify and add up what was appended. JournalError: damaged, or not the file that was read before."""
        file = self.place.journal.file
        size = file.stat().st_size if file.exists() else 0
        if size < self.length:
            raise JournalError(f"{file}: is shorter than it was: {size} bytes, expected {self.length} or more")
        if size == self.length:
            return []
        with open(file, "rb") as stream:
            stream.seek(self.length)
            raw = stream.read()
        with collecting_later():
            entries, length = self.place.journal.parse(raw, after=self.head)
            changes = [change for entry in entries if (change := self.ledger.add(entry))]
        if entries:
            self.length += length
            self.head, self.newest = entries[-1].hash, entries[-1].time
        return changes


class JournalMeasure:
    """The figures of all environments' journals."""

    name = "journal"

    def __init__(self, places: Sequence[Environment]) -> None:
        self._lock = threading.RLock()
        where = "environment"
        self.readings = [Reading(place) for place in places]
        self._damaged: set[str] = set()
        self.operations = Counts("operations", "Ended releases and rollbacks", where, "operation", "outcome")
        self.durations = Times("operation_duration_seconds", "From begin to end", where, "operation", "outcome")
        self.steps = Times("step_duration_seconds", "Steps that went well", where, "step")
        self.approvals = Times("approval_wait_seconds", "From the question to the answer", where, "ruling")
        self.judged = Counts("judgements", "What the router's figures came to", where, "action")
        self.lost = Counts("lost_leases", "Operations that another holder had to end", where, "operation", "outcome")
        self.downtime = Counts("downtime_seconds", "Downtime of direct releases", where)

    def read(self) -> Sequence[Reading]:
        """Read what was appended since the last time, and return everything."""
        with self._lock:
            for reading in self.readings:
                self._read(reading)
        return self.readings

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            self.read()
            return iter(list(self._families()))

    def _families(self) -> Iterator[Metric]:
        whole = gauge("journal_sound", "Whether the journal's chain is whole", "environment")
        for reading in self.readings:
            whole.add_metric([reading.place.name], float(reading.place.name not in self._damaged))
        yield whole
        for counted in (self.operations, self.judged, self.lost, self.downtime):
            yield counted.family()
        for timed in (self.durations, self.steps, self.approvals):
            yield timed.family()
        yield from _live(self.readings)
        yield from _state(self.readings)

    def _read(self, reading: Reading) -> None:
        name = reading.place.name
        if name in self._damaged:  # nothing of it is believed any more until a person has looked and restarted us
            return
        try:
            for change in reading.news():
                self._count(name, change)
        except JournalError:
            self._damaged.add(name)

    def _count(self, name: str, change: Change) -> None:
        match change.event:
            case StepEnded(name=step, seconds=seconds, downtime_s=downtime_s):
                self.steps.add(seconds, name, step)
                self.downtime.add(name, by=downtime_s)
            case VersionJudged(action=action):
                self.judged.add(name, action)
            case QuestionAnswered() if isinstance(change.subject, Approval):
                self.approvals.add(change.subject.waited_s, name, change.subject.ruling)
            case OperationEnded(outcome=outcome) if isinstance(change.subject, Operation):
                self._ended(name, change.subject, outcome, change.entry.epoch)

    def _ended(self, name: str, operation: Operation, outcome: str, epoch: int) -> None:
        self.operations.add(name, operation.kind, outcome)
        self.durations.add(operation.seconds or 0.0, name, operation.kind, outcome)
        if epoch != operation.epoch:
            self.lost.add(name, operation.kind, outcome)


def _live(readings: Sequence[Reading]) -> Iterator[Metric]:
    labels = ("environment", "slot", "version", "digest")
    live = gauge("live_info", "What serves the public", *labels)
    since = gauge("live_since_timestamp_seconds", "Since when it does", *labels)
    slots = gauge("slot_info", "What runs in a slot, as the journal says", *labels)
    for one in readings:
        name, ledger = one.place.name, one.ledger
        if ledger.live:
            version = ledger.live.version
            values = [name, ledger.live.slot, version.version, version.digest]
            live.add_metric(values, 1)
            since.add_metric(values, ledger.live.since.timestamp())
        for slot, what in ledger.slots.items():
            if what.running:
                known = ledger.versions.get(what.digest)
                slots.add_metric([name, slot, known.version if known else "", what.digest], 1)
    yield from (live, since, slots)


def _state(readings: Sequence[Reading]) -> Iterator[Metric]:
    where = "environment"
    entries = gauge("journal_entries", "Entries of the journal", where)
    newest = gauge("journal_head_timestamp_seconds", "When the newest entry was written", where)
    held = gauge("lease_held", "Whether somebody changes the environment now", where)
    epoch = gauge("lease_epoch", "How often the lease was taken", where)
    unfinished = gauge("unfinished_operations", "Operations that nobody ended yet", where)
    waiting = gauge("approvals_waiting", "Questions that wait for an answer", where)
    oldest = gauge("approval_asked_timestamp_seconds", "When the oldest open question was asked", where)
    condemned = gauge("condemned_versions", "Versions that are never released again here", where)
    window = gauge("rollback_window_end_timestamp_seconds", "Until when the old slot is kept warm", where)
    for one in readings:
        name, ledger = [one.place.name], one.ledger
        entries.add_metric(name, ledger.entries)
        held.add_metric(name, float(one.place.holder() is not None))
        epoch.add_metric(name, ledger.epoch)
        unfinished.add_metric(name, float(ledger.unfinished is not None))
        waiting.add_metric(name, len(ledger.questions))
        condemned.add_metric(name, len(ledger.condemned))
        if one.newest:
            newest.add_metric(name, one.newest.timestamp())
        if ledger.questions:
            oldest.add_metric(name, min(question.asked for question in ledger.questions.values()).timestamp())
        if warm := ledger.warm(timedelta(seconds=one.place.settings.rollback_window_seconds)):
            window.add_metric(name, warm[1].timestamp())
    yield from (entries, newest, held, epoch, unfinished, waiting, oldest, condemned, window)
