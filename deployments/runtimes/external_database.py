"""The app's database on a server that exists without us: PostgreSQL, MySQL or MariaDB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from deployments.candidate import Artifact
from deployments.place import Place
from deployments.runtimes.app_redis import WAY_OUT
from deployments.runtimes.layout import Installed
from evidence.bundle import Run
from gates.databases.address import Address, Family, Server
from gates.databases.mysql_server import MysqlFacts, MysqlWants, mysql_notes, mysql_problems
from gates.databases.server import Facts, Wants, server_problems
from gates.databases.server_url import CHECKED, read_server
from host.databases import dumps, mysql
from host.databases.external import External
from host.databases.mysql import ExternalMysql
from host.databases.postgres import program_file
from host.errors import ConfigError, SlipwayError
from host.sandbox.places import is_for_all, withheld


def told(run: Run, address: Address) -> dict[str, str]:
    """Return what an app that runs so is told of a database. Raises ConfigError if it cannot be told."""
    try:
        return run.database.told(address)
    except ValueError as error:
        raise ConfigError(f"database: {error}") from error


class _Asked(Protocol):
    """A server of one family, asked and dumped as the app's role. Errors are SlipwayErrors."""

    dump_magic: ClassVar[bytes]

    def problems(self, run: Run | None, backup: bool) -> list[str]:
        """Return what keeps a release from it. `backup`: it must be possible to dump it."""

    def notes(self, run: Run | None, backup: bool) -> list[str]:
        """Return what a person who approves should know of it."""

    def size_bytes(self) -> int:
        """Return how big it is."""

    def dump(self, file: Path, timeout_s: float) -> None:
        """Write it into an existing file."""


@dataclass(frozen=True)
class _Postgres:
    server: Server
    dump_magic: ClassVar[bytes] = dumps.MAGIC

    def problems(self, run: Run | None, backup: bool) -> list[str]:
        major = dumps.dump_major(program_file("pg_dump")) if backup else None
        wants = Wants(bool(run and run.migrate), run.database.extensions if run else (), major)
        return server_problems(self._look(), wants)

    def _look(self) -> Facts:
        return External(self.server).look()

    def notes(self, run: Run | None, backup: bool) -> list[str]:
        facts = self._look()
        plain = "" if facts.encrypted or self.server.near else ", WITHOUT TLS (sslmode in DATABASE_URL)"
        return [f"The database is an external PostgreSQL {facts.shown} at {self.server.shown}{plain}."]

    def size_bytes(self) -> int:
        return External(self.server).size_bytes()

    def dump(self, file: Path, timeout_s: float) -> None:
        External(self.server).dump(program_file("pg_dump"), file, timeout_s)


@dataclass(frozen=True)
class _Mysql:
    server: Server
    dump_magic: ClassVar[bytes] = mysql.MAGIC

    def problems(self, run: Run | None, backup: bool) -> list[str]:
        asked = ExternalMysql(self.server)
        facts = self._look()
        wants = MysqlWants(
            tables=bool(run and run.migrate),
            encrypted=dict(self.server.options).get("ssl_mode") in ("REQUIRED", *CHECKED),
            product="MariaDB" if run and run.database.scheme.startswith("mariadb") else "",
            no_dump=asked.no_dump() if backup else "",
        )
        return mysql_problems(facts, wants)

    def _look(self) -> MysqlFacts:
        return ExternalMysql(self.server).look()

    def notes(self, run: Run | None, backup: bool) -> list[str]:
        migrates, server = bool(run and run.migrate), self.server
        return mysql_notes(self._look(), near=server.near, shown=server.shown, migrates=migrates, backup=backup)

    def size_bytes(self) -> int:
        return ExternalMysql(self.server).size_bytes()

    def dump(self, file: Path, timeout_s: float) -> None:
        ExternalMysql(self.server).dump(file, timeout_s)


@dataclass(frozen=True)
class ExternalDatabase:
    """The app's database there. Nothing of ours creates, drops, starts or stops it."""

    place: Place
    writable: ClassVar[tuple[Path, ...]] = ()

    @property
    def server(self) -> Server:
        """Return where it is. Raises ConfigError, which names the key and repeats nothing of the URL."""
        url = self.place.resolved("DATABASE_URL", self.place.settings.database_url)
        try:
            return read_server(url)
        except ValueError as error:
            raise ConfigError(f"config/{self.place.name}.env: DATABASE_URL: {error}") from None

    @property
    def _asked(self) -> _Asked:
        server = self.server
        return _Mysql(server) if server.family is Family.MYSQL else _Postgres(server)

    @property
    def dump_magic(self) -> bytes:
        return self._asked.dump_magic

    @property
    def undoes_failures(self) -> bool:
        return self.server.family is not Family.MYSQL

    @property
    def read_only(self) -> tuple[Path, ...]:
        seen = (self.server.socket_directory, self.server.authority)
        return tuple(Path(one) for one in seen if one and not is_for_all(Path(one)))

    def prepare(self) -> None:
        """Leave it alone."""

    def up(self) -> None:
        """Leave it alone: an app can wait for its server, and a release asks it first."""

    def settle(self, run: Run) -> None:
        """Leave it alone: preflight asked for the extensions; the migration may create those that it may."""

    def variables(self, run: Run) -> Mapping[str, str]:
        return told(run, self.server)

    def secrets(self) -> Sequence[str]:
        return [one for one in (self.server.password,) if one]

    def problems(self, artifact: Artifact | None = None) -> list[str]:
        """Return what keeps the server from taking a release (of `artifact`); the cause first, when nobody answers."""
        try:
            run = artifact.bundle.run if artifact else None
            server = self.server
            if run and (problem := run.database.problem(server)):
                return [f"database: {problem}"]
            if hidden := withheld(self.read_only):
                return [f"database: {hidden}; {WAY_OUT}"]
            found = self._asked.problems(run, self._is_dumped(run))
        except SlipwayError as error:
            return [str(error)]
        return [f"the external {server.family} at {server.shown}: {one}" for one in found]

    def _is_dumped(self, run: Run | None) -> bool:
        return self.place.settings.backup_before_migration and (run is None or run.migrate is not None)

    def notes(self, artifact: Artifact | None = None) -> list[str]:
        try:
            run = artifact.bundle.run if artifact else None
            return self._asked.notes(run, self._is_dumped(run))
        except SlipwayError:
            return []  # a problem, and told as one

    def size_bytes(self, installed: Installed) -> int:
        return self._asked.size_bytes()

    def dump(self, installed: Installed, file: Path, timeout_s: float) -> None:
        self._asked.dump(file, timeout_s)
