"""Fixtures for the suites that call the application in this process, on a real database."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from assistant.api.deps import Services
from assistant.app import create_app
from tests.support import PASSWORD, make_settings, migrate, signed


class Person:
    """Someone with an account, and the client that speaks for them."""

    def __init__(self, client: TestClient, email: str, phone: str | None) -> None:
        body = {"email": email, "password": PASSWORD, "phone": phone}
        answer = client.post("/api/register", json=body)
        assert answer.status_code == 201, answer.text
        self.id: int = answer.json()["user"]["id"]
        self.email = email
        self._client = client
        self._headers = {"Authorization": f"Bearer {answer.json()['token']}"}

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = self._headers | options.pop("headers", {})
        return self._client.request(method, path, headers=headers, **options)

    def get(self, path: str) -> Any:
        return self.call("GET", path).json()

    def add(self, title: str, due_on: object = None) -> int:
        body = {"title": title, "due_on": due_on and str(due_on)}
        return int(self.call("POST", "/api/tasks", json=body).json()["id"])

    def complete(self, task_id: int) -> Any:
        return self.call("POST", f"/api/tasks/{task_id}/complete")


@pytest.fixture(scope="session")
def running_client() -> Iterator[TestClient]:
    with TestClient(create_app(make_settings(database_url=migrate()))) as client:
        yield client


@pytest.fixture
def services(running_client: TestClient) -> Services:
    found: Services = running_client.app.state.services  # type: ignore[attr-defined]
    return found


@pytest.fixture
def client(running_client: TestClient, services: Services) -> TestClient:
    """Every test begins without users, tasks and audit entries."""
    with services.database.begin() as session:
        session.execute(text("DELETE FROM users"))
        session.execute(text("DELETE FROM audit_log"))
    return running_client


@pytest.fixture
def person(client: TestClient) -> Person:
    return Person(client, "ada@example.org", "+4912345678")


@pytest.fixture
def other(client: TestClient) -> Person:
    return Person(client, "bob@example.org", None)


@pytest.fixture
def audit(services: Services) -> Callable[[], list[tuple[str, Any]]]:
    """The audit log so far, registrations left out: (event, detail)."""

    def read() -> list[tuple[str, Any]]:
        query = text("SELECT event, detail FROM audit_log WHERE event != 'registered' ORDER BY id")
        with services.database.begin() as session:
            return [(row[0], row[1]) for row in session.execute(query)]

    return read


@pytest.fixture
def send_sms(client: TestClient) -> Callable[..., Any]:
    def send(message: str, message_id: str = "m1", sender: str = "+4912345678", **how: Any) -> Any:
        fields = {"message_id": message_id, "from": sender, "text": message}
        body = json.dumps(fields).encode()
        return client.post("/webhooks/sms", content=body, headers=signed(body, **how))

    return send


def metric(client: TestClient, name: str) -> float:
    """The value of one sample, named as `/metrics` writes it, labels included; 0 when absent."""
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    return 0.0
