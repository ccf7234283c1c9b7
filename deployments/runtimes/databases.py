"""The databases of the runtime `process`, by DATABASE: the environment's own server, one of others, a file, or none."""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from deployments.candidate import Artifact, read_artifact
from deployments.place import Place
from deployments.runtimes import Database
from deployments.runtimes.external_database import ExternalDatabase, told
from deployments.runtimes.layout import Installed
from evidence.bundle import Run
from gates.databases.address import File, Server
from gates.databases.form import PLAIN_FORM, DatabaseForm
from host.databases import sqlite
from host.databases.dumps import MAGIC
from host.databases.postgres import Postgres
from host.errors import ConfigError, SlipwayError, ToolError
from host.sandbox import run as sandbox
from host.sandbox.uids import environment_uid
from settings.database import DatabaseKind

SERVER = "postgres"
WANTS_A_PORT = '[database] of the artifact has connection = "tcp": name a free port, such as DATABASE_PORT=15432'


class ProcessDatabase(Database, Protocol):
    """A database as a slot's process gets it."""

    @property
    def read_only(self) -> tuple[Path, ...]:
        """Return what of the host the app must see for it."""

    @property
    def writable(self) -> tuple[Path, ...]:
        """Return what of the host the app must write for it."""

    def prepare(self) -> None:
        """Lay out what `up` needs, before the place's supervisor runs."""

    def up(self) -> None:
        """Start what is ours of it."""

    def settle(self, run: Run) -> None:
        """Make what an app that runs so needs in it before it migrates."""


def database_of(place: Place) -> ProcessDatabase:
    """Return the database that the environment's file names."""
    kind = place.settings.database
    if kind is DatabaseKind.EXTERNAL:
        return ExternalDatabase(place)
    if kind is DatabaseKind.SQLITE:
        return SqliteDatabase(place)
    if kind is DatabaseKind.NONE:
        return NoDatabase()
    postgres = Postgres(place.directory / "postgres", place.sockets, place.settings.database_port)
    return OwnDatabase(postgres, place)


@dataclass(frozen=True)
class OwnDatabase:
    """The app's database in the environment's own PostgreSQL."""

    postgres: Postgres
    place: Place
    dump_magic: ClassVar[bytes] = MAGIC
    undoes_failures: ClassVar[bool] = True
    writable: ClassVar[tuple[Path, ...]] = ()

    @property
    def read_only(self) -> tuple[Path, ...]:
        return (self.postgres.socket_directory,)

    def _address(self, form: DatabaseForm) -> Server:
        return self.postgres.address(self.place.app, self.place.app, tcp=form.connection == "tcp")

    def prepare(self) -> None:
        if problem := self._port_problem() or self._left_without_a_port():
            raise ConfigError(problem)
        self.postgres.initialise()

    def _left_without_a_port(self) -> str:
        """Return why the port must stay: a slot is told of it when it starts."""
        former, live = self.postgres.former_port(), self.place.ledger().live
        if former in (0, self.postgres.port) or live is None:
            return ""
        if read_artifact(self.place.store, live.version.digest).bundle.run.database.connection != "tcp":
            return ""
        return (
            f"{self._key}: {live.version} is live and reaches its database at port {former}; put that back, or first "
            'release a version whose [database] has connection = "socket"'
        )

    def _port_problem(self) -> str:
        problem = self.postgres.port_problem()
        return f"{self._key}: {problem}; stop it, or name another port" if problem else ""

    @property
    def _key(self) -> str:
        return f"config/{self.place.name}.env: DATABASE_PORT"

    def up(self) -> None:
        supervisor = self.place.supervisor
        supervisor.run(self.postgres.program(SERVER, priority=10))
        self.postgres.wait_ready(log_tail=lambda: supervisor.log_tail(SERVER), pid=lambda: supervisor.pid(SERVER))
        self.postgres.create_database(self.place.app, self.place.app)

    def settle(self, run: Run) -> None:
        self.postgres.create_extensions(self.place.app, run.database.extensions)

    def variables(self, run: Run) -> Mapping[str, str]:
        return told(run, self._address(run.database))

    def secrets(self) -> Sequence[str]:
        return (self._address(PLAIN_FORM).password,)

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        form = artifact.bundle.run.database if artifact else None
        if form is None:
            return [one for one in [self._port_problem()] if one]
        if form.sqlite:
            return [form.problem(Server("", "", ""))]
        if form.connection == "tcp" and not self.postgres.port:
            return [f"{self._key} is absent, and {WANTS_A_PORT}"]
        if form.connection == "tcp" and not self.postgres.listens():
            return [f"{self._key}={self.postgres.port}: the PostgreSQL here does not listen there yet; run: make up"]
        try:
            missing = self.postgres.missing_extensions(form.extensions) if form.extensions else ""
        except SlipwayError as error:
            return [str(error)]
        return [missing] if missing else []

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        return []

    def size_bytes(self, installed: Installed) -> int:
        return self.postgres.database_bytes(self.place.app)

    def dump(self, installed: Installed, file: Path, timeout_s: float) -> None:
        self.postgres.dump(self.place.app, file, timeout_s)


@dataclass(frozen=True)
class SqliteDatabase:
    """The app's database in a file of the environment's directory, which the app alone reads and writes."""

    place: Place
    dump_magic: ClassVar[bytes] = sqlite.MAGIC
    undoes_failures: ClassVar[bool] = True
    read_only: ClassVar[tuple[Path, ...]] = ()

    @property
    def directory(self) -> Path:
        return self.place.directory / "data"

    @property
    def file(self) -> Path:
        return self.directory / f"{self.place.app}.sqlite3"

    @property
    def writable(self) -> tuple[Path, ...]:
        return (self.directory,)

    def _sandbox(self, installed: Installed, *writable: Path) -> sandbox.Sandbox:
        bound = (installed.directory, installed.environment())
        uid = environment_uid(self.place.home, self.place.name)
        return sandbox.Sandbox(
            sandbox.available(), read_only=bound, writable=writable, network=sandbox.Network.LOOPBACK, uid=uid
        )

    def _give(self, directory: Path) -> None:
        """Let the app's uid, and nobody else, go in."""
        directory.chmod(0o700)
        if os.geteuid() == 0:
            uid = sandbox.Sandbox(sandbox.available(), uid=environment_uid(self.place.home, self.place.name)).owner()
            os.chown(directory, uid, uid)

    def prepare(self) -> None:
        if problems := self.problems():
            raise ConfigError(problems[0])
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._give(self.directory)

    def up(self) -> None:
        """Nothing runs."""

    def settle(self, run: Run) -> None:
        """The app makes the file."""

    def variables(self, run: Run) -> Mapping[str, str]:
        return told(run, File(str(self.file)))

    def secrets(self) -> Sequence[str]:
        return ()

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        if os.geteuid() == 0 and sandbox.available() is sandbox.Isolation.UID:
            return ["DATABASE=sqlite: this host isolates app code by uid only, and no other uid reaches our directory"]
        run = artifact.bundle.run if artifact else Run(command=("-",))
        problem = run.database.problem(File(str(self.file)))
        if not problem and run.database.extensions:
            problem = f"SQLite has no extension {run.database.extensions[0]}"
        return [f"DATABASE=sqlite: {problem}"] if problem else []

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        if not self.place.settings.sqlite_shared:
            return []
        return ["Both versions write one file of SQLite while they run side by side (SQLITE_SHARED)."]

    def size_bytes(self, installed: Installed) -> int:
        return sqlite.size_bytes(self.file)

    def dump(self, installed: Installed, file: Path, timeout_s: float) -> None:
        """Copy the file while it may be written: with the app's Python, in the app's sandbox, as it is a stranger's."""
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=self.place.directory) as scratch:
            copy = Path(scratch) / "copy"
            self._give(Path(scratch))
            done = sandbox.run(
                [
                    str(installed.environment() / "bin" / "python"),
                    "-I",
                    "-S",
                    "-c",
                    sqlite.COPY,
                    str(self.file),
                    str(copy),
                ],
                cwd=Path(scratch),
                env={"PATH": sandbox.LAUNCHER_PATH, "LANG": "C.UTF-8"},
                sandbox=self._sandbox(installed, self.directory, Path(scratch)),
                timeout_s=timeout_s,
            )
            if done.failed:
                raise ToolError(f"the copy of {self.file} {done.how}: {done.output.strip()[-600:]}")
            with open(os.open(copy, os.O_RDONLY | os.O_NOFOLLOW), "rb") as whole, open(file, "wb") as kept:
                shutil.copyfileobj(whole, kept)


class NoDatabase:
    """The app has none, or one that only its own settings know."""

    dump_magic: ClassVar[bytes] = b""
    undoes_failures: ClassVar[bool] = True
    read_only: ClassVar[tuple[Path, ...]] = ()
    writable: ClassVar[tuple[Path, ...]] = ()

    def prepare(self) -> None:
        """Nothing is laid out."""

    def up(self) -> None:
        """Nothing runs."""

    def settle(self, run: Run) -> None:
        """Nothing is made."""

    def variables(self, run: Run) -> Mapping[str, str]:
        return {}

    def secrets(self) -> Sequence[str]:
        return ()

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        form = artifact.bundle.run.database if artifact else None
        if form and form.variables:
            return [f"DATABASE=none, and [database] variables want {', '.join(form.variables)}"]
        return []

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        return []

    def size_bytes(self, installed: Installed) -> int:
        raise ConfigError("DATABASE=none: there is nothing that could be dumped")

    def dump(self, installed: Installed, file: Path, timeout_s: float) -> None:
        raise ConfigError("DATABASE=none: there is nothing that could be dumped")
