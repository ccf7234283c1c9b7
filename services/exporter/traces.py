"""Tell an OpenTelemetry collector how releases went: one trace for each, a span for each step.

It is made from the journals after the fact, beside the releases: a collector that is away delays none, a release that
was killed has its trace too, and so has one typed by hand. The trace's id is the flow run's id. Only when
OTEL_EXPORTER_OTLP_ENDPOINT (or ..._TRACES_ENDPOINT) is set; OpenTelemetry's other variables hold as well.
"""

import hashlib
import os
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from deployments.environment import Environment
from deployments.journal.journal import Entry
from host.errors import SlipwayError
from host.home import Home
from host.wait import back_off_s
from notify.outbox import Outbox
from services.exporter.measures.journal import Reading

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EVERY_S = 2.0
GOOD = ("promoted",)
SAMPLED = TraceFlags(TraceFlags.SAMPLED)

log = structlog.get_logger("traces")


class Exports(Protocol):
    """What spans are handed to."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult: ...


@dataclass
class Story:
    """One operation while its entries are read: its spans as (name, begin, end, attributes), and its events."""

    environment: str
    begin: Entry
    spans: list[tuple[str, datetime, datetime, dict[str, str]]] = field(default_factory=list)
    events: list[tuple[str, datetime, str]] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Take in one of the operation's entries."""
        data = entry.data
        if entry.kind == "step":
            began = entry.time - timedelta(seconds=data["seconds"])
            self.spans.append((data["name"], began, entry.time, {}))
        elif entry.kind in ("judged", "condemned"):
            self.events.append((entry.kind, entry.time, str(data["reason"])))


def trace_id(run: str, operation: str) -> int:
    """Return the run's id as a number; for what was typed by hand a number made from the operation's id."""
    try:
        return uuid.UUID(run).int
    except ValueError:
        return int.from_bytes(hashlib.sha256(f"operation:{operation}".encode()).digest()[:16])


def spans_of(story: Story, end: Entry, resource: Resource) -> list[ReadableSpan]:
    """Return an ended operation's trace, the whole first. The ids are the same whenever it is made again."""
    data = story.begin.data
    trace = trace_id(data["run"], data["id"])
    good = end.data["outcome"] in GOOD or (data["operation"] == "rollback" and end.data["outcome"] == "rolled back")
    common = {
        "deployment.environment.name": story.environment,
        "service.version": data["version"],
        "slipway.digest": data["digest"],
        "slipway.slot": data["slot"],
    }
    whole = {
        **common,
        "cicd.pipeline.name": data["operation"],
        "cicd.pipeline.run.id": data["run"] or data["id"],
        "cicd.pipeline.result": "success" if good else "failure",
        "slipway.outcome": end.data["outcome"],
        "slipway.reason": end.data["reason"],
    }
    root = _context(trace, f"{data['id']}:")
    begin = min([story.begin.time, *(began for _, began, _, _ in story.spans)])
    status = Status(StatusCode.OK) if good else Status(StatusCode.ERROR, end.data["reason"][:500])
    events = [Event(name, {"reason": said}, _ns(at)) for name, at, said in story.events]
    name = f"{data['operation']} {story.environment} {data['version']}"
    made = [_span(name, root, None, whole, (begin, end.time), resource, events, status)]
    for number, (step, began, ended, more) in enumerate(story.spans):
        context = _context(trace, f"{data['id']}:{number}:{step}")
        attributes = {**common, "cicd.pipeline.task.name": step, **more}
        made.append(_span(step, context, root, attributes, (began, ended), resource))
    return made


def _span(
    name: str,
    context: SpanContext,
    parent: SpanContext | None,
    attributes: dict[str, str],
    times: tuple[datetime, datetime],
    resource: Resource,
    events: Sequence[Event] = (),
    status: Status | None = None,
) -> ReadableSpan:
    return ReadableSpan(
        name=name,
        context=context,
        parent=parent,
        resource=resource,
        attributes=attributes,
        events=events,
        kind=SpanKind.INTERNAL,
        status=status or Status(StatusCode.OK),
        start_time=_ns(times[0]),
        end_time=_ns(times[1]),
    )


def _context(trace: int, name: str) -> SpanContext:
    span = int.from_bytes(hashlib.sha256(f"{trace}:{name}".encode()).digest()[:8]) or 1
    return SpanContext(trace, span, is_remote=False, trace_flags=SAMPLED)


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1000) * 1_000_000


class Follower:
    """Makes stories of one journal. What ended up to the entry `told` was told before."""

    def __init__(self, place: Environment, told: int) -> None:
        self.told = told
        self._reading = Reading(place)
        self._open: Story | None = None
        self._asked: dict[str, Entry] = {}
        self._answered: dict[str, tuple[str, datetime, datetime, dict[str, str]]] = {}

    def ended(self) -> list[tuple[Story, Entry]]:
        """Return the operations that ended since the last time, oldest first. Raises JournalError."""
        found = []
        for entry in self._reading.news():
            self._question(entry)
            if entry.kind == "begin":
                self._open = Story(self._reading.place.name, entry)
                if waited := self._answered.pop(entry.data["run"], None):
                    self._open.spans.append(waited)
            elif self._open and entry.kind == "end" and entry.data["id"] == self._open.begin.data["id"]:
                if entry.seq > self.told:
                    found.append((self._open, entry))
                self._open = None
            elif self._open:
                self._open.add(entry)
        return found

    def _question(self, entry: Entry) -> None:
        if entry.kind == "question":
            self._asked[entry.data["id"]] = entry
        elif entry.kind == "answer" and (asked := self._asked.pop(entry.data["id"], None)):
            ruling = {"slipway.ruling": str(entry.data["ruling"])}
            self._answered[asked.data["run"]] = ("approval", asked.time, entry.time, ruling)


class Tracer:
    """The loop over the journals. What could not be told is told later, after a restart too; in order."""

    def __init__(self, outbox: Outbox, places: Sequence[Environment], app: str, exporter: Exports) -> None:
        self._outbox = outbox
        self._exporter = exporter
        self._resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "slipway"), "app": app})
        self._followers = {place.name: Follower(place, self._told(place)) for place in places}
        self._waiting: list[tuple[str, Story, Entry]] = []

    @classmethod
    def of(cls, home: Home, places: Sequence[Environment], app: str) -> "Tracer | None":
        """Return it, None when no endpoint is configured. Raises OutboxError, JournalError."""
        if not any(os.environ.get(name) for name in ENDPOINTS):
            return None
        return cls(Outbox.of(home), places, app, OTLPSpanExporter())

    def _told(self, place: Environment) -> int:
        """Return the newest entry that was told. At the very first start that is the newest: history is no news."""
        known = self._outbox.recall(f"traces:{place.name}")
        if known is None:
            entries = place.journal.entries()
            known = entries[-1].seq if entries else 0
            self._outbox.remember(f"traces:{place.name}", known)
        return int(known)

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        failures = 0
        while not stop.wait(back_off_s(failures) if failures else EVERY_S):
            try:
                failures = 0 if self.work() else failures + 1
            except (SlipwayError, OSError) as error:
                failures += 1
                log.error("traces", error=str(error))

    def work(self) -> bool:
        """Tell what ended; return whether everything was taken. Raises JournalError, OutboxError."""
        for name, follower in self._followers.items():
            self._waiting += [(name, story, end) for story, end in follower.ended()]
        while self._waiting:
            name, story, end = self._waiting[0]
            if self._exporter.export(spans_of(story, end, self._resource)) is not SpanExportResult.SUCCESS:
                log.warning("traces", said="the collector did not take a trace; it is tried again", environment=name)
                return False
            self._outbox.remember(f"traces:{name}", end.seq)
            log.info("trace", environment=name, run=story.begin.data["run"], outcome=end.data["outcome"])
            self._waiting.pop(0)
        return True
