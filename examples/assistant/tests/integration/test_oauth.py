from typing import Any

from fastapi.testclient import TestClient

from assistant.api.oauth import get_exchange
from tests.app_fixtures import Person, metric


def start(person: Person, provider: str = "mail") -> str:
    return str(person.call("POST", f"/api/oauth/{provider}/start").json()["state"])


def come_back(person: Person, provider: str = "mail", **body: str) -> Any:
    body = {"state": start(person, provider)} | body
    return person.call("POST", f"/api/oauth/{provider}/callback", json=body)


def status(person: Person) -> dict[str, tuple[str, str | None, str | None]]:
    connections = person.get("/api/oauth")
    return {
        each["provider"]: (each["status"], each["account"], each["reason"]) for each in connections
    }


def test_nothing_is_linked_at_first(person: Person) -> None:
    unlinked = ("unlinked", None, None)
    assert status(person) == {"calendar": unlinked, "mail": unlinked}


def test_linking_and_unlinking(person: Person, client: TestClient, audit: Any) -> None:
    linked = 'assistant_oauth_status_total{provider="mail",status="linked"}'
    before = metric(client, linked)
    assert come_back(person, code="demo:ada@example.org").json()["status"] == "linked"
    assert status(person)["mail"] == ("linked", "ada@example.org", None)
    assert metric(client, linked) == before + 1
    assert person.call("DELETE", "/api/oauth/mail").json()["status"] == "unlinked"
    assert status(person)["mail"] == ("unlinked", None, None)
    assert [event for event, _ in audit()] == ["oauth_linked", "oauth_unlinked"]


def test_a_refused_code_is_a_failure_with_its_reason(person: Person, audit: Any) -> None:
    come_back(person, code="stolen")
    assert status(person)["mail"] == ("failed", None, "mail did not accept the code")
    assert audit()[0][0] == "oauth_failed"


def test_an_error_from_the_provider_is_a_failure(person: Person) -> None:
    come_back(person, error="access_denied")
    assert status(person)["mail"][0::2] == ("failed", "access_denied")


def test_a_state_belongs_to_one_person_and_one_provider(person: Person, other: Person) -> None:
    code = "demo:ada"
    assert come_back(person, state=start(other), code=code).status_code == 400
    assert come_back(person, state=start(person, "calendar"), code=code).status_code == 400
    assert come_back(person, state="x.y", code=code).status_code == 400
    assert status(person)["mail"][0] == "unlinked"


def test_unknown_providers_do_not_exist(person: Person) -> None:
    assert person.call("POST", "/api/oauth/fax/start").status_code == 422


def test_the_exchange_can_be_replaced(person: Person, client: TestClient) -> None:
    overrides = client.app.dependency_overrides  # type: ignore[attr-defined]
    overrides[get_exchange] = lambda: lambda provider, code: f"{provider}/{code}"
    try:
        come_back(person, code="real")
    finally:
        overrides.clear()
    assert status(person)["mail"][1] == "mail/real"
