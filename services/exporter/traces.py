"""Tell an OpenTelemetry collector how releases went: one trace for each, a span for each step.

It is made from the journals after the fact, beside the releases: a collector that is away delays none, a release that
was killed has its trace too, and so has one typed by hand. The trace's id is the flow run's id. Only when
OTEL_EXPORTER_OTLP_ENDPOINT (or ..._TRACES_ENDPOINT) is set; OpenTelemetry's other variables hold as well.
"""

import hashlib
import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from deployments.environment import Environment
from deployments.journal.entries import OperationEnded
from deployments.journal.ledger import Approval
from gates.release.operation import Operation, succeeded
from host.errors import SlipwayError
from host.home import Home
from host.wait import back_off_s
from notify.outbox import Outbox
from services.exporter.measures.journal import Reading

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EVERY_S = 2.0
SAMPLED = TraceFlags(TraceFlags.SAMPLED)

log = structlog.get_logger("traces")


class Exports(Protocol):
    """What spans are handed to."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult: ...


@dataclass(frozen=True)
class EndedOperation:
    """An operation that ended with the entry `seq`, and the approval that it waited for, if any."""

    environment: str
    operation: Operation
    approval: Approval | None
    seq: int

    def steps(self) -> Iterator[tuple[str, datetime, datetime, dict[str, str]]]:
        """Yield name, begin, end and attributes of everything that took time, in order."""
        if self.approval:
            yield "approval", self.approval.asked, self.approval.answered, {"slipway.ruling": self.approval.ruling}
        for step in self.operation.steps:
            yield step.name, step.ended - timedelta(seconds=step.seconds), step.ended, {}


def trace_id(run: str, operation: str) -> int:
    """Return the run's id as a number; for what was typed by hand a number made from the operation's id."""
    try:
        return uuid.UUID(run).int
    except ValueError:
        return int.from_bytes(hashlib.sha256(f"operation:{operation}".encode()).digest()[:16])


def spans_of(ended: EndedOperation, resource: Resource) -> list[ReadableSpan]:
    """Return an ended operation's trace, the whole first. The ids are the same whenever it is made again."""
    operation, steps = ended.operation, list(ended.steps())
    version, end = operation.version, operation.ended or operation.began
    trace = trace_id(operation.run, operation.id)
    good = succeeded(operation.kind, operation.outcome)
    common = {
        "deployment.environment.name": ended.environment,
        "service.version": version.version,
        "slipway.digest": version.digest,
        "slipway.slot": operation.slot,
    }
    whole = {
        **common,
        "cicd.pipeline.name": operation.kind,
        "cicd.pipeline.run.id": operation.run or operation.id,
        "cicd.pipeline.result": "success" if good else "failure",
        "slipway.outcome": operation.outcome or "",
        "slipway.reason": operation.reason,
    }
    root = _context(trace, f"{operation.id}:")
    begin = min([operation.began, *(began for _, began, _, _ in steps)])
    status = Status(StatusCode.OK) if good else Status(StatusCode.ERROR, operation.reason[:500])
    events = [Event(remark.kind, {"reason": remark.reason}, _ns(remark.at)) for remark in operation.remarks]
    name = f"{operation.kind} {ended.environment} {version.version}"
    made = [_span(name, root, None, whole, (begin, end), resource, events, status)]
    for number, (step, began, step_end, more) in enumerate(steps):
        context = _context(trace, f"{operation.id}:{number}:{step}")
        attributes = {**common, "cicd.pipeline.task.name": step, **more}
        made.append(_span(step, context, root, attributes, (began, step_end), resource))
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
    """Finds the operations of one journal that ended after the entry `told`."""

    def __init__(self, place: Environment, told: int) -> None:
        self.told = told
        self._reading = Reading(place)

    def ended(self) -> list[EndedOperation]:
        """Return the operations that ended since the last time, oldest first. Raises JournalError."""
        return [
            EndedOperation(self._reading.place.name, change.subject, self._approval(change.subject), change.entry.seq)
            for change in self._reading.news()
            if isinstance(change.event, OperationEnded)
            and isinstance(change.subject, Operation)
            and change.entry.seq > self.told
        ]

    def _approval(self, operation: Operation) -> Approval | None:
        """Return the newest answer that the operation's run had."""
        return next((one for one in reversed(self._reading.ledger.approvals) if one.run == operation.run), None)


class Tracer:
    """The loop over the journals. What could not be told is told later, after a restart too; in order."""

    def __init__(self, outbox: Outbox, places: Sequence[Environment], app: str, exporter: Exports) -> None:
        self._outbox = outbox
        self._exporter = exporter
        self._resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "slipway"), "app": app})
        self._followers = {place.name: Follower(place, self._told(place)) for place in places}
        self._waiting: list[EndedOperation] = []

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
        for follower in self._followers.values():
            self._waiting += follower.ended()
        while self._waiting:
            ended = self._waiting[0]
            name, operation = ended.environment, ended.operation
            if self._exporter.export(spans_of(ended, self._resource)) is not SpanExportResult.SUCCESS:
                log.warning("traces", said="the collector did not take a trace; it is tried again", environment=name)
                return False
            self._outbox.remember(f"traces:{name}", ended.seq)
            log.info("trace", environment=name, run=operation.run, outcome=operation.outcome)
            self._waiting.pop(0)
        return True
