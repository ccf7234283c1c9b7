from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from assistant.api.deps import Services
from tests.app_fixtures import Person, metric
from tests.support import signed


def test_a_message_becomes_a_task(person: Person, client: TestClient, send_sms: Any) -> None:
    before = metric(client, 'assistant_sms_total{result="created"}')
    answer = send_sms("Buy milk by 2026-04-01")
    assert answer.json()["result"] == "created"
    (task,) = person.get("/api/tasks")
    assert (task["title"], task["due_on"], task["source"]) == ("Buy milk", "2026-04-01", "sms")
    assert metric(client, 'assistant_sms_total{result="created"}') == before + 1


def test_strangers_and_empty_messages_are_ignored(person: Person, send_sms: Any) -> None:
    stranger = send_sms("Buy milk", sender="+49999999999")
    assert (stranger.status_code, stranger.json()["result"]) == (200, "ignored")
    assert send_sms("  ").json()["result"] == "ignored"
    assert person.get("/api/tasks") == []


def test_the_disabled_are_strangers(person: Person, send_sms: Any, services: Services) -> None:
    with services.database.begin() as session:
        session.execute(text("UPDATE users SET disabled_at = now()"))
    assert send_sms("Buy milk").json()["result"] == "ignored"


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ({"secret": "someone else's secret"}, "bad signature"),
        ({"age_s": 400}, "timestamp too far from now"),
        ({"age_s": -400}, "timestamp too far from now"),
    ],
)
def test_forged_and_old_messages_are_rejected_and_audited(
    how: dict[str, Any], problem: str, person: Person, send_sms: Any, audit: Any
) -> None:
    answer = send_sms("Buy milk", **how)
    assert (answer.status_code, answer.json()["detail"]) == (401, problem)
    assert person.get("/api/tasks") == []
    assert audit() == [("webhook_rejected", {"webhook": "sms", "problem": problem})]


def test_unsigned_messages_are_rejected(client: TestClient, audit: Any) -> None:
    assert client.post("/webhooks/sms", json={}).status_code == 401
    assert audit()[0][1]["problem"] == "unsigned"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"message_id": "m 1", "from": "ada", "text": "x"}']
)
def test_signed_nonsense_is_rejected(client: TestClient, body: bytes, audit: Any) -> None:
    answer = client.post("/webhooks/sms", content=body, headers=signed(body))
    assert answer.status_code == 400
    assert audit()[0][0] == "webhook_rejected"
