"""An empty database for a check, gone afterwards: in the suites' PostgreSQL, in a MariaDB of its own, or a file."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from control.plane import SUITE_DATABASE, Control, suite_database
from gates.databases.address import Address, Family, File, Server
from gates.databases.form import DatabaseForm
from host.databases.mariadb import fresh_mariadb
from host.databases.postgres import Postgres
from host.errors import ConfigError
from host.home import Home
from host.ports import Endpoint
from host.sandbox.run import AnyNetwork
from settings.database import DatabaseKind
from tasks.source.relays import outlet
from tasks.source.workspace import Workspace

# What SQLite leaves beside its file.
BESIDE = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True)
class FreshDatabase:
    """Where it is, and what of the host the check's sandbox must see of it; a file lies in what the check may write.
    `port`: where a server is reached in the check's network.
    """

    address: Address | None
    read_only: tuple[Path, ...] = ()
    port: Endpoint | None = None

    def told(self, form: DatabaseForm) -> dict[str, str]:
        """Return what an app is told of it. Raises ConfigError if it cannot be told in this form."""
        address = self.address
        if address is None:
            return {}
        if form.connection == "tcp" and self.port and isinstance(address, Server):
            address = replace(address, host=self.port.host, port=self.port.port)
        try:
            return form.told(address)
        except ValueError as error:
            raise ConfigError(f"config/pipeline.toml: database: {error}") from error


@contextmanager
def fresh_database(
    name: str,
    workspace: Workspace,
    kind: DatabaseKind = DatabaseKind.EMBEDDED,
    *,
    copies: Sequence[str] = (),
    network: AnyNetwork | None = None,
) -> Iterator[FreshDatabase]:
    """Give a check its database while the block runs, with the extensions that the commit needs: a file of SQLite where
    the commit or the environment (`kind`) has such ones, a MariaDB of the check's own where the commit's scheme is one
    of MySQL, and none where the environment has none. What stands in for an external PostgreSQL is the suites' own.
    `copies` (tasks/source/django_databases.py): in PostgreSQL there are further ones, with `test_` before its name and
    these after it: the role may make none itself. In a `network` a server is reached at a port as well.
    """
    with _made(name, workspace, kind, copies) as database, ExitStack() as stack:
        if network is not None and isinstance(database.address, Server):
            socket = Path(database.address.socket_file)
            database = replace(database, port=stack.enter_context(outlet(workspace, name, network, socket)))
        yield database


@contextmanager
def _made(name: str, workspace: Workspace, kind: DatabaseKind, copies: Sequence[str]) -> Iterator[FreshDatabase]:
    form = workspace.database
    if kind is DatabaseKind.NONE:
        yield FreshDatabase(None)
        return
    if form.sqlite or kind is DatabaseKind.SQLITE:
        file = workspace.scratch(name) / f"{uuid.uuid4().hex[:12]}.sqlite3"
        try:
            yield FreshDatabase(File(str(file)))
        finally:
            for end in BESIDE:
                file.with_name(file.name + end).unlink(missing_ok=True)
        return
    if form.family is Family.MYSQL:
        with fresh_mariadb(workspace.root / name / f"mariadb-{uuid.uuid4().hex[:8]}") as address:
            yield FreshDatabase(address, (Path(address.socket_directory),))
        return
    server: Postgres = suite_database()
    database = f"suite_{name.replace('-', '_')}_{uuid.uuid4().hex[:12]}"
    made = [database, *(f"test_{database}{end}" for end in copies)]
    try:
        for one in made:
            server.create_database(one, database, form.extensions)
        yield FreshDatabase(server.address(database, database), (server.socket_directory,))
    finally:
        for one in made:
            server.drop_database(one)
        server.drop_role(database)


def database_process() -> int | None:
    """Return the process id below which the databases' server runs, None when it is down."""
    state = Control(Home.find()).supervisor.state(SUITE_DATABASE)
    return state.pid if state and state.pid else None
