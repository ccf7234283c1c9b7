"""Databases of checks that need no server: a file of SQLite, none."""

import sqlite3
from pathlib import Path

import pytest

from gates.databases.address import Server
from gates.databases.form import PLAIN_FORM, DatabaseForm
from host.errors import ConfigError
from settings.database import DatabaseKind
from tasks.source.databases import FreshDatabase, fresh_database
from tasks.source.git import Source
from tasks.source.workspace import Workspace
from tests.mariadb_server import PROGRAMS, need


def workspace(tmp_path: Path, form: DatabaseForm) -> Workspace:
    return Workspace(tmp_path, Source("c" * 40, "v1", "main", (), tmp_path), tmp_path, database=form)


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        pytest.param(DatabaseForm(scheme="sqlite"), DatabaseKind.EMBEDDED, id="the-app-has-sqlite"),
        pytest.param(PLAIN_FORM, DatabaseKind.SQLITE, id="the-environment-has-sqlite"),
    ],
)
def test_a_file_is_where_the_check_may_write_and_gone_afterwards(
    tmp_path: Path, form: DatabaseForm, kind: DatabaseKind
) -> None:
    with fresh_database("unit", workspace(tmp_path, form), kind) as database:
        file = Path(database.told(form)["DATABASE_URL"].removeprefix("sqlite:///"))
        assert file.parent == tmp_path / "unit" / "out" and database.read_only == ()
        sqlite3.connect(file).execute("PRAGMA journal_mode=WAL")
        assert file.exists()
    assert list(file.parent.iterdir()) == []


def test_an_app_of_mysql_gets_a_mariadb_of_the_checks_own(tmp_path: Path) -> None:
    need(*PROGRAMS, package="mariadb-server")
    form = DatabaseForm(scheme="mariadb+pymysql", variables={"SOCKET": "{host}"})
    with fresh_database("unit", workspace(tmp_path, form), DatabaseKind.EXTERNAL) as database:
        told = database.told(form)
        assert told["DATABASE_URL"].endswith(f"@/suite?unix_socket={told['SOCKET']}")
        assert database.read_only == (Path(told["SOCKET"]).parent,) and Path(told["SOCKET"]).is_socket()
    assert not Path(told["SOCKET"]).exists()


def test_an_app_without_a_database_is_told_none(tmp_path: Path) -> None:
    with fresh_database("unit", workspace(tmp_path, PLAIN_FORM), DatabaseKind.NONE) as database:
        assert database.told(PLAIN_FORM) == {}


def test_a_form_of_another_kind_is_named_with_its_file() -> None:
    database = FreshDatabase(Server("d", "/run/pg", "u"))
    with pytest.raises(ConfigError, match=r"config/pipeline.toml: database: \[database\] scheme is sqlite"):
        database.told(DatabaseForm(scheme="sqlite"))
