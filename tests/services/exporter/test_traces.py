"""Traces of releases against a real OTLP HTTP receiver that reads the protocol's own messages."""

import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from deployments.environment import Environment
from host.ports import free_port
from services.exporter.traces import Tracer, trace_id
from settings.targets import Target
from tests.prefect_server import a_home

V2 = {"digest": "d" * 64, "version": "v2", "commit": "c" * 40}
RUN = "11111111-2222-3333-4444-555555555555"


class Collector:
    """An OpenTelemetry collector's HTTP side: keeps what it is sent. `status` is what it answers."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.port = 0

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for one in self.requests
            for resource in one.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if made.status == 200 and self.path == "/v1/traces":
                message = ExportTraceServiceRequest()
                message.ParseFromString(body)
                made.requests.append(message)
                made.headers.append({key.lower(): value for key, value in self.headers.items()})
            self.send_response(made.status if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


class World:
    def __init__(self, directory: Path) -> None:
        self.home = a_home(directory)
        self.place = Environment.open(Target("production"), "assistant", self.home)

    def tracer(self) -> Tracer:
        made = Tracer.of(self.home, [self.place], "assistant")
        assert made is not None
        return made

    def write(self, kind: str, **data: Any) -> None:
        self.place.journal.append(kind, data, 1)

    def release(self, mark: str, outcome: str = "promoted", run: str = RUN) -> None:
        self.write("begin", id=mark, operation="release", slot="green", run=run, before=None, **V2)
        for name in ("install", "switch"):
            self.write("step", name=name, seconds=0.25)
        self.write("judged", action="promote", reason="error rate 0%")
        self.write("end", id=mark, outcome=outcome, reason="error rate 0% of 50 requests")


@pytest.fixture
def world(tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    return World(tmp_path)


def attributes(span: Span) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


def test_a_release_is_one_trace_with_a_span_for_each_step(
    world: World, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=blue")
    tracer = world.tracer()
    world.write(
        "question",
        id="q1",
        run=RUN,
        deployment="release/prod",
        parameters={},
        expires="2030-01-01T00:00:00+00:00",
        pid=1,
        started=1.0,
    )
    world.write("answer", id="q1", ruling="accepted", reason="Robin")
    world.release("op1")
    assert tracer.work()
    root, *steps = collector.spans
    assert [root.name, *(step.name for step in steps)] == ["release production v2", "approval", "install", "switch"]
    assert {span.trace_id for span in collector.spans} == {uuid.UUID(RUN).bytes}
    assert root.parent_span_id == b"" and {step.parent_span_id for step in steps} == {root.span_id}
    assert len({span.span_id for span in collector.spans}) == 4
    assert attributes(root)["cicd.pipeline.result"] == "success" and root.status.code == Status.STATUS_CODE_OK
    assert attributes(root)["deployment.environment.name"] == "production"
    install = steps[1]
    assert install.end_time_unix_nano - install.start_time_unix_nano == 250_000_000
    assert all(root.start_time_unix_nano <= one.start_time_unix_nano for one in steps)
    assert [event.name for event in root.events] == ["judged"]
    assert collector.headers[0]["x-team"] == "blue"
    resource = collector.requests[0].resource_spans[0].resource
    assert {one.key: one.value.string_value for one in resource.attributes}["service.name"] == "slipway"


def test_a_failed_release_is_an_error_with_its_reason(world: World, collector: Collector) -> None:
    tracer = world.tracer()
    world.release("op1", "rolled back")
    assert tracer.work()
    root = collector.spans[0]
    assert root.status.code == Status.STATUS_CODE_ERROR and "error rate" in root.status.message
    assert attributes(root)["slipway.outcome"] == "rolled back"


def test_history_is_no_news_and_nothing_is_told_twice(world: World, collector: Collector) -> None:
    world.release("old")
    tracer = world.tracer()
    assert tracer.work() and collector.spans == []
    world.release("op1")
    assert tracer.work() and tracer.work()
    assert len(collector.requests) == 1
    assert world.tracer().work() and len(collector.requests) == 1


def test_what_the_collector_did_not_take_is_told_later_by_the_next_process_too(
    world: World, collector: Collector
) -> None:
    tracer = world.tracer()
    collector.status = 500
    world.release("op1")
    assert not tracer.work()
    collector.status = 200
    again = world.tracer()
    world.release("op2", run="")
    assert again.work()
    assert [
        attributes(request.resource_spans[0].scope_spans[0].spans[0])["cicd.pipeline.run.id"]
        for request in collector.requests
    ] == [RUN, "op2"]


def test_what_was_typed_by_hand_has_a_trace_of_its_own(world: World, collector: Collector) -> None:
    tracer = world.tracer()
    world.release("op1", run="")
    assert tracer.work()
    assert int.from_bytes(collector.spans[0].trace_id) == trace_id("", "op1") != trace_id("", "op2")


def test_a_dead_endpoint_leaves_the_journal_and_its_writers_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    tracer = world.tracer()
    stop = threading.Event()
    thread = threading.Thread(target=tracer.run, args=(stop,), daemon=True)
    thread.start()
    for number in range(20):
        world.release(f"op{number}")
    assert world.place.ledger().operations[-1].outcome == "promoted"
    stop.set()
    thread.join(20)
    assert not thread.is_alive()


def test_without_an_endpoint_there_is_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    assert Tracer.of(world.home, [world.place], "assistant") is None
    assert not (world.home.control / "outbox.sqlite").exists()
