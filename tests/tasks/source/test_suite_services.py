"""Suites side by side, each with an empty database of its own in a real PostgreSQL; nothing of it stays."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from control.plane import Control, suite_database
from gates.check import Outcome
from gates.databases.form import DatabaseForm
from host.databases import mariadb
from host.home import Home
from host.sandbox.run import Isolation, Network, available
from settings.pipeline import Suite
from tasks.checks.suites import look_at_suite
from tasks.source import suite_services as services
from tasks.source.django_databases import copies
from tasks.source.suite_services import find_redis
from tests.mariadb_server import PROGRAMS, need
from tests.tasks.small_app import FEWER_PLUGINS, PYTEST, App

DATABASE = """
import os, time
import psycopg

def test_it_is_empty_and_ours():
    url = os.environ["DATABASE_URL"]
    assert url.startswith("postgresql://") and "%" not in url and f"host={os.environ['SOCKET']}" in url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE only_one (a int)")
        time.sleep(0.5)
    if os.environ.get("FAIL"):
        raise OSError(os.environ["DATABASE_URL"])
"""

# Of pytest-xdist, which is not in the small app's environment.
WORKERS = "    parser.addoption('--numprocesses')\n"
OPTION = "def pytest_addoption(parser):\n    parser.addoption('--reuse-db', action='store_true')\n"

REUSED = """
import os
import psycopg

def test_the_second_one_is_there_and_ours_alone():
    url = os.environ["DATABASE_URL"]
    place, _, query = url.partition("?")
    before, _, name = place.rpartition("/")
    with psycopg.connect(f"{before}/test_{name}?{query}", autocommit=True) as connection:
        connection.execute("CREATE TABLE only_one (a int)")
        asked = "SELECT has_database_privilege('public', current_database(), 'CONNECT')"
        assert connection.execute(asked).fetchone() == (False,)
"""

GREETING = """
import os, socket

def test_it_greets():
    assert os.environ["DATABASE_URL"].startswith("mysql://suite:")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["SOCKET"])
        assert b"MariaDB" in connection.recv(200)
"""


TCP = """
import os, socket
import psycopg

def test_it_is_reached_at_a_port_and_nothing_of_the_host_is():
    url, port = os.environ["DATABASE_URL"], os.environ["DB_PORT"]
    assert f"@127.0.0.1:{port}/suite_one_" in url and "?" not in url
    with psycopg.connect(url) as connection, psycopg.connect(url) as second:
        sent = "x" * 3_000_000
        assert connection.execute("SELECT %s", [sent]).fetchone() == (sent,)
        assert second.execute("SELECT 1").fetchone() == (1,)
    if os.environ["ALONE"]:
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.1", int(os.environ["OUTSIDE"])))
"""

MYSQL_AT_A_PORT = """
import os, socket

def test_it_greets():
    with socket.create_connection(("127.0.0.1", int(os.environ["DB_PORT"]))) as connection:
        assert b"MariaDB" in connection.recv(200)
"""


@pytest.fixture
def control(home: Path) -> Iterator[Control]:
    Home.find().create()
    made = Control(Home.find())
    made.supervisor.up()
    yield made
    made.supervisor.down()


def left(kind: str) -> list[str]:
    server = suite_database()
    password = (server.directory / "superuser").read_text()
    with psycopg.connect(
        host=str(server.socket_directory), user="postgres", password=password, dbname="postgres"
    ) as connection:
        column, table = {"role": ("rolname", "pg_roles"), "database": ("datname", "pg_database")}[kind]
        query = f"SELECT {column} FROM {table} WHERE {column} LIKE '%suite%'"
        rows = connection.execute(query.encode())
        return [str(row[0]) for row in rows]


@pytest.mark.usefixtures("control")
def test_a_database_that_pytest_django_could_not_make_is_named_with_the_option_that_helps(app: App) -> None:
    ends = "import pytest\n\n@pytest.fixture(autouse=True)\ndef db():\n    raise SystemExit(2)\n"
    app.commit({"tests/test_a.py": "def test_a(): ...\n", "conftest.py": ends})
    suite = Suite(command=PYTEST, database=True, timeout_seconds=60, environment=FEWER_PLUGINS)
    found = look_at_suite("one", suite, replace(app.workspace(), database=DatabaseForm(scheme="postgresql"))).check
    assert found.outcome is Outcome.FAILED and "add --reuse-db to the suite's command" in found.reason, found.reason


@pytest.mark.usefixtures("control")
def test_with_reuse_db_there_is_the_database_that_pytest_django_looks_for(app: App) -> None:
    app.commit({"tests/test_a.py": REUSED, "conftest.py": OPTION})
    workspace = replace(app.workspace(), database=DatabaseForm(scheme="postgresql"))
    suite = Suite(command=(*PYTEST, "--reuse-db"), database=True, timeout_seconds=60, environment=FEWER_PLUGINS)
    found = look_at_suite("one", suite, workspace).check
    assert found.outcome is Outcome.PASSED, found.reason
    assert left("database") == [] and left("role") == []


@pytest.mark.usefixtures("control")
def test_each_worker_has_the_database_that_pytest_django_looks_for(app: App) -> None:
    app.commit({"tests/test_a.py": REUSED.replace("test_{name}?", "test_{name}_gw1?"), "conftest.py": OPTION + WORKERS})
    workspace = replace(app.workspace(), database=DatabaseForm(scheme="postgresql"))
    command = (*PYTEST, "--reuse-db", "--numprocesses", "2")
    suite = Suite(command=command, database=True, timeout_seconds=600, environment=FEWER_PLUGINS)
    found = look_at_suite("one", suite, workspace).check
    assert found.outcome is Outcome.PASSED, found.reason
    assert left("database") == [] and left("role") == []


@pytest.mark.parametrize(
    ("words", "variables", "ends"),
    [
        pytest.param("pytest -n 2", {}, (), id="not-reused"),
        pytest.param("pytest --reuse-db", {}, ("",), id="one-process"),
        pytest.param("pytest --reuse-db -n 2 -q", {}, ("", "_gw0", "_gw1"), id="two-words"),
        pytest.param("pytest -n1 --reuse-db", {}, ("", "_gw0"), id="one-word"),
        pytest.param("pytest --numprocesses=1 --reuse-db", {}, ("", "_gw0"), id="long"),
        pytest.param("pytest --reuse-db -n auto", {"PYTEST_XDIST_AUTO_NUM_WORKERS": "1"}, ("", "_gw0"), id="variable"),
        pytest.param("pytest --reuse-db --nomigrations -n", {}, ("",), id="no-number"),
    ],
)
def test_the_databases_of_workers_are_counted_from_the_command(
    words: str, variables: dict[str, str], ends: tuple[str, ...]
) -> None:
    assert copies(words.split(), variables) == ends


def test_of_automatic_workers_there_are_as_many_as_cores_but_not_without_end() -> None:
    assert len(copies(["pytest", "--reuse-db", "-n", "auto"], {})) == (os.cpu_count() or 1) + 1
    assert len(copies(["pytest", "--reuse-db", "-n", "100000"], {})) == 65


@pytest.mark.usefixtures("control")
def test_suites_side_by_side_have_databases_of_their_own_and_leave_none(app: App) -> None:
    app.commit({"tests/test_a.py": DATABASE})
    workspace = replace(app.workspace(), database=DatabaseForm(scheme="postgresql", variables={"SOCKET": "{host}"}))
    good = Suite(command=PYTEST, database=True, timeout_seconds=60, environment=FEWER_PLUGINS)
    bad = good.model_copy(update={"environment": {**FEWER_PLUGINS, "FAIL": "1"}})
    with ThreadPoolExecutor() as pool:
        found = list(
            pool.map(lambda one: look_at_suite(*one, workspace).check, {"one": good, "two-b": good, "bad": bad}.items())
        )
    assert [one.outcome for one in found] == [Outcome.PASSED, Outcome.PASSED, Outcome.FAILED], found[0].reason
    assert "suite_bad_" in found[2].reason and ":***@" in found[2].reason
    assert left("database") == left("role") == []
    assert list((suite_database().directory / "roles").iterdir()) == []


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize("network", [pytest.param("", id="own-network"), pytest.param("host", id="the-hosts-network")])
def test_a_suite_that_wants_a_port_has_one_and_its_own_network_where_that_can_be(
    app: App, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if network:  # as below the level `namespaces`
        monkeypatch.setattr(services, "shared_loopback", lambda: nullcontext(Network.HOST))
    alone = not network and available() is Isolation.NAMESPACES
    app.commit({"tests/test_a.py": TCP})
    form = DatabaseForm(scheme="postgresql", connection="tcp", variables={"DB_PORT": "{port}"})
    with socket.create_server(("127.0.0.1", 0)) as outside:
        own = {**FEWER_PLUGINS, "OUTSIDE": str(outside.getsockname()[1]), "ALONE": "yes" if alone else ""}
        suite = Suite(command=PYTEST, database=True, timeout_seconds=600, environment=own)
        found = look_at_suite("one", suite, replace(app.workspace(), database=form)).check
    assert found.outcome is Outcome.PASSED, found.reason
    assert left("database") == left("role") == []


def test_a_suite_of_mysql_that_wants_a_port_has_one(app: App) -> None:
    need(*PROGRAMS, package="mariadb-server")
    app.commit({"tests/test_a.py": MYSQL_AT_A_PORT})
    form = DatabaseForm(scheme="mysql", connection="tcp", variables={"DB_PORT": "{port}"})
    suite = Suite(command=PYTEST, database=True, timeout_seconds=600, environment=FEWER_PLUGINS)
    check = look_at_suite("one", suite, replace(app.workspace(), database=form)).check
    assert check.outcome is Outcome.PASSED, check.reason


def test_a_suite_of_mysql_reaches_a_mariadb_of_its_own_and_without_its_programs_has_no_verdict(
    app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need(*PROGRAMS, package="mariadb-server")
    app.commit({"tests/test_a.py": GREETING})
    workspace = replace(app.workspace(), database=DatabaseForm(scheme="mysql", variables={"SOCKET": "{host}"}))
    suite = Suite(command=PYTEST, database=True, timeout_seconds=600, environment=FEWER_PLUGINS)
    check = look_at_suite("one", suite, workspace).check
    assert check.outcome is Outcome.PASSED, check.reason
    monkeypatch.setattr(mariadb, "PATH", str(tmp_path))
    check = look_at_suite("two", suite, workspace).check
    assert check.outcome is Outcome.NO_VERDICT and "this host has no mariadbd" in check.reason


def test_without_a_database_server_the_suite_has_no_verdict(app: App) -> None:
    app.commit({"tests/test_a.py": DATABASE})
    check = app.check(database=True)
    assert check.outcome is Outcome.NO_VERDICT
    assert "supervisord does not answer" in check.reason


NAMED = """
import os

def test_its_own_names_say_the_same():
    assert os.environ["DSN"] == os.environ["DATABASE_URL"] + "#x" and "{" not in os.environ["DSN"]
"""


@pytest.mark.usefixtures("control")
def test_a_value_of_the_suites_own_may_name_the_database(app: App) -> None:
    app.commit({"tests/test_a.py": NAMED})
    workspace = replace(app.workspace(), database=DatabaseForm(scheme="postgresql"))
    own = {**FEWER_PLUGINS, "DSN": "{DATABASE_URL}#x"}
    suite = Suite(command=PYTEST, database=True, timeout_seconds=60, environment=own)
    found = look_at_suite("one", suite, workspace).check
    assert found.outcome is Outcome.PASSED, found.reason


def test_the_named_redis_comes_first_and_must_be_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SERVER_PATH", "/bin/true")
    assert find_redis() == Path("/bin/true")
    monkeypatch.setenv("REDIS_SERVER_PATH", str(tmp_path / "none"))
    with pytest.raises(services.ToolError, match="expected the path of a redis-server program"):
        find_redis()


def test_the_hosts_redis_is_the_last_resort(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.delenv("REDIS_SERVER_PATH", raising=False)
    monkeypatch.setattr(services, "own_tools", lambda group: tmp_path)
    monkeypatch.setattr(services, "tool_path", lambda: str(tmp_path / "bin"))
    with pytest.raises(services.ToolError, match="install one"):
        find_redis()
    program = tmp_path / "bin" / "redis-server"
    program.touch()
    os.chmod(program, 0o755)
    assert find_redis() == program
