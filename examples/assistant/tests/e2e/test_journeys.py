"""What people do, over HTTP against a server process."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import psycopg

from tests.e2e.conftest import Person, Server
from tests.support import PASSWORD, signed


def utc_today() -> date:
    return datetime.now(UTC).date()


def test_a_day_with_the_assistant(person: Person) -> None:
    milk = person.post("/api/tasks", {"title": "Buy milk", "due_on": str(utc_today())})
    person.post("/api/tasks", {"title": "Call the dentist"})
    assert [task["title"] for task in person.get("/api/tasks?due=today")] == ["Buy milk"]
    assert person.post(f"/api/tasks/{milk['id']}/complete")["completed_at"]
    assert [task["title"] for task in person.get("/api/tasks")] == ["Call the dentist"]
    assert person.get("/api/tasks/summary")["completed_this_week"] == 1
    assert person.get("/api/focus?seconds=0.1") == {"focused_s": 0.1}

    assert person.http.delete("/api/account").status_code == 204
    assert person.http.get("/api/tasks").status_code == 401


def test_logging_in_again(person: Person) -> None:
    credentials = {"email": "ADA@example.org", "password": PASSWORD}
    assert person.post("/api/login", credentials)["user"]["id"] == person.id
    wrong = person.http.post("/api/login", json=credentials | {"password": "wrong"})
    assert wrong.status_code == 401
    taken = person.http.post("/api/register", json=credentials)
    assert taken.status_code == 409


def test_a_text_message_becomes_a_task(person: Person) -> None:
    fields = {"message_id": "e2e", "from": "+4912345678", "text": "Buy milk tomorrow"}
    body = json.dumps(fields).encode()
    for result in ("created", "duplicate"):
        answer = person.http.post("/webhooks/sms", content=body, headers=signed(body))
        assert answer.json()["result"] == result
    assert person.get("/api/tasks")[0]["source"] == "sms"
    assert person.http.post("/webhooks/sms", content=body).status_code == 401
    headers = signed(b"[]")
    assert person.http.post("/webhooks/sms", content=b"[]", headers=headers).status_code == 400


def test_a_list_is_uploaded_in_pieces(person: Person) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"- Buy m"
        yield b"ilk\n- Pay"
        yield b" rent"

    headers = {"content-type": "text/plain"}
    answer = person.http.post("/api/tasks/import", content=pieces(), headers=headers)
    assert answer.json() == {"imported": 2}
    assert {task["title"] for task in person.get("/api/tasks")} == {"Buy milk", "Pay rent"}


def test_an_open_page_hears_of_changes(person: Person) -> None:
    with person.http.stream("GET", "/api/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines) == "retry: 1000"
        task_id = person.post("/api/tasks", {"title": "Buy milk"})["id"]
        heard = next(json.loads(line[6:]) for line in lines if "created" in line)
        assert heard == {"change": "created", "task_id": task_id}
        assert any(line == ": heartbeat" for line in lines)


def test_a_calendar_is_linked_and_unlinked(person: Person) -> None:
    state = person.post("/api/oauth/calendar/start")["state"]
    back = {"state": state, "code": "demo:ada@example.org"}
    assert person.post("/api/oauth/calendar/callback", back)["status"] == "linked"
    refused = {"state": state, "code": "bad"}
    assert person.post("/api/oauth/calendar/callback", refused)["status"] == "failed"
    assert person.http.delete("/api/oauth/calendar").json()["status"] == "unlinked"
    assert {each["status"] for each in person.get("/api/oauth")} == {"unlinked"}


def test_an_administrator_puts_someone_out(
    server: Server, person: Person, sql: psycopg.Connection[Any]
) -> None:
    other = Person(server, "bob@example.org")
    assert person.http.get("/api/admin/users").status_code == 403
    sql.execute("UPDATE users SET is_admin = true WHERE id = %s", [person.id])
    assert len(person.get("/api/admin/users")) == 2
    person.post(f"/api/admin/users/{other.id}/disable")
    with closing(other.http):
        assert other.http.get("/api/tasks").status_code == 401
