"""A MariaDB of one check's own: empty, reached by a unix socket only, gone when the check is.

The programs are the host's (Debian: mariadb-server); Slipway brings none. It runs sandboxed as the user that app code
runs as, without a network: who may change a schema can make a server write files.
"""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gates.databases.address import MYSQL_PORT, Family, Server
from host.errors import ToolError
from host.files import open_directory, remove_tree
from host.sandbox import run as sandbox
from host.sandbox.run import Isolation, Network

PATH = f"/usr/local/sbin:/usr/sbin:{sandbox.LAUNCHER_PATH}"
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8"}
SERVER, INSTALLER = "mariadbd", "mariadb-install-db"
SOCKET = "s"  # from its directory
READY_S = 600.0  # only for one that neither ends nor answers
LIFETIME_S = 12 * 3600.0
NAME = "suite"
SETTINGS = (
    "--skip-networking",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--local-infile=OFF",
    "--event-scheduler=OFF",
    "--performance-schema=OFF",
    "--character-set-server=utf8mb4",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--innodb-flush-log-at-trx-commit=0",
)


def find_programs() -> tuple[Path, Path]:
    """Return MariaDB's server and what makes its first tables. Raises ToolError, with the cure, if one is not there."""
    found = [shutil.which(name, path=PATH) for name in (SERVER, INSTALLER)]
    server, installer = found
    if server is None or installer is None:
        missing = [name for name, path in zip((SERVER, INSTALLER), found, strict=True) if path is None]
        raise ToolError(
            f"[database] scheme is one of MySQL, and this host has no {' and no '.join(missing)} for a server of the "
            "check's own (Slipway brings none); install MariaDB's server (Debian: mariadb-server; it need not run)"
        )
    return Path(server), Path(installer)


@contextlib.contextmanager
def fresh_mariadb(directory: Path) -> Iterator[Server]:
    """Start a MariaDB with one empty database and a role that may do everything in it, and give where it is.

    `directory` is made for its data and removed with the block. The server ends with the block, with this process, and
    after 12 hours. Raises ToolError when it cannot be had or does not come up.
    """
    programs = find_programs()
    directory.mkdir(mode=0o700, parents=True)
    sockets = Path(tempfile.mkdtemp(prefix="slipway-mariadb-"))  # a socket's path must be short
    server = _Server(*programs, directory, sockets)
    try:
        server.start()
        yield server.address
    finally:
        server.stop()
        remove_tree(directory)
        remove_tree(sockets)


@dataclass
class _Server:
    binary: Path
    installer: Path
    directory: Path
    sockets: Path
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    said: str = ""
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    @property
    def address(self) -> Server:
        return Server(NAME, str(self.sockets / SOCKET), NAME, self.password, port=MYSQL_PORT, family=Family.MYSQL)

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _box(self) -> sandbox.Sandbox:
        level = sandbox.available()
        if level is Isolation.NONE and os.geteuid() == 0:
            level = Isolation.UID  # MariaDB does not run as root
        network = Network.LOOPBACK if level is Isolation.NAMESPACES else Network.HOST
        return sandbox.Sandbox(level, writable=(self.directory, self.sockets), network=network)

    def start(self) -> None:
        """Make its data, start it and wait until it greets."""
        self._own(self.directory, 0o700)
        self._own(self.sockets, 0o711)
        done = self._sandboxed(
            [
                str(self.installer),
                "--no-defaults",
                f"--datadir={self._data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
        )
        if done.failed:
            raise ToolError(f"{self.installer} {done.how}: {done.output.strip()[-600:]}")
        self._write_first_statements()
        self._thread = threading.Thread(target=self._run, name="mariadb", daemon=True)
        self._thread.start()
        until = time.monotonic() + READY_S
        while not self._greets():
            if not self._thread.is_alive() or time.monotonic() > until:
                self.stop()
                raise ToolError(f"{self.binary} did not come up: {self.said.strip()[-600:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, if it runs."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _own(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, self._box.owner(), self._box.owner())

    def _write_first_statements(self) -> None:
        """Its superuser is nobody's. The check's role may not leave its database, but for those whose names begin with
        test_, which Django's tests make: the server is the check's alone.
        """
        who = f"'{NAME}'@'localhost'"
        file = self.directory / "first.sql"
        statements = (
            "ALTER USER 'root'@'localhost' ACCOUNT LOCK;",
            f"CREATE DATABASE {NAME};",
            f"CREATE USER {who} IDENTIFIED BY '{self.password}';",
            f"GRANT ALL ON {NAME}.* TO {who};",
            f"GRANT ALL ON `test\\_%`.* TO {who};",
        )
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as written:
            written.write("\n".join([*statements, ""]))
        self._own(file, 0o600)

    def _run(self) -> None:
        words = [
            str(self.binary),
            "--no-defaults",
            f"--datadir={self._data}",
            f"--socket={self.sockets / SOCKET}",
            f"--pid-file={self.directory / 'pid'}",
            f"--tmpdir={self.directory}",
            f"--init-file={self.directory / 'first.sql'}",
            *SETTINGS,
        ]
        try:
            self.said = self._sandboxed(words).output
        except ToolError as error:
            self.said = str(error)

    def _sandboxed(self, words: Sequence[str]) -> sandbox.Completed:
        return sandbox.run(
            words,
            cwd=self.directory,
            env=ENVIRONMENT,
            sandbox=self._box,
            timeout_s=LIFETIME_S,
            output_limit_bytes=200_000,
            cancelled=self._stopping,
        )

    def _greets(self) -> bool:
        """Say whether it takes connections: it does so after its first statements."""
        try:
            with open_directory(self.sockets) as directory, socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(60)
                connection.connect(str(directory / SOCKET))
                return len(connection.recv(16)) > 4
        except OSError:
            return False
