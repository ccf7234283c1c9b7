import asyncio
import json
import threading
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import text

from assistant.api.deps import Services
from assistant.app import create_app
from assistant.events import Broker, Listener, announce
from assistant.models import Base
from tests.app_fixtures import Person, metric
from tests.support import database_url, make_settings


@pytest.fixture
def cut_off() -> Iterator[TestClient]:
    """An application whose database does not answer."""
    with TestClient(create_app(make_settings())) as client:
        yield client


def test_the_migrations_make_the_models(services: Services) -> None:
    with services.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_everything_is_healthy(client: TestClient) -> None:
    overall = client.get("/health/overall")
    assert overall.status_code == 200
    assert overall.json()["status"] == "healthy"
    assert set(overall.json()["checks"]) == {"pool", "database"}
    assert client.get("/health/database").json()["schema"]
    pool = client.get("/health/database/pool").json()
    assert (pool["in_use"], pool["capacity"]) == (0, 10)


def test_a_full_pool_only_slows_the_service(client: TestClient, services: Services) -> None:
    engine = services.database.engine
    held = [engine.connect() for _ in range(services.database.pool_capacity)]
    try:
        assert client.get("/health/database/pool").status_code == 503
        threading.Timer(0.1, held.pop().close).start()
        overall = client.get("/health/overall")
        assert (overall.status_code, overall.json()["status"]) == (200, "degraded")
    finally:
        for connection in held:
            connection.close()
    assert client.get("/health/database/pool").status_code == 200


def test_a_server_that_leaves_is_unhealthy(client: TestClient, services: Services) -> None:
    services.broker.closing = True
    try:
        answer = client.get("/health/overall")
    finally:
        services.broker.closing = False
    assert answer.status_code == 503
    assert answer.json()["checks"]["server"]["reason"] == "shutting down"


def test_an_empty_database_is_named(client: TestClient, services: Services) -> None:
    with services.database.begin() as session:
        session.execute(text("ALTER TABLE alembic_version RENAME TO hidden"))
    try:
        answer = client.get("/health/database")
    finally:
        with services.database.begin() as session:
            session.execute(text("ALTER TABLE hidden RENAME TO alembic_version"))
    assert answer.status_code == 503
    assert answer.json()["reason"] == "the database is not migrated"


def test_without_a_database_it_lives_and_says_so(cut_off: TestClient) -> None:
    assert cut_off.get("/health/live").status_code == 200
    assert cut_off.get("/metrics").status_code == 200
    answer = cut_off.get("/health/database")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unhealthy", "reason": "OperationalError"}
    login = {"email": "ada@example.org", "password": "long enough"}
    refused = cut_off.post("/api/login", json=login)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")


def test_queries_are_timed(client: TestClient, person: Person) -> None:
    before = metric(client, "db_query_duration_seconds_count")
    person.get("/api/tasks")
    assert metric(client, "db_query_duration_seconds_count") >= before + 2


def test_audit_entries_carry_the_id_of_their_request(
    client: TestClient, person: Person, services: Services
) -> None:
    person.call("DELETE", "/api/oauth/mail", headers={"X-Request-ID": "abc-1"})
    query = text("SELECT correlation_id FROM audit_log WHERE event = 'oauth_unlinked'")
    with services.database.begin() as session:
        assert session.scalar(query) == "abc-1"


def test_changes_travel_when_they_are_committed_even_after_a_lost_connection(
    client: TestClient, services: Services
) -> None:
    heard: list[dict[str, object]] = []
    arrived = threading.Event()

    class Recorder(Broker):
        def publish(self, payload: str) -> None:
            heard.append(json.loads(payload))
            arrived.set()

    def next_change() -> dict[str, object]:
        assert arrived.wait(5)
        arrived.clear()
        return heard[-1]

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    listener = Listener(database_url(), Recorder(), loop)
    try:
        assert next_change()["change"] == "reload"
        with services.database.begin() as session:
            announce(session, 1, "created", 10)
            session.rollback()
        with services.database.begin() as session:
            announce(session, 1, "created", 11)
        assert next_change() == {"user_id": 1, "change": "created", "task_id": 11}

        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        with services.database.begin() as session:
            session.execute(text(kill + " AND datname = current_database()"))
        assert next_change()["change"] == "reload"
    finally:
        listener.stop()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
