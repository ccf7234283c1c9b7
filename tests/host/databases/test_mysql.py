"""A real MariaDB of others: asked and dumped as the app's role, without its password in any word of a program."""

import gzip
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gates.databases.address import Server
from host.databases import mysql_programs
from host.databases.mysql import MAGIC, ExternalMysql
from host.errors import ToolError
from tests.mariadb_server import PASSWORD, SHOP, MariaDb, mariadb
from tests.pems import Issuer

TABLES = (
    "CREATE TABLE shop.kept (id INT PRIMARY KEY, raw BLOB)",
    "INSERT INTO shop.kept VALUES (1, x'00ff27'), (2, '')",
)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    with mariadb(tmp_path_factory.mktemp("mariadb")) as made:
        made.run(*TABLES)
        yield made


@pytest.fixture
def role(others: MariaDb) -> Iterator[str]:
    """A role that may nothing yet, with a password of its own."""
    others.run("CREATE USER little IDENTIFIED BY 'little-word-1'")
    yield "little"
    others.run("DROP USER little")


@pytest.mark.parametrize("tcp", [pytest.param(False, id="socket"), pytest.param(True, id="tcp")])
def test_it_says_what_it_is_to_the_role(others: MariaDb, tcp: bool) -> None:
    facts = ExternalMysql(others.server(tcp=tcp)).look()
    assert facts.product == "MariaDB" and facts.version in others.run("SELECT VERSION()")
    assert facts.may_create and not facts.read_only and facts.encrypted and facts.single == ()
    assert ExternalMysql(others.server(tcp=tcp)).size_bytes() > 0


def test_nothing_is_made_by_asking(others: MariaDb) -> None:
    def everything() -> str:
        return others.run("SELECT table_schema, table_name FROM information_schema.tables", "SELECT * FROM mysql.proc")

    before = everything()
    asked = ExternalMysql(others.server())
    assert asked.look().may_create and asked.no_dump() == ""
    assert everything() == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"password": "another-word-1"}, "Access denied for user", id="password"),
        pytest.param({"name": "absent"}, "Access denied for user .* to database 'absent'", id="no-database"),
        pytest.param({"host": "/nowhere/at/all", "port": 1}, "Can't connect", id="no-socket"),
        pytest.param({"host": "127.0.0.1", "port": 1}, "does not answer: .*Can't connect", id="nobody-there"),
    ],
)
def test_what_does_not_answer_is_told_without_the_password(
    others: MariaDb, change: dict[str, object], why: str
) -> None:
    server = replace(others.server(), **change)  # type: ignore[arg-type]
    with pytest.raises(ToolError, match=why) as told:
        ExternalMysql(server).look()
    assert server.password not in str(told.value) and "hunter2" not in str(told.value)


def test_rights_a_replica_and_tables_without_transactions_are_seen(others: MariaDb, role: str) -> None:
    asked = ExternalMysql(others.server(role, "little-word-1"))
    others.run(f"GRANT SELECT ON shop.* TO {role}")
    assert not asked.look().may_create
    others.run(f"GRANT CREATE ON shop.* TO {role}", "CREATE TABLE shop.single (a INT) ENGINE=MyISAM")
    assert asked.look().may_create and asked.look().single == ("single",)
    others.run("DROP TABLE shop.single", "SET GLOBAL read_only = 1")
    try:
        assert asked.look().read_only
    finally:
        others.run("SET GLOBAL read_only = 0")


def test_tls_is_as_the_url_says(others: MariaDb, tmp_path: Path) -> None:
    def look(query: str, host: str = "localhost") -> bool:
        return ExternalMysql(replace(others.server(query=query, tcp=True), host=host)).look().encrypted

    assert not look("ssl_mode=DISABLED") and look("ssl_mode=REQUIRED")
    assert look(f"ssl_ca={others.authority}")
    with pytest.raises(ToolError, match="Validation of SSL server certificate failed"):
        look(f"ssl_ca={others.authority}", host="127.0.0.1")  # the certificate is of another name
    other = tmp_path / "other.pem"
    other.write_bytes(Issuer.make().root_pem)
    with pytest.raises(ToolError, match="TLS|SSL"):
        look(f"ssl_ca={other}")
    with pytest.raises(ToolError, match="MariaDB's and checks no certificate without the server's name"):
        look(f"ssl_mode=VERIFY_CA&ssl_ca={others.authority}")


def test_a_dump_restores_rows_routines_triggers_and_events(others: MariaDb, tmp_path: Path) -> None:
    others.run("GRANT SELECT ON mysql.proc TO shop")  # the routine is another's
    others.run(
        "USE shop",
        "CREATE PROCEDURE twice() SELECT 2",
        "CREATE TRIGGER before_kept BEFORE INSERT ON kept FOR EACH ROW SET @a = 1",
        "CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DO SELECT 1",
        "CREATE VIEW seen AS SELECT id FROM kept",
        "CREATE DATABASE again",
    )
    try:
        file = tmp_path / "dump"
        asked = ExternalMysql(others.server())
        assert asked.no_dump() == ""
        asked.dump(file, 600)
        assert file.read_bytes().startswith(MAGIC)
        text = gzip.decompress(file.read_bytes()).decode()
        assert PASSWORD not in text
        words = ["mariadb", "--no-defaults", f"--socket={others.socket}", "--user=root", "again"]
        subprocess.run(words, input=text, text=True, check=True)
        assert others.run("SELECT id, HEX(raw) FROM again.kept ORDER BY id") == "1\t00FF27\n2\t\n"
        for table, column in (
            ("routines", "routine"),
            ("triggers", "trigger"),
            ("events", "event"),
            ("views", "table"),
        ):
            assert (
                others.run(f"SELECT COUNT(*) FROM information_schema.{table} WHERE {column}_schema = 'again'") == "1\n"
            )
    finally:
        others.run("DROP DATABASE again", "USE shop", "DROP VIEW seen", "DROP EVENT daily", "DROP PROCEDURE twice")
        others.run("DROP TRIGGER shop.before_kept", "REVOKE SELECT ON mysql.proc FROM shop")


def test_a_role_that_cannot_dump_everything_is_named(others: MariaDb, role: str, tmp_path: Path) -> None:
    asked = ExternalMysql(others.server(role, "little-word-1"))
    others.run(f"GRANT SELECT, LOCK TABLES ON shop.* TO {role}")
    assert "no TRIGGER privilege" in asked.no_dump()
    others.run(f"GRANT TRIGGER ON shop.* TO {role}")
    assert "mariadb-dump of shop ended with" in asked.no_dump() and "Access denied" in asked.no_dump()  # EVENT
    with pytest.raises(ToolError, match="mariadb-dump of shop ended with"):
        asked.dump(tmp_path / "dump", 600)
    others.run(f"GRANT EVENT ON shop.* TO {role}")
    assert asked.no_dump() == ""


def test_a_name_like_an_option_is_a_name(others: MariaDb, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="'--all-databases'"):
        ExternalMysql(others.server(name="--all-databases")).dump(tmp_path / "dump", 600)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        pytest.param("exec sleep 600", "did not end within 0.1 s", id="too-late"),
        pytest.param("echo '-- MariaDB dump 10'", "wrote no whole dump", id="cut-off"),
        pytest.param("echo nonsense; echo '-- Dump completed'", "wrote no whole dump", id="something-else"),
        pytest.param("echo '-- MariaDB dump 10'; exit 3", "ended with 3", id="failed"),
    ],
)
def test_what_is_no_whole_dump_is_refused(
    others: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, why: str
) -> None:
    programs(tmp_path, script)
    monkeypatch.setenv(mysql_programs.BIN, str(tmp_path))
    with pytest.raises(ToolError, match=why):
        ExternalMysql(others.server()).dump(tmp_path / "dump", 0.1 if "sleep" in script else 600)


def programs(directory: Path, script: str) -> None:
    version = 'if [ "$1" = --version ]; then echo "mariadb-dump from 11.4.2-MariaDB"; exit; fi'
    for name in ("mariadb", "mariadb-dump"):
        (directory / name).write_text(f"#!/bin/sh\n{version}\n{script}\n")
        (directory / name).chmod(0o755)


def test_the_password_is_in_no_word_and_no_variable_of_the_program(
    others: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    programs(tmp_path, f'tr "\\0" "\\n" < /proc/$$/environ > {told}; echo "$@" >> {told}; exit 1')
    monkeypatch.setenv(mysql_programs.BIN, str(tmp_path))
    with pytest.raises(ToolError):
        ExternalMysql(others.server()).look()
    text = told.read_text()
    assert "--defaults-file=/proc/self/fd/" in text and "hunter2" not in text and SHOP not in text


def test_a_program_that_is_away_or_none_is_named(
    others: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(mysql_programs.BIN, str(tmp_path))
    with pytest.raises(ToolError, match="no mariadb or mysql in SLIPWAY_MYSQL_BIN=.*Debian: mariadb-client"):
        ExternalMysql(others.server()).look()
    (tmp_path / "mysql").write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "mysql").chmod(0o755)
    with pytest.raises(ToolError, match="got 'hello', expected a version of MySQL or MariaDB"):
        ExternalMysql(others.server()).look()
    monkeypatch.setenv(mysql_programs.BIN, "bin")
    with pytest.raises(ToolError, match="expected the absolute path"):
        ExternalMysql(others.server()).look()


def test_programs_of_mysql_are_told_in_their_own_words(tmp_path: Path) -> None:
    program = mysql_programs.Program(tmp_path / "mysqldump", mariadb=False)
    server = Server("d", "h", "u", 'a"b\\', 3307, (("ssl_ca", "/etc/ca"), ("ssl_mode", "VERIFY_CA")))
    with mysql_programs.option_file(program, server) as (word, descriptor):
        file = Path(word.partition("=")[2].replace("self/fd", f"self/fd/{descriptor}").rpartition("/")[0])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        lines = file.read_text().splitlines()
    assert {"ssl-mode=VERIFY_CA", 'ssl-ca="/etc/ca"', "set-gtid-purged=OFF", 'password="a\\"b\\\\"'} <= {*lines}
