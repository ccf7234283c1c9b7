"""Data for development and staging."""

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from assistant import seed
from assistant.api.deps import Services
from assistant.models import Task, User
from tests.support import make_settings


def counted(services: Services) -> tuple[int, int]:
    with services.database.begin() as session:
        users = session.scalar(select(func.count()).select_from(User))
        return int(users or 0), int(session.scalar(select(func.count()).select_from(Task)) or 0)


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("kind", ["samples", "full"])
def test_it_adds_what_is_missing_and_nothing_twice(services: Services, kind: str) -> None:
    accounts, tasks = seed.SIZES[kind]
    said = seed.seed(services.database, services.settings, kind)
    assert said == f"{kind}: {accounts} accounts and {accounts * tasks} tasks added"
    assert counted(services) == (accounts, accounts * tasks)
    again = seed.seed(services.database, services.settings, kind)
    assert again == f"{kind}: 0 accounts and 0 tasks added"
    assert counted(services) == (accounts, accounts * tasks)


def test_whoever_knows_the_password_can_log_in(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEED_PASSWORD", "a long enough password")
    seed.seed(services.database, services.settings, "samples")
    body = {"email": "samples-0@example.org", "password": "a long enough password"}
    assert client.post("/api/login", json=body).status_code == 200


def test_it_refuses_production_and_what_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="expected one of samples, full"):
        seed.main("masked")
    monkeypatch.setattr(seed, "load_settings", lambda: make_settings(environment="production"))
    with pytest.raises(SystemExit, match="this is production"):
        seed.main("samples")


def test_the_command_says_what_it_added(
    client: TestClient,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(seed, "load_settings", lambda: services.settings)
    seed.main("samples")
    assert "3 accounts and 18 tasks added" in capsys.readouterr().out
