"""A MariaDB on this host that others run, with TLS, for tests (Debian: mariadb-server)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from gates.databases.address import Server
from gates.databases.server_url import read_server
from host.ports import free_port
from tests.pems import Issuer
from tests.waiting import wait_for

PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb", "mariadb-dump")
# What breaks a file of options, a URL or a shell that takes it as it is.
PASSWORD = "p\"w\\d#;' 1%" + "hunter2hunter2"
SHOP = "shop"


@dataclass(frozen=True)
class MariaDb:
    """A running server: its superuser is root, without a password, at the socket."""

    socket: Path
    port: int
    authority: Path

    def run(self, *statements: str) -> str:
        """Run statements as its superuser; return what was answered."""
        words = ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch", "--skip-column-names"]
        done = subprocess.run(words, input=";\n".join(statements), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def url(
        self, user: str = SHOP, password: str = PASSWORD, name: str = SHOP, query: str = "", tcp: bool = False
    ) -> str:
        """Return the URL of a database for a user."""
        who = f"{user}:{quote(password, safe='')}"
        if tcp:
            return f"mysql://{who}@localhost:{self.port}/{name}?{query}"
        return f"mysql://{who}@/{name}?unix_socket={self.socket}&{query}".rstrip("&")

    def server(
        self, user: str = SHOP, password: str = PASSWORD, name: str = SHOP, query: str = "", tcp: bool = False
    ) -> Server:
        """Return a database of it as the app's URL names it."""
        return read_server(self.url(user, password, name, query, tcp))


def need(*programs: str, package: str) -> None:
    """Fail the test in CI where a program is not there, and skip it elsewhere."""
    if missing := [name for name in programs if not shutil.which(name)]:
        said = f"needs {' and '.join(missing)} (Debian: apt-get install {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)


@contextmanager
def mariadb(directory: Path) -> Iterator[MariaDb]:
    """Run one, with a database `shop` of a user of that name who may do everything in it."""
    need(*PROGRAMS, package="mariadb-server")
    issuer = Issuer.make()
    root, chain, key = directory / "root.pem", directory / "server.pem", directory / "server.key"
    for file, pem in zip((root, chain, key), (issuer.root_pem, *issuer.pair("localhost")), strict=True):
        file.write_bytes(pem)
    made = MariaDb(directory / "run" / "s", free_port(), root)
    made.socket.parent.mkdir()
    own = ["--no-defaults", f"--datadir={directory / 'data'}", *(["--user=root"] if os.geteuid() == 0 else [])]
    first = ["mariadb-install-db", *own, "--auth-root-authentication-method=normal", "--skip-test-db"]
    done = subprocess.run(first, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    words = [
        "mariadbd",
        *own,
        f"--socket={made.socket}",
        f"--port={made.port}",
        "--bind-address=127.0.0.1",
        f"--pid-file={directory / 'pid'}",
        f"--ssl-cert={chain}",
        f"--ssl-key={key}",
        "--event-scheduler=OFF",
        "--innodb-flush-log-at-trx-commit=0",
    ]
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or _answers(made), f"MariaDB in {directory}")
        assert process.poll() is None, (directory / "log").read_text()
        word = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
        made.run(
            f"CREATE DATABASE {SHOP}", f"CREATE USER {SHOP} IDENTIFIED BY '{word}'", f"GRANT ALL ON {SHOP}.* TO {SHOP}"
        )
        yield made
    finally:
        process.terminate()
        process.wait()


def _answers(server: MariaDb) -> bool:
    words = ["mariadb", "--no-defaults", f"--socket={server.socket}", "--user=root", "--execute=SELECT 1"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
