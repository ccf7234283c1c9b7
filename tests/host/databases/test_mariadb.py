"""A real MariaDB of a check's own, in the real sandbox: its role has one database, and nothing is left of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gates.databases.address import Server
from host.databases import mariadb
from host.databases.mariadb import fresh_mariadb
from host.databases.mysql import ExternalMysql
from host.errors import ToolError
from host.files import remove_tree
from tests.mariadb_server import PROGRAMS, need
from tests.tasks.small_app import processes_with
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def _programs() -> None:
    need(*PROGRAMS, package="mariadb-server")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with fresh_mariadb(tmp_path / "mariadb") as made:
        yield made


def run(server: Server, statement: str) -> str:
    return str(ExternalMysql(server)._ask(statement))


def test_it_has_one_empty_database_for_its_role_alone_and_is_gone_with_the_block(tmp_path: Path) -> None:
    with fresh_mariadb(tmp_path / "mariadb") as server:
        asked = ExternalMysql(server)
        facts = asked.look()
        assert facts.may_create and not facts.read_only and asked.no_dump() == "" and asked.size_bytes() == 0
        assert run(server, "SELECT @@character_set_server, @@skip_networking") == "[['utf8mb4', '1']]"
        assert processes_with(server.socket_directory) and processes_with(server.password) == []
    assert processes_with(server.socket_directory) == []
    assert not Path(server.socket_directory).exists() and not (tmp_path / "mariadb").exists()


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        pytest.param("SELECT * FROM mysql.global_priv", "denied", id="others-passwords"),
        pytest.param("SELECT 1 INTO OUTFILE '/tmp/written'", "denied", id="files"),
        pytest.param("CREATE DATABASE other", "denied", id="another-database"),
        pytest.param("CREATE DATABASE testing", "denied", id="another-that-begins-like-a-tests"),
        pytest.param("SET GLOBAL general_log = 1", "denied", id="settings"),
    ],
)
def test_its_role_may_not_leave_its_database(server: Server, statement: str, why: str) -> None:
    with pytest.raises(ToolError, match=why):
        run(server, statement)


def test_its_role_may_make_the_databases_of_djangos_tests(server: Server) -> None:
    run(server, f"CREATE DATABASE test_{server.name}_gw0")
    run(replace(server, name=f"test_{server.name}_gw0"), "CREATE TABLE t (a INT)")


def test_its_superuser_is_nobodys(server: Server) -> None:
    with pytest.raises(ToolError, match="(?i)denied|locked"):
        ExternalMysql(replace(server, user="root", password="")).look()


def test_two_side_by_side_do_not_see_each_other(server: Server, tmp_path: Path) -> None:
    with fresh_mariadb(tmp_path / "other") as other:
        run(server, "CREATE TABLE t (a INT)")
        assert run(other, "SHOW TABLES") == "[]"
        with pytest.raises(ToolError, match="denied"):
            ExternalMysql(replace(other, password=server.password)).look()


def test_a_host_without_the_programs_is_told_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mariadb, "PATH", str(tmp_path))
    with pytest.raises(ToolError, match="no mariadbd and no mariadb-install-db .*Debian: mariadb-server"):
        with fresh_mariadb(tmp_path / "mariadb"):
            pass
    assert not (tmp_path / "mariadb").exists()


def test_it_ends_with_who_started_it(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom host.databases.mariadb import fresh_mariadb\n"
        "with fresh_mariadb(Path(sys.argv[1])) as server:\n    print(server.socket_directory, flush=True)\n"
        "    time.sleep(3600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "mariadb")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        directory = process.stdout.readline().strip()
        assert directory and processes_with(directory)
        os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: not processes_with(directory), "the server ends with who started it")
    remove_tree(Path(directory))
