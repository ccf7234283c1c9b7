"""An empty PostgreSQL database for a check, dropped afterwards."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control.plane import SUITE_DATABASE, Control, suite_database
from host.databases.postgres import Postgres
from host.home import Home


@contextmanager
def fresh_database(name: str, wanted: bool) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Give a check its database: the URL, and what its sandbox must see of the host; nothing when it wants none."""
    if not wanted:
        yield "", ()
        return
    server: Postgres = suite_database()
    database = f"suite_{name.replace('-', '_')}_{uuid.uuid4().hex[:12]}"
    server.create_database(database, database)
    try:
        yield server.url(database, database), (server.socket_directory,)
    finally:
        server.drop_database(database)
        server.drop_role(database)


def database_process() -> int | None:
    """Return the process id below which the databases' server runs, None when it is down."""
    state = Control(Home.find()).supervisor.state(SUITE_DATABASE)
    return state.pid if state and state.pid else None
