"""The client programs of MySQL or MariaDB. Where and as whom they connect stands in a file of options in memory."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gates.databases.address import Server
from host.databases.dumps import TOLD_WITHIN_S
from host.errors import ToolError
from host.sandbox import run as sandbox

BIN = "SLIPWAY_MYSQL_BIN"
# In this order: either client speaks with either server.
CLIENTS = ("mariadb", "mysql")
DUMPERS = ("mariadb-dump", "mysqldump")
# No user of this host has a word in it: not by ~/.my.cnf, nor by ~/.mylogin.cnf.
ENVIRONMENT = {
    "PATH": sandbox.LAUNCHER_PATH,
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
    "MYSQL_TEST_LOGIN_FILE": "/nonexistent/mylogin.cnf",
}
CONNECT_S = 10
ANSWER_S = 300.0


@dataclass(frozen=True)
class Program:
    """A program and whose it is: MariaDB's and MySQL's have other words for the same."""

    path: Path
    mariadb: bool


def program_file(names: Sequence[str]) -> Path:
    """Return the first of these programs that is there: in SLIPWAY_MYSQL_BIN, else on the host. ToolError: none is."""
    named = os.environ.get(BIN)
    if named and not Path(named).is_absolute():
        raise ToolError(f"{BIN}: got {named!r}, expected the absolute path of a directory")
    for name in names:
        if found := shutil.which(name, path=named or sandbox.LAUNCHER_PATH):
            return Path(found)
    where = f"in {BIN}={named}" if named else "on this host"
    raise ToolError(
        f"there is no {' or '.join(names)} {where}; install the client programs (Debian: mariadb-client), or set {BIN} "
        "to their directory"
    )


def find_program(names: Sequence[str]) -> Program:
    """Return the first of these programs that is there. Raises ToolError if none is, or it does not say its version."""
    path = program_file(names)
    try:
        done = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, timeout=TOLD_WITHIN_S, check=True, env=ENVIRONMENT
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{path} --version failed: {error}; install it anew, or set {BIN}") from error
    if not re.search(r"\b(?:Ver|from) \d", done.stdout):
        raise ToolError(f"{path} --version: got {done.stdout.strip()[:100]!r}, expected a version of MySQL or MariaDB")
    return Program(path, "MariaDB" in done.stdout)


@contextmanager
def option_file(program: Program, server: Server) -> Iterator[tuple[str, int]]:
    """Give the word that names the file of options, and its descriptor, which the program must inherit.

    It is in memory, and gone with the block. Raises ToolError if the program cannot be told an option of the server.
    """
    lines = _lines(program, server)
    descriptor = os.memfd_create("slipway-mysql")
    try:
        os.fchmod(descriptor, 0o600)  # one that others could write would be passed over
        os.write(descriptor, "\n".join([*lines, ""]).encode())
        yield f"--defaults-file=/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)


def _lines(program: Program, server: Server) -> list[str]:
    options = dict(server.options)
    where = {"socket": server.host} if server.socket else {"host": server.host, "port": str(server.port)}
    where["protocol"] = "SOCKET" if server.socket else "TCP"
    who = {"user": server.user, **({"password": server.password} if server.password else {})}
    client = [f"{key}={_quoted(value)}" for key, value in {**where, **who}.items()]
    dumper = [] if program.mariadb else ["column-statistics=0", "set-gtid-purged=OFF"]
    return [
        "[client]",
        *client,
        *_tls(program, options),
        "default-character-set=utf8mb4",
        "[mysql]",
        f"database={_quoted(server.name)}",
        f"connect-timeout={options.get('connect_timeout', CONNECT_S)}",
        "[mysqldump]",
        *dumper,
    ]


def _tls(program: Program, options: dict[str, str]) -> list[str]:
    mode, authority = options.get("ssl_mode", ""), options.get("ssl_ca", "")
    if not program.mariadb:
        return [f"ssl-mode={mode or 'PREFERRED'}", *([f"ssl-ca={_quoted(authority)}"] if authority else [])]
    if mode == "VERIFY_CA":
        raise ToolError(
            f"{program.path} is MariaDB's and checks no certificate without the server's name (ssl_mode=VERIFY_CA): "
            f"use ssl_mode=VERIFY_IDENTITY, or set {BIN} to MySQL's programs"
        )
    if authority:
        return ["ssl", f"ssl-ca={_quoted(authority)}", "ssl-verify-server-cert"]
    return ["skip-ssl"] if mode == "DISABLED" else ["ssl", "skip-ssl-verify-server-cert"]


def _quoted(value: str) -> str:
    doubled = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{doubled}"'
