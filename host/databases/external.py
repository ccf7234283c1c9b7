"""A PostgreSQL server of others: asked and dumped as the app's role. Nothing here changes or stops anything."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from gates.databases.address import Server
from gates.databases.server import Facts
from host.databases.dumps import dump
from host.databases.postgres import ENVIRONMENT
from host.errors import ToolError
from host.masking import masked

CONNECT_S = 10
ASK = """
SELECT current_setting('server_version_num')::int,
       pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
"""
EXTENSIONS = """
SELECT name, bool_or(trusted AND has_database_privilege(current_database(), 'CREATE')
                     OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
FROM pg_available_extension_versions GROUP BY name
"""
# trusted extensions are of PostgreSQL 13
EXTENSIONS_12 = """
SELECT name, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) FROM pg_available_extensions
"""
# By the words of a URL, what libpq calls them in an environment.
VARIABLES = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
}


@dataclass(frozen=True)
class External:
    """One database of such a server. Errors are ToolErrors without the password."""

    server: Server

    def look(self) -> Facts:
        """Return what the server says to the app's role. Raises ToolError if it does not answer it."""
        with self._connect() as connection:
            row = connection.execute(ASK).fetchone()
            version, standby, may_create = row if row else (0, True, False)
            known = EXTENSIONS if int(str(version)) >= 130_000 else EXTENSIONS_12
            extensions = {str(name): bool(may) for name, may in connection.execute(known.encode()).fetchall()}
            installed = frozenset(str(one) for (one,) in connection.execute("SELECT extname FROM pg_extension"))
            encrypted = bool(connection.pgconn.ssl_in_use)
        return Facts(int(str(version)), bool(standby), bool(may_create), encrypted, extensions, installed)

    def size_bytes(self) -> int:
        """Return how big the database is, indexes and all."""
        with self._connect() as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(str(row[0])) if row else 0

    def dump(self, pg_dump: Path, file: Path, timeout_s: float) -> None:
        """Write the database into an existing file, in pg_dump's custom format."""
        server = self.server
        env = {**ENVIRONMENT, "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": server.user}
        env |= {"PGPASSWORD": server.password} if server.password else {}
        env |= {VARIABLES[key]: value for key, value in server.options}
        env.setdefault("PGCONNECT_TIMEOUT", str(CONNECT_S))
        try:
            dump(pg_dump, server.name, env, file, timeout_s)
        except ToolError as error:
            raise ToolError(self._masked(str(error))) from None

    @property
    def _conninfo(self) -> str:
        server = self.server
        return make_conninfo(
            host=server.host,
            port=server.port,
            dbname=server.name,
            user=server.user,
            password=server.password or None,
            passfile="/dev/null",  # not our user's: the app has none in its sandbox
            **{"connect_timeout": str(CONNECT_S), **dict(server.options)},
        )

    @contextlib.contextmanager
    def _connect(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        server = self.server
        try:
            with psycopg.connect(self._conninfo, autocommit=True) as connection:
                connection.execute(sql.SQL("SET statement_timeout = {}").format(sql.Literal(CONNECT_S * 1000)))
                yield connection
        except psycopg.Error as error:
            said = " ".join(self._masked(str(error)).split())[:500]
            raise ToolError(f"the external PostgreSQL at {server.shown} does not answer: {said}") from None

    def _masked(self, text: str) -> str:
        return masked(text, [self.server.password])
