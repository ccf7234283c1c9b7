"""The databases of the runtime `process`: a server of others, a file of SQLite, none. One embedded server plays the
external one.
"""

import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from deployments.backups import Backups
from deployments.candidate import Artifact
from deployments.environment import Environment
from deployments.preflight import preflight
from deployments.runtimes.databases import SERVER
from evidence.bundle import Image
from gates.databases.form import DatabaseForm
from gates.verdict import Action
from host.databases.postgres import Postgres
from host.docker.engine import Engine
from host.errors import ConfigError, ToolError
from host.home import Home
from host.ports import is_free
from host.supervisor.supervisor import Supervisor
from tests.deployments.shop import APP, Shop, shop

NO_IMAGE = Image(id="sha256:" + "0" * 64, compose={"production": "compose.yml"})
BACKUP = "BACKUP_BEFORE_MIGRATION=true\nMIN_FREE_DISK_MB=1\n"
# What it is told of its database is told on: a file of SQLite counts the starts and migrations.
TELLS = """\
import os, sys
url = os.environ.get("DATABASE_URL", "none")
if url.startswith("sqlite:///"):
    import sqlite3
    with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30) as file:
        file.execute("create table if not exists t (word text)")
        file.execute("insert into t values (?)", (sys.argv[1],))
if sys.argv[1] == "migrate":
    sys.exit(print("told", url, os.environ.get("PARTS")))
"""


@dataclass(frozen=True)
class Site:
    """A PostgreSQL server that some others run, and the file with the URL of a database of it."""

    postgres: Postgres
    directory: Path

    def url(self, database: str = "shop", query: str = "", password: str = "") -> str:
        server = self.postgres.address("shop", "shop")
        return f"postgresql://shop:{password or server.password}@/{database}?host={server.host}{query}"

    def environment(self, folder: Path, url: str, more: str = "") -> Shop:
        (folder / "url").write_text(url + "\n")
        return Shop(folder, "process", Engine(), f"DATABASE=external\nDATABASE_URL=file:{folder / 'url'}\n{more}")

    def superuser(self, statement: str, database: str = "shop") -> None:
        with psycopg.connect(
            host=str(self.postgres.socket_directory),
            user="postgres",
            dbname=database,
            password=(self.postgres.directory / "superuser").read_text(),
            autocommit=True,
        ) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = Home(tmp_path_factory.mktemp("others"))
    home.create()
    made = Postgres(home.control / "postgres", home.sockets("control"))
    supervisor = Supervisor(home.control, home.sockets("control"))
    try:
        made.initialise()
        supervisor.up()
        supervisor.run(made.program())
        made.wait_ready()
        made.create_database("shop", "shop")
        yield Site(made, home.root)
    finally:
        supervisor.down()


def low_port() -> int:
    """A free port among those that are not given to outgoing connections."""
    return next(port for port in range(20000 + os.getpid() % 10000, 32768) if is_free(port))


def migrate(place: Environment, artifact: Artifact) -> str:
    runtime = place.runtime
    installed = runtime.install(artifact)
    with place.lease("test") as lease:
        return runtime.migrate(installed, lease)


def test_an_app_reaches_an_external_server_in_its_own_words_and_its_secret_is_masked(
    site: Site, tmp_path: Path
) -> None:
    made = site.environment(tmp_path, site.url())
    place = made.place()
    form = DatabaseForm(scheme="postgresql+asyncpg", variables={"PARTS": "{user} {name} {port}"})
    digest = made.artifact("good", image=NO_IMAGE, app=TELLS + APP, database=form)
    place.directory.mkdir(parents=True)
    said = migrate(place, made.read(digest))
    assert said == f"told postgresql+asyncpg://***@/shop?host={site.postgres.socket_directory} shop shop 5432"
    assert place.runtime.database.problems(made.read(digest)) == []
    assert "external PostgreSQL" in place.runtime.database.notes()[0]


def test_nothing_of_ours_runs_for_an_external_server_or_for_none(site: Site, tmp_path: Path) -> None:
    made = site.environment(tmp_path, site.url())
    try:
        made.place().up()
        assert made.place().supervisor.state(SERVER) is None and not (made.place().directory / "postgres").exists()
    finally:
        made.place().supervisor.down()
    site.superuser("SELECT 1")  # it runs on
    (tmp_path / "none").mkdir()
    none = Shop(tmp_path / "none", "process", Engine(), "DATABASE=none\n")
    run = none.read(none.artifact("good", image=NO_IMAGE)).bundle.run
    assert none.place().runtime.database.variables(run) == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"query": "&options=-csearch_path%3Dx"}, "query: options: not allowed", id="option"),
        pytest.param({"database": "absent"}, 'does not answer: .*database "absent" does not exist', id="no-database"),
        pytest.param(
            {"password": "hunter2hunter2"}, "does not answer: .*password authentication failed", id="password"
        ),
        pytest.param({"query": "&sslmode=require"}, "", id="a-socket-needs-no-tls"),
    ],
)
def test_an_external_server_is_asked_before_the_release(
    site: Site, tmp_path: Path, change: dict[str, str], why: str
) -> None:
    made = site.environment(tmp_path, site.url(**change))
    problems = made.place().runtime.database.problems(made.read(made.artifact("good", image=NO_IMAGE)))
    assert len(problems) == bool(why) and all(re.search(why, one) for one in problems)
    assert "hunter2" not in str(problems)


def test_a_release_is_stopped_with_the_server_that_is_away_as_the_first_cause(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://shop:hunter2hunter2@127.0.0.1:1/shop?connect_timeout=5")
    made = Shop(tmp_path, "process", Engine(), f"DATABASE=external\nDATABASE_URL=file:{tmp_path / 'url'}\n")
    place = made.place()
    place.directory.mkdir(parents=True)
    verdict = preflight(place, made.vouched("good", NO_IMAGE)).verdict
    assert verdict.action is Action.STOP and "hunter2" not in verdict.reason
    assert verdict.reason.startswith("the external PostgreSQL at 127.0.0.1:1 does not answer: ")


def test_a_role_without_rights_and_an_extension_that_is_away_are_named(site: Site, tmp_path: Path) -> None:
    made = site.environment(tmp_path, site.url())
    form = DatabaseForm(extensions=("pg_trgm", "postgis"))
    artifact = made.read(made.artifact("good", image=NO_IMAGE, database=form))
    (missing,) = made.place().runtime.database.problems(artifact)
    assert "the extension postgis is not in the database, and the server does not have it" in missing
    site.superuser("ALTER SCHEMA public OWNER TO postgres; REVOKE CREATE ON SCHEMA public FROM PUBLIC, shop")
    site.superuser("ALTER DATABASE shop OWNER TO postgres")
    site.superuser("GRANT CONNECT ON DATABASE shop TO shop")
    try:
        problems = made.place().runtime.database.problems(artifact)
        assert any("the role may not create tables" in one for one in problems)
        assert any("pg_trgm is not in the database, and the role may not create it" in one for one in problems)
    finally:
        site.superuser("ALTER SCHEMA public OWNER TO pg_database_owner")
        site.superuser("ALTER DATABASE shop OWNER TO shop")


def test_an_extension_that_the_embedded_server_lacks_is_named_before_the_release(tmp_path: Path) -> None:
    with shop(tmp_path, "process", Engine()) as made:
        wants = DatabaseForm(extensions=("pg_trgm", "postgis"))
        artifact = made.read(made.artifact("good", image=NO_IMAGE, database=wants))
        (missing,) = made.place().runtime.database.problems(artifact)
        assert "lacks the extension postgis (it has " in missing and "pg_trgm" in missing.partition("(it has")[2]
        for way_out in ("SLIPWAY_POSTGRES_BIN", "DATABASE=external", "RUNTIME=compose"):
            assert way_out in missing
        there = made.read(made.artifact("good", image=NO_IMAGE, database=DatabaseForm(extensions=("pg_trgm",))))
        assert made.place().runtime.database.problems(there) == []


def test_an_external_database_is_dumped_unless_pg_dump_is_older(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = site.environment(tmp_path, site.url(), BACKUP)
    place, artifact = made.place(), made.read(made.artifact("good", image=NO_IMAGE))
    place.directory.mkdir(parents=True)
    assert place.runtime.database.problems(artifact) == []
    with place.lease("test") as lease:
        assert Backups(place).before(artifact, [], lease).startswith("backup ")
    assert Backups(place).kept()[0].read_bytes().startswith(b"PGDMP")
    old = tmp_path / "old"
    old.mkdir()
    (old / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    (old / "pg_dump").chmod(0o755)
    monkeypatch.setenv("SLIPWAY_POSTGRES_BIN", str(old))
    (problem,) = made.place().runtime.database.problems(artifact)
    assert "pg_dump is of PostgreSQL 9, and the server is" in problem and "SLIPWAY_POSTGRES_BIN" in problem
    monkeypatch.setenv("SLIPWAY_POSTGRES_BIN", str(tmp_path))
    (problem,) = made.place().runtime.database.problems(artifact)
    assert "pg_dump: absent or not executable" in problem


def test_a_file_of_sqlite_is_kept_over_releases_and_dumped(tmp_path: Path) -> None:
    with shop(tmp_path, "process", Engine(), "DATABASE=sqlite\nSQLITE_SHARED=true\n" + BACKUP) as made:
        place = made.place()
        assert place.supervisor.state(SERVER) is None
        first, second = (made.artifact(how, image=NO_IMAGE, app=TELLS + APP) for how in ("one", "two"))
        with place.lease("test") as lease:
            place.runtime.install(made.read(first))
            assert Backups(place).before(made.read(first), [], lease).startswith("backup ")  # of nothing yet
        assert migrate(place, made.read(first)).startswith("told sqlite:") and made.release(second) == ""
        with place.lease("test") as lease:
            place.runtime.database.dump(place.runtime.installed(made.read(second)), tmp_path / "copy", 60)
        words = [row[0] for row in sqlite3.connect(tmp_path / "copy").execute("select word from t")]
        assert words.count("migrate") == 2 and len(words) >= 3
        file = place.directory / "data" / "shop.sqlite3"
        file.write_bytes(b"no database, but a text of the app's own making" * 100)
        with pytest.raises(ToolError, match="(?s)the copy of .*file is not a database"):
            place.runtime.database.dump(place.runtime.installed(made.read(second)), tmp_path / "bad", 60)
        file.unlink()
        file.symlink_to("/etc/shadow")
        with pytest.raises(ToolError, match="(?s)the copy of .*unable to open"):
            place.runtime.database.dump(place.runtime.installed(made.read(second)), tmp_path / "bad", 60)


def test_an_app_that_wants_a_port_gets_the_environments_own_and_is_refused_without(tmp_path: Path) -> None:
    form = DatabaseForm(scheme="postgresql", connection="tcp", variables={"PARTS": "{host} {port} {name}"})
    with shop(tmp_path, "process", Engine()) as made:
        digest = made.artifact("good", image=NO_IMAGE, app=TELLS + APP, database=form)
        database = made.place().runtime.database
        (problem,) = database.problems(made.read(digest))
        assert "production.env: DATABASE_PORT is absent" in problem and "DATABASE_PORT=15432" in problem
        made.settings.write_text(made.settings.read_text() + f"DATABASE_PORT={low_port()}\n")
        place = made.place()
        port = place.settings.database_port
        (problem,) = place.runtime.database.problems(made.read(digest))
        assert problem.endswith(f"DATABASE_PORT={port}: the PostgreSQL here does not listen there yet; run: make up")
        place.up()
        assert place.runtime.database.problems(made.read(digest)) == []
        assert migrate(place, made.read(digest)) == f"told postgresql://***@127.0.0.1:{port}/shop 127.0.0.1 {port} shop"
        assert made.release(digest) == ""
        made.settings.write_text(made.settings.read_text().replace(f"PORT={port}\n", f"PORT={port + 1}\n"))
        with pytest.raises(ConfigError, match=f"is live and reaches its database at port {port}; put that back, or"):
            made.place().up()
        assert place.runtime.database.problems(made.read(digest)) == []  # nothing was restarted
        made.settings.write_text(made.settings.read_text().replace(f"DATABASE_PORT={port + 1}\n", ""))
        with pytest.raises(ConfigError, match="DATABASE_PORT: .* put that back, or first release a version whose"):
            made.place().up()
        plain = made.artifact("plain", image=NO_IMAGE, app=TELLS + APP, database=DatabaseForm(scheme="postgresql"))
        assert made.release(plain) == ""
        made.place().up()
        assert made.place().runtime.database.problems(made.read(plain)) == [] and is_free(port)


def test_a_port_of_the_database_that_somebody_has_stops_make_up_before_anything_runs(tmp_path: Path) -> None:
    port = low_port()
    made = Shop(tmp_path, "process", Engine(), f"DATABASE_PORT={port}\n")
    with socket.create_server(("127.0.0.1", port)):
        why = f"DATABASE_PORT: port {port} of 127.0.0.1 is taken by pid {os.getpid()} .*; stop it, or name another port"
        with pytest.raises(ConfigError, match=why):
            made.place().up()
    assert not made.place().supervisor.answers()


def test_a_form_that_does_not_fit_the_database_is_refused(tmp_path: Path) -> None:
    made = Shop(tmp_path, "process", Engine())
    artifact = made.read(made.artifact("good", image=NO_IMAGE, database=DatabaseForm(scheme="sqlite")))
    (problem,) = made.place().runtime.database.problems(artifact)
    assert "scheme is sqlite, and the environment's database is PostgreSQL" in problem
    text = made.settings.read_text()
    made.settings.write_text(text + "DATABASE=none\n")
    parts = made.read(made.artifact("good", image=NO_IMAGE, database=DatabaseForm(variables={"PARTS": "{name}"})))
    (problem,) = made.place().runtime.database.problems(parts)
    assert "DATABASE=none, and [database] variables want PARTS" in problem
    with pytest.raises(ConfigError, match="nothing that could be dumped"):
        made.place().runtime.database.size_bytes(made.place().runtime.install(parts))
