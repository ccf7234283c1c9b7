"""What the environments' journals say: releases, steps, approvals, what is live. Each entry is verified once."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client.core import Metric

from deployments.environment import Environment
from deployments.journal.journal import GENESIS, Entry
from deployments.journal.ledger import Ledger, Operation, extend
from deployments.past_releases import collecting_later
from host.errors import JournalError
from services.exporter.measures import gauge
from services.exporter.measures.buckets import Counts, Times


@dataclass
class Reading:
    """One journal as far as it was read: what it adds up to, and when each open question was asked."""

    place: Environment
    length: int = 0
    head: str = GENESIS
    newest: datetime | None = None
    ledger: Ledger = field(default_factory=Ledger)
    asked: dict[str, datetime] = field(default_factory=dict)

    def news(self) -> list[Entry]:
        """Read and verify what was appended. JournalError: damaged, or not the file that was read before."""
        file = self.place.journal.file
        size = file.stat().st_size if file.exists() else 0
        if size < self.length:
            raise JournalError(f"{file}: is shorter than it was: {size} bytes, expected {self.length} or more")
        if size == self.length:
            return []
        with open(file, "rb") as stream:
            stream.seek(self.length)
            raw = stream.read()
        entries, length = self.place.journal.parse(raw, after=self.head)
        if entries:
            self.length += length
            self.head, self.newest = entries[-1].hash, entries[-1].time
        return entries


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
        with self._lock, collecting_later():
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
            for entry in reading.news():
                self._count(reading, entry)
                extend(reading.ledger, [entry])
        except JournalError:
            self._damaged.add(name)

    def _count(self, reading: Reading, entry: Entry) -> None:
        """Count one entry, before the ledger knows of it."""
        name, data = reading.place.name, entry.data
        match entry.kind:
            case "step":
                self.steps.add(data["seconds"], name, data["name"])
                self.downtime.add(name, by=data.get("downtime_s", 0.0))
            case "judged":
                self.judged.add(name, data["action"])
            case "question":
                reading.asked[data["id"]] = entry.time
            case "answer":
                if since := reading.asked.pop(data["id"], None):
                    self.approvals.add((entry.time - since).total_seconds(), name, data["ruling"])
            case "end":
                self._ended(name, reading.ledger.unfinished, entry)

    def _ended(self, name: str, operation: Operation | None, entry: Entry) -> None:
        if operation is None or operation.id != entry.data["id"]:
            return
        kind, outcome = operation.kind, entry.data["outcome"]
        self.operations.add(name, kind, outcome)
        self.durations.add((entry.time - operation.began).total_seconds(), name, kind, outcome)
        if entry.epoch != operation.epoch:
            self.lost.add(name, kind, outcome)


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
        if open_since := [at for mark, at in one.asked.items() if mark in ledger.questions]:
            oldest.add_metric(name, min(open_since).timestamp())
        if warm := ledger.warm(timedelta(seconds=one.place.settings.rollback_window_seconds)):
            window.add_metric(name, warm[1].timestamp())
    yield from (entries, newest, held, epoch, unfinished, waiting, oldest, condemned, window)
