"""A MySQL or MariaDB of others: asked and dumped as the app's role. Nothing here changes or stops anything."""

import gzip
import re
import secrets
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gates.databases.address import Server
from gates.databases.mysql_server import MysqlFacts
from host.databases.mysql_programs import ANSWER_S, CLIENTS, DUMPERS, ENVIRONMENT, find_program, option_file
from host.errors import ToolError
from host.masking import masked

MAGIC = b"\x1f\x8b\x08"  # of gzip
HEADS = (b"-- MySQL dump", b"-- MariaDB dump", b"/*M!999999\\- enable the sandbox mode */")
END = b"-- Dump completed"
LONGEST_END = 200
LARGEST_ANSWER = 1_000_000
ASK = "SELECT VERSION(), @@global.read_only, @@global.innodb_read_only"
CIPHER = "SHOW SESSION STATUS LIKE 'Ssl_cipher'"
# Engines of which a dump in one transaction has all tables as of one moment; a view has no engine.
SINGLE = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine NOT IN ('InnoDB', 'ROCKSDB', 'TokuDB')
ORDER BY table_name LIMIT 1000
"""
SIZE = """
SELECT CAST(COALESCE(SUM(data_length + index_length), 0) AS UNSIGNED)
FROM information_schema.tables WHERE table_schema = DATABASE()
"""
# Rows are of the role's own grants. Those of roles that it has are not among them.
TRIGGERS_GRANTED = """
SELECT COUNT(*) FROM (
  SELECT privilege_type FROM information_schema.user_privileges
  UNION ALL SELECT privilege_type FROM information_schema.schema_privileges WHERE DATABASE() LIKE table_schema
) granted WHERE privilege_type = 'TRIGGER'
"""
DENIED = (1044, 1142, 1227)
NEEDS_SUPER = 1419  # with the binary log on, before the server looks at the rights
NO_SUCH_TABLE = 1146
READ_ONLY = (1290, 1836)
DUMP = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--no-tablespaces",
)


class _Refused(ToolError):
    """A statement that the server refused, with its number of the error."""

    def __init__(self, said: str, number: int) -> None:
        super().__init__(said)
        self.number = number


@dataclass(frozen=True)
class ExternalMysql:
    """One database of such a server. Errors are ToolErrors without the password."""

    server: Server

    def look(self) -> MysqlFacts:
        """Return what the server says to the app's role. Raises ToolError if it does not answer it."""
        rows = self._ask(ASK)
        if len(rows) != 1 or len(rows[0]) != 3:
            raise ToolError(f"{self._named} gave no version, but {str(rows)[:200]}")
        version, *closed = rows[0]
        cipher = [row[1] for row in self._ask(CIPHER) if len(row) == 2]
        read_only = any(one.upper() not in ("0", "OFF") for one in closed)
        single = tuple(row[0] for row in self._ask(SINGLE) if row)
        return MysqlFacts(version, read_only, self._may("CREATE TABLE {} LIKE {}"), any(cipher), single)

    def no_dump(self) -> str:
        """Return why the role cannot dump the database, "" when it can: the dump's program is tried, without rows.

        A dump leaves out triggers in silence when the role may not see them, so that is asked for.
        """
        if not self._may_see_triggers():
            return "no TRIGGER privilege is granted to the role itself, and triggers would be left out"
        try:
            self._dump(None, ANSWER_S, ("--no-data",))
        except ToolError as error:
            return str(error)
        return ""

    def size_bytes(self) -> int:
        """Return how big the database is, indexes and all, by the server's estimate."""
        rows = self._ask(SIZE)
        if len(rows) != 1 or not rows[0][0].isdecimal():
            raise ToolError(f"{self._named} gave no size, but {str(rows)[:200]}")
        return int(rows[0][0])

    def dump(self, file: Path, timeout_s: float) -> None:
        """Write the database into an existing file: SQL, compressed with gzip."""
        with gzip.open(file, "wb", compresslevel=6) as kept:
            self._dump(kept, timeout_s)

    @property
    def _named(self) -> str:
        return f"the external MySQL at {self.server.shown}"

    def _may_see_triggers(self) -> bool:
        try:
            return self._may("CREATE TRIGGER {} BEFORE INSERT ON {} FOR EACH ROW SET @a = 1")
        except _Refused as error:
            if error.number != NEEDS_SUPER:
                raise
        return self._ask(TRIGGERS_GRANTED) != [["0"]]

    def _may(self, statement: str) -> bool:
        """Say whether the role may make such a thing. It is never made: it would be like a table that does not exist,
        and the server looks at the rights first.
        """
        names = (f"slipway_{secrets.token_hex(12)}" for _ in range(2))
        try:
            self._ask(statement.format(*names))
        except _Refused as error:
            if error.number == NO_SUCH_TABLE or error.number in READ_ONLY:
                return True
            if error.number in DENIED:
                return False
            raise
        raise ToolError(f"{self._named} made a table that is like one which does not exist")

    def _ask(self, statement: str) -> list[list[str]]:
        """Return the rows of an answer. Tabs and line ends in a value are escaped by the program."""
        client = find_program(CLIENTS)
        with option_file(client, self.server) as (word, descriptor):
            words = [str(client.path), word, "--batch", "--skip-column-names", f"--execute={statement}"]
            try:
                done = subprocess.run(
                    words, capture_output=True, timeout=ANSWER_S, check=False, env=ENVIRONMENT, pass_fds=[descriptor]
                )
            except subprocess.TimeoutExpired:
                raise ToolError(f"{self._named} does not answer: nothing within {ANSWER_S:g} s") from None
            except OSError as error:
                raise ToolError(f"{client.path}: {error.strerror}") from error
        if done.returncode:
            said = self._said(done.stderr)
            number = re.search(r"ERROR (\d{1,6})\b", said)
            raise _Refused(f"{self._named} does not answer: {said}", int(number[1]) if number else 0)
        return [line.split("\t") for line in done.stdout[:LARGEST_ANSWER].decode(errors="replace").splitlines()]

    def _dump(self, kept: gzip.GzipFile | None, timeout_s: float, more: Sequence[str] = ()) -> None:
        """Run the dump's program to its end and keep what it writes. Raises ToolError if that is no whole dump."""
        program = find_program(DUMPERS)
        with option_file(program, self.server) as (word, descriptor), tempfile.TemporaryFile() as errors:
            words = [str(program.path), word, *DUMP, *more, "--", self.server.name]
            try:
                process = subprocess.Popen(
                    words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=errors, pass_fds=[descriptor]
                )
            except OSError as error:
                raise ToolError(f"{program.path}: {error.strerror}") from error
            timer = threading.Timer(timeout_s, process.kill)
            timer.daemon = True
            timer.start()
            try:
                head, end = _copied(process, kept)
                code = process.wait()
                late = not timer.is_alive()
            finally:
                timer.cancel()
                process.kill()
                process.wait()
            errors.seek(0)
            said = self._said(errors.read(LARGEST_ANSWER))
        name = program.path.name
        if code and late:
            raise ToolError(f"{name} of {self.server.name} did not end within {timeout_s:g} s")
        if code:
            raise ToolError(f"{name} of {self.server.name} ended with {code}: {said}")
        if not head.startswith(HEADS) or END not in end:
            raise ToolError(f"{name} of {self.server.name} wrote no whole dump: its last words are missing: {said}")

    def _said(self, errors: bytes) -> str:
        text = masked(errors.decode(errors="replace"), [self.server.password] if self.server.password else [])
        return " ".join(text.split())[-500:]


def _copied(process: "subprocess.Popen[bytes]", kept: gzip.GzipFile | None) -> tuple[bytes, bytes]:
    """Copy all that a program writes; return how that begins and ends."""
    head, end = b"", b""
    if process.stdout:
        while chunk := process.stdout.read(1 << 20):
            head, end = head or chunk[:LONGEST_END], (end + chunk)[-LONGEST_END:]
            if kept is not None:
                kept.write(chunk)
    return head, end
