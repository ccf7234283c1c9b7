"""A server process, started as in production, and people who use it over HTTP."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.support import PASSWORD, SESSION_SECRET, SMS_SECRET, database_url, migrate

# Seconds. What takes this long hangs; how fast it is, is measured elsewhere.
PATIENCE_S = 120


class Server:
    def __init__(self, log: Path, **environment: str) -> None:
        database_url()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.log = log
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "uvicorn", "assistant.main:app", "--port", str(port)]
        defaults = {
            "SESSION_SECRET": SESSION_SECRET,
            "SMS_WEBHOOK_SECRET": SMS_SECRET,
            "SCRYPT_LOG2_N": "2",
        }
        with log.open("w") as output:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **defaults, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_until_alive(self) -> None:
        """Wait while the process lives: a busy machine makes a start slow, not wrong."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(f"{self.url}/health/live", timeout=10, trust_env=False)
                return
            except httpx.TransportError:
                time.sleep(0.02)
        pytest.fail(f"the server did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()


class Person:
    def __init__(self, server: Server, email: str, phone: str | None = None) -> None:
        self.http = httpx.Client(base_url=server.url, timeout=PATIENCE_S, trust_env=False)
        body = {"email": email, "password": PASSWORD, "phone": phone}
        answer = self.http.post("/api/register", json=body)
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["user"]["id"]
        self.http.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object = None) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers, started side by side while the database is migrated: it saves seconds."""
    logs = tmp_path_factory.mktemp("servers")
    servers = [Server(logs / "first"), Server(logs / "second")]
    try:
        migrate()
        for server in servers:
            server.wait_until_alive()
        yield servers
    finally:
        for server in servers:
            server.stop()


@pytest.fixture(scope="session")
def server(processes: list[Server]) -> Server:
    return processes[0]


@pytest.fixture
def leaving_server(processes: list[Server]) -> Server:
    """For the one test that ends it."""
    return processes[1]


@pytest.fixture
def sql() -> Iterator[psycopg.Connection[Any]]:
    conninfo = database_url().replace("postgresql+psycopg", "postgresql", 1)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


@pytest.fixture
def person(server: Server, sql: psycopg.Connection[Any]) -> Iterator[Person]:
    sql.execute("DELETE FROM users")
    person = Person(server, "ada@example.org", "+4912345678")
    with closing(person.http):
        yield person
