"""Prefect's server as a process of this host, and one that runs on another host. In containers: server_stack.py."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from host.databases.postgres import Postgres
from host.home import CHECKOUT, Home
from host.supervisor.program import Program
from host.supervisor.supervisor import Supervisor

SERVER = "prefect-server"
DATABASE = "postgres"


def prefect() -> str:
    """Return the `prefect` command of this environment."""
    return str(Path(sys.executable).with_name("prefect"))


class PrefectServer(Protocol):
    """One way to have a server. Its history is its own: what was kept by one kind another does not know."""

    @property
    def kind(self) -> str:
        """Return "process", "compose" or "elsewhere"."""

    @property
    def programs(self) -> tuple[str, ...]:
        """Return the names of its programs under the control plane's supervisor."""

    def running(self) -> bool:
        """Return whether it has been started, whether or not it answers yet."""

    def up(self, auth: str) -> None:
        """Start it; it takes some seconds to answer. Safe to repeat. Raises ToolError with the last words of what did
        not.
        """

    def down(self) -> None:
        """Stop it, its data kept. Nothing to do where it never was started. Raises ToolError if it could not be
        asked.
        """

    def last_words(self) -> str:
        """Return what it printed last."""


class ServerElsewhere:
    """The server of another host, which is used as it is."""

    kind = "elsewhere"
    programs: tuple[str, ...] = ()

    def running(self) -> bool:
        return True

    def up(self, auth: str) -> None:
        pass

    def down(self) -> None:
        pass

    def last_words(self) -> str:
        return ""


@dataclass(frozen=True)
class ServerProcess:
    """The server and its PostgreSQL under the control plane's supervisor. Making one changes nothing."""

    home: Home
    port: int
    supervisor: Supervisor
    sockets: Path
    environment: Callable[[], Mapping[str, str]]

    kind = "process"
    programs = (DATABASE, SERVER)

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(self.home.control / "postgres", self.sockets)

    def running(self) -> bool:
        """Return whether the supervisor runs it. Raises SupervisorError if it does not answer."""
        return self.supervisor.runs(SERVER)

    def up(self, auth: str) -> None:
        """Start the database, then the server, which takes some seconds to answer. Raises ToolError with the last
        words.
        """
        self.postgres.initialise()
        self.supervisor.run(self.postgres.program(DATABASE, priority=10))
        self.postgres.wait_ready(
            log_tail=lambda: self.supervisor.log_tail(DATABASE), pid=lambda: self.supervisor.pid(DATABASE)
        )
        self.postgres.create_database("prefect", "prefect", extensions=("pg_trgm",))
        env = {
            **self.environment(),
            "PREFECT_SERVER_API_AUTH_STRING": auth,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.postgres.url(
                "prefect", "prefect", scheme="postgresql+asyncpg"
            ),
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "PREFECT_SERVER_UI_V2_ENABLED": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            # Else `prefect ... --watch` shows no line of a run's log, and so no reason of its end.
            "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED": "true",
            "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true",
            "PREFECT_UI_API_URL": f"http://127.0.0.1:{self.port}/api",
        }
        command = (prefect(), "server", "start", "--host", "127.0.0.1", "--port", str(self.port))
        self.supervisor.run(Program(SERVER, command, CHECKOUT, env, stop_wait_s=15, start_s=1, priority=30))

    def down(self) -> None:
        for name in (SERVER, DATABASE):
            self.supervisor.remove(name)

    def last_words(self) -> str:
        return self.supervisor.log_tail(SERVER, 15)
