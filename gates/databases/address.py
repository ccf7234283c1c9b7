"""Where a database is: at a server of PostgreSQL or of MySQL and MariaDB, or in a file of SQLite."""

import posixpath
from dataclasses import dataclass, field
from enum import StrEnum

PORT = 5432
SOCKET = ".s.PGSQL."  # what PostgreSQL calls its socket, before the port
MYSQL_PORT = 3306


class Family(StrEnum):
    """Which server it is, by what its clients speak. MariaDB is one of MySQL."""

    POSTGRESQL = "PostgreSQL"
    MYSQL = "MySQL"


@dataclass(frozen=True)
class Server:
    """A database of a server. `host` that begins with / is its unix socket: the directory of PostgreSQL's, the file of
    MySQL's. `options` are those of gates/databases/server_url.py.
    """

    name: str
    host: str
    user: str
    password: str = field(default="", repr=False)
    port: int = PORT
    options: tuple[tuple[str, str], ...] = ()
    family: Family = Family.POSTGRESQL

    @property
    def socket(self) -> bool:
        return self.host.startswith("/")

    @property
    def socket_directory(self) -> str:
        """Return where its unix socket lies, "" when it has none."""
        if not self.socket:
            return ""
        return posixpath.dirname(self.host) if self.family is Family.MYSQL else self.host

    @property
    def socket_file(self) -> str:
        """Return its unix socket, "" when it has none."""
        if not self.socket:
            return ""
        return self.host if self.family is Family.MYSQL else f"{self.host}/{SOCKET}{self.port}"

    @property
    def authority(self) -> str:
        """Return the file with the certificates of authorities that the server is checked by; "" when none is named."""
        options = dict(self.options)
        return options.get("sslrootcert") or options.get("ssl_ca") or ""

    @property
    def near(self) -> bool:
        """Say whether no network lies between this host and the server."""
        return self.socket or self.host in ("localhost", "127.0.0.1", "::1")

    @property
    def shown(self) -> str:
        """Return where the server is, for a message: no user, no password, no database."""
        return self.host if self.socket else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class File:
    """A database of SQLite: the file's absolute path."""

    path: str


Address = Server | File
