from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from assistant.api.deps import Services
from tests.app_fixtures import Person, metric
from tests.support import PASSWORD


def log_in(client: TestClient, email: str, password: str = PASSWORD) -> Any:
    return client.post("/api/login", json={"email": email, "password": password})


def test_registering_logs_in(client: TestClient) -> None:
    before = metric(client, "assistant_registrations_total")
    person = Person(client, "ada@example.org", None)
    assert person.get("/api/tasks") == []
    assert metric(client, "assistant_registrations_total") == before + 1


def test_addresses_are_taken_whatever_their_case(client: TestClient, person: Person) -> None:
    body = {"email": " ADA@example.org ", "password": PASSWORD}
    assert client.post("/api/register", json=body).status_code == 409


def test_phone_numbers_are_taken(client: TestClient, person: Person) -> None:
    body = {"email": "new@example.org", "password": PASSWORD, "phone": "+4912345678"}
    assert client.post("/api/register", json=body).status_code == 409


@pytest.mark.parametrize(
    "change",
    [
        {"email": "nobody"},
        {"email": "a@b\x00.org"},
        {"email": "a@" + "b" * 260},
        {"password": "short"},
        {"password": "x" * 201},
        {"phone": "call me"},
    ],
)
def test_bad_registrations_are_refused(client: TestClient, change: dict[str, str]) -> None:
    body = {"email": "a@example.org", "password": PASSWORD} | change
    assert client.post("/api/register", json=body).status_code == 422


def test_logging_in_gives_a_working_token(client: TestClient, person: Person, audit: Any) -> None:
    answer = log_in(client, "Ada@Example.org")
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert client.get("/api/tasks", headers=headers).status_code == 200
    assert audit() == [("login", {"email": "ada@example.org"})]
    assert metric(client, 'assistant_logins_total{result="login"}') > 0


def test_a_wrong_password_and_an_unknown_address_look_the_same(
    client: TestClient, person: Person
) -> None:
    wrong = log_in(client, person.email, "wrong password")
    unknown = log_in(client, "nobody@example.org")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_repeated_failures_block_and_are_audited(
    client: TestClient, person: Person, other: Person, audit: Any, services: Services
) -> None:
    for _ in range(5):
        assert log_in(client, person.email, "wrong password").status_code == 401
    assert log_in(client, person.email).status_code == 429
    assert log_in(client, other.email).status_code == 200
    events = [event for event, _ in audit()]
    assert events == ["login_failed"] * 5 + ["login_blocked", "login"]
    with services.database.begin() as session:
        session.execute(text("UPDATE audit_log SET at = at - interval '16 minutes'"))
    assert log_in(client, person.email).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y", "Basic YTpi"])
def test_without_a_good_token_nothing_is_shown(client: TestClient, header: str) -> None:
    answer = client.get("/api/tasks", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_deleting_an_account_deletes_what_it_owns(person: Person, audit: Any) -> None:
    person.add("Buy milk")
    assert person.call("DELETE", "/api/account").status_code == 204
    assert person.call("GET", "/api/tasks").status_code == 401
    assert audit() == [("account_deleted", {})]


def test_administrators_list_and_disable(
    client: TestClient, person: Person, other: Person, audit: Any, services: Services
) -> None:
    with services.database.begin() as session:
        session.execute(text("UPDATE users SET is_admin = (id = :id)"), {"id": person.id})
    listed = person.get("/api/admin/users")
    assert [user["email"] for user in listed] == ["ada@example.org", "bob@example.org"]
    assert "password_hash" not in listed[0]
    assert person.get(f"/api/admin/users?after={person.id}")[0]["id"] == other.id

    disabled = person.call("POST", f"/api/admin/users/{other.id}/disable").json()
    assert disabled["disabled_at"]
    assert other.call("GET", "/api/tasks").status_code == 401
    assert log_in(client, other.email).status_code == 401
    assert person.call("POST", f"/api/admin/users/{person.id}/disable").status_code == 409
    assert person.call("POST", f"/api/admin/users/{other.id + 1}/disable").status_code == 404
    assert ("admin_disabled_user", {"disabled": other.id}) in audit()


def test_others_are_no_administrators(person: Person, other: Person) -> None:
    assert person.call("GET", "/api/admin/users").status_code == 403
    assert person.call("POST", f"/api/admin/users/{other.id}/disable").status_code == 403
