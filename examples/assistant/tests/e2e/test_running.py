"""How the process behaves: its health, its signals, its complaints."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import PATIENCE_S, Person, Server


def test_it_reports_its_health_and_metrics(server: Server, person: Person) -> None:
    for path in ("/health/overall", "/health/database", "/health/database/pool"):
        assert person.get(path)["status"] == "healthy"
    metrics = person.http.get("/metrics").text
    for name in (
        "http_requests_total",
        "http_request_duration_seconds_bucket",
        "http_error_rate",
        "db_query_duration_seconds_bucket",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "assistant_registrations_total",
        "assistant_tasks_completed_total",
    ):
        assert name in metrics


def test_its_log_is_json_with_the_callers_id(server: Server, person: Person) -> None:
    answer = person.http.get("/api/tasks", headers={"X-Request-ID": "e2e-1"})
    assert answer.headers["x-request-id"] == "e2e-1"
    deadline = time.monotonic() + PATIENCE_S
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < deadline:
        lines = [json.loads(line) for line in server.log.read_text().splitlines(keepends=True)]
        found = [line for line in lines if line["correlation_id"] == "e2e-1"]
    assert (found[0]["route"], found[0]["status"]) == ("/api/tasks", 200)


def test_it_finishes_what_it_began_and_ends_streams(leaving_server: Server) -> None:
    person = Person(leaving_server, "eve@example.org")
    answers: list[int] = []
    ended: list[bool] = []
    opened = threading.Barrier(3)

    def focus() -> None:
        opened.wait(PATIENCE_S)
        url, headers = f"{leaving_server.url}/api/focus?seconds=1.5", person.http.headers
        answers.append(
            httpx.get(url, headers=headers, timeout=PATIENCE_S, trust_env=False).status_code
        )

    def listen() -> None:
        with person.http.stream("GET", "/api/events") as stream:
            lines = stream.iter_lines()
            next(lines)
            opened.wait(PATIENCE_S)
            ended.append(list(lines) is not None)  # no error: the stream ended properly

    threads = [threading.Thread(target=focus), threading.Thread(target=listen)]
    for thread in threads:
        thread.start()
    opened.wait(PATIENCE_S)
    time.sleep(1)  # the long poll is on its way
    leaving_server.stop()
    for thread in threads:
        thread.join(PATIENCE_S)
    person.http.close()
    assert answers == [200]
    assert ended == [True]
    assert '"message": "stopped"' in leaving_server.log.read_text()


def test_without_its_secrets_it_says_which_and_stops(tmp_path: Path) -> None:
    server = Server(tmp_path / "log", SESSION_SECRET="", SMS_WEBHOOK_SECRET="short")
    assert server.process.wait(PATIENCE_S) == 1
    message = server.log.read_text().strip().splitlines()
    assert len(message) == 1
    assert "SESSION_SECRET" in message[0]
    assert "SMS_WEBHOOK_SECRET" in message[0]


@pytest.mark.parametrize("path", ["/", "/health/live"])
def test_anyone_may_look_at_the_door(server: Server, path: str) -> None:
    assert httpx.get(server.url + path, timeout=PATIENCE_S, trust_env=False).status_code == 200
