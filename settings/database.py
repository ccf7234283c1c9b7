"""Databases in config/: the section [database] of pipeline.toml, and the keys of an environment's file.

An artifact has the section as part of how it runs (evidence/bundle.py).
"""

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gates.code_variables import decides_code
from gates.databases.form import DatabaseForm

# Runtimes whose apps get their database from us; in the others the files of the app name it.
GIVES_A_DATABASE = ("process",)


class Database(DatabaseForm):
    """How the app is told of its database, wherever it gets one: in slots of the runtime `process`, suites, load test,
    the trial of compatibility, migrations and seeds. Without this section it is told `DATABASE_URL` in SQLAlchemy's
    form for psycopg.
    """

    # An artifact is not held to these: an old one runs as it did.
    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if named := next((name for name in self.variables if decides_code(name)), ""):
            raise ValueError(f"variables.{named}: it decides which code runs; expected a name that only the app reads")
        if self.sqlite and self.extensions:
            raise ValueError(
                f"extensions: scheme = {self.scheme} is a file, and extensions are PostgreSQL's: leave them out, or "
                "name a scheme of PostgreSQL"
            )
        if self.sqlite and self.connection == "tcp":
            raise ValueError(f"connection: scheme = {self.scheme} is a file, which has no port: leave it out")
        return self


def with_database(raw: Any) -> Any:
    """Return the tables of a pipeline.toml with [database] said in [run] as well. ValueError: [run] says it."""
    run, database = (raw.get(key) if isinstance(raw, dict) else None for key in ("run", "database"))
    if isinstance(run, dict) and "database" in run:
        raise ValueError("run.database is no key; how the app is told of its database stands in [database]")
    if not isinstance(run, dict) or not isinstance(database, dict):
        return raw
    return {**raw, "run": {**run, "database": database}}


class DatabaseKind(StrEnum):
    """Which database an environment's app has."""

    EMBEDDED = "embedded"
    EXTERNAL = "external"
    SQLITE = "sqlite"
    NONE = "none"


class DatabaseSettings(BaseModel):
    """The keys of an environment's file that say which database its app has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: DatabaseKind = DatabaseKind.EMBEDDED
    """`process`: the app's database. `embedded`: a PostgreSQL of the environment's own. `external`: an existing
    PostgreSQL, MySQL or MariaDB server, which `DATABASE_URL` names. `sqlite`: a file in the environment's directory,
    kept over releases. `none`: no server is started, and the app is told no `DATABASE_URL`. With `compose` the compose
    file says it.
    """
    database_url: str = ""
    """With `DATABASE=external`: a reference (`file:PATH`, `env:VARIABLE` or `template:TEXT`, as for `SECRET_<NAME>`) to
    `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, or the same with `mysql://`. Its query may hold `sslmode`,
    `sslrootcert`, `channel_binding`, `connect_timeout`, `application_name`, and `host=/DIRECTORY` of a unix socket
    instead of the host; of MySQL and MariaDB `ssl_mode`, `ssl_ca`, `charset`, `connect_timeout`, and
    `unix_socket=/FILE`.
    """
    database_port: int = Field(0, ge=0, le=32767)
    """With `DATABASE=embedded`: the TCP port of 127.0.0.1 at which the environment's PostgreSQL listens beside its unix
    socket, for an app with `connection = "tcp"` in `[database]`; 0 for none. At most 32767: from 32768 on Linux gives
    ports to outgoing connections. `make up` applies a change: it restarts the server.
    """
    sqlite_shared: bool = False
    """Accept that with `DATABASE=sqlite` and `STRATEGY=blue-green` both versions write one file at the same time."""

    def database_problem(self, *, runtime: str, blue_green: bool, backup: bool) -> str:
        """Return what of these keys does not go with each other, or with the rest of the file; "" when all does."""
        external, sqlite = self.database is DatabaseKind.EXTERNAL, self.database is DatabaseKind.SQLITE
        if runtime not in GIVES_A_DATABASE and (self.database is not DatabaseKind.EMBEDDED or self.database_url):
            return f"DATABASE and DATABASE_URL are for RUNTIME=process; with {runtime} the compose file says it"
        if self.database_port and (runtime not in GIVES_A_DATABASE or self.database is not DatabaseKind.EMBEDDED):
            return "DATABASE_PORT is for RUNTIME=process with DATABASE=embedded, whose server is Slipway's"
        if external != bool(self.database_url):
            return "DATABASE=external and DATABASE_URL must both be set, or neither"
        if sqlite and blue_green and not self.sqlite_shared:
            return (
                "DATABASE=sqlite with STRATEGY=blue-green: two versions would write one file; set STRATEGY=direct, or "
                "SQLITE_SHARED=true to accept it"
            )
        if self.sqlite_shared and not (sqlite and blue_green):
            return "SQLITE_SHARED is for DATABASE=sqlite with STRATEGY=blue-green"
        if self.database is DatabaseKind.NONE and backup:
            return "BACKUP_BEFORE_MIGRATION: DATABASE=none has nothing that could be dumped"
        return ""
