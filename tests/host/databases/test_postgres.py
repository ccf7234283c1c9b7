"""A real PostgreSQL under a real supervisor, shared by the tests of this file."""

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from gates.databases.form import DatabaseForm
from host.databases.postgres import Postgres
from host.errors import ConfigError, HealthError, ToolError
from host.home import Home
from host.ports import free_port
from host.sandbox import run as sandbox
from host.sandbox.run import Isolation, Sandbox
from host.supervisor.supervisor import Program, Supervisor
from tests.waiting import wait_for


@dataclass(frozen=True)
class Site:
    postgres: Postgres
    supervisor: Supervisor

    def up(self) -> None:
        self.supervisor.up()
        self.supervisor.declare(self.postgres.program())
        self.supervisor.start("postgres")
        self.postgres.wait_ready(60, lambda: self.supervisor.log_tail("postgres"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # far longer than a socket's address may be, with a blank, a percent sign and a letter beyond ASCII
    home = Home(tmp_path_factory.mktemp("home") / ("a long place 100% é" + "x" * 100))
    home.create()
    sockets = home.sockets("control")
    made = Site(Postgres(home.control / "postgres", sockets), Supervisor(home.control, sockets))
    try:
        made.postgres.initialise()
        made.up()
        yield made
    finally:
        made.supervisor.down()
        assert not postmasters(made.postgres)
        shutil.rmtree(sockets.parent, ignore_errors=True)


def postmasters(postgres: Postgres) -> list[psutil.Process]:
    """The server's first processes on the host, not the launchers around them."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words and words[0].endswith("/postgres") and str(postgres.data) in words:
            found.append(process)
    return found


def connect(site: Site, database: str, owner: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(site.postgres.url(database, owner, "postgresql"), autocommit=True)


def test_owner_works_in_its_database(site: Site) -> None:
    for _ in range(2):
        site.postgres.create_database("shop", "shop_owner", extensions=["pg_trgm"])
    with connect(site, "shop", "shop_owner") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (name text)")
        row = connection.execute("SELECT lower('ÄÖ'), show_trgm('grün'), current_setting('fsync')").fetchone()
        encoding = connection.execute("SHOW server_encoding").fetchone()
    assert row is not None
    assert (row[0], row[2]) == ("äö", "on")
    assert encoding == ("UTF8",)


def test_password_decides(site: Site) -> None:
    site.postgres.create_database("shop", "shop_owner")
    right = site.postgres.url("shop", "shop_owner", "postgresql")
    password = (site.postgres.directory / "roles" / "shop_owner").read_text()
    for wrong in (right.replace(password, "guess"), right.replace(f":{password}", "")):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://postgres@/postgres?host={site.postgres.socket_directory}")


def test_databases_do_not_see_each_other(site: Site) -> None:
    site.postgres.create_database("shop", "shop_owner")
    site.postgres.create_database("blog", "blog_owner")
    for database in ("blog", "postgres", "template1"):
        url = site.postgres.url("shop", "shop_owner", "postgresql").replace("/shop?", f"/{database}?")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(url)
    with connect(site, "shop", "shop_owner") as connection:
        for forbidden in ("CREATE DATABASE more", "CREATE ROLE more", "COPY (SELECT 1) TO PROGRAM 'true'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)


def test_dropped_database_is_gone_with_its_connections(site: Site) -> None:
    site.postgres.create_database("brief", "brief_owner")
    with connect(site, "brief", "brief_owner") as connection:
        site.postgres.drop_database("brief")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    site.postgres.drop_database("brief")
    site.postgres.create_database("brief", "brief_owner")


def test_a_dropped_role_is_gone_with_its_password(site: Site) -> None:
    site.postgres.create_database("fleeting", "fleeting_owner")
    with pytest.raises(psycopg.errors.DependentObjectsStillExist):
        site.postgres.drop_role("fleeting_owner")
    site.postgres.drop_database("fleeting")
    for _ in range(2):
        site.postgres.drop_role("fleeting_owner")
    assert not (site.postgres.directory / "roles" / "fleeting_owner").exists()
    with pytest.raises(ConfigError, match="superuser"):
        site.postgres.drop_role("postgres")


def test_no_password_is_in_sight(site: Site) -> None:
    site.postgres.create_database("shop", "shop_owner")
    kept = [site.postgres.directory / "superuser", site.postgres.directory / "roles" / "shop_owner"]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600, 0o600]
    told = site.supervisor.log_tail("postgres", 1000)
    assert not [path for path in kept if path.read_text() in told]


def test_it_listens_on_a_private_socket_only(site: Site) -> None:
    assert site.postgres.socket_directory.stat().st_mode & 0o777 == 0o711
    assert site.postgres.socket_directory.parent.stat().st_mode & 0o777 == 0o700
    (server,) = postmasters(site.postgres)
    assert not [c for c in server.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    if os.geteuid() == 0:
        assert server.uids().real not in (0, sandbox.APP_UID)
        assert not os.path.exists(f"/proc/{server.pid}/root{Path(__file__)}")


def test_with_a_port_roles_come_by_both_ways_and_the_superuser_by_its_socket_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))  # a sandbox is given no more of it than of a real one
    home = Home.find()
    home.create()
    directory, sockets = home.place("production") / "postgres", home.sockets("production")
    supervisor = Supervisor(home.place("production"), sockets)
    without = Site(Postgres(directory, sockets), supervisor)
    port = free_port()
    made = Site(Postgres(directory, sockets, port), supervisor)
    try:
        without.postgres.initialise()
        without.up()
        without.postgres.create_database("shop", "shop")
        assert made.postgres.port_problem() == "" and not made.postgres.listens()
        with pytest.raises(ConfigError, match="listens on no port"):
            without.postgres.address("shop", "shop", tcp=True)
        for site in (made, without, made):  # there and back again
            site.postgres.initialise()
            site.up()
            with connect(without, "shop", "shop") as connection:
                assert connection.execute("SHOW port").fetchone() == (str(port if site is made else 5432),)
        assert made.postgres.listens() and made.postgres.port_problem() == ""
        address = made.postgres.address("shop", "shop", tcp=True)
        url = DatabaseForm(scheme="postgresql", connection="tcp").url(address)
        assert url == f"postgresql://shop:{address.password}@127.0.0.1:{port}/shop"
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("shop",)
        (server,) = postmasters(made.postgres)
        listens = [c.laddr for c in server.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listens == [("127.0.0.1", port)]
        superuser = (made.postgres.directory / "superuser").read_text()
        with pytest.raises(psycopg.OperationalError, match="rejects connection"):
            psycopg.connect(host="127.0.0.1", port=port, user="postgres", password=superuser, dbname="postgres")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace(address.password, "guess"))
        made.postgres.dump("shop", tmp_path / "dump", 600)
        assert (tmp_path / "dump").read_bytes().startswith(b"PGDMP")
    finally:
        supervisor.down()
        shutil.rmtree(sockets.parent, ignore_errors=True)


def test_a_port_that_somebody_has_is_named_with_who(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        problem = Postgres(tmp_path / "postgres", tmp_path / "sockets", port).port_problem()
    assert problem.startswith(f"port {port} of 127.0.0.1 is taken by pid {os.getpid()} (")


@pytest.mark.skipif(sandbox._probe() is not Isolation.NAMESPACES, reason="this host permits no namespaces")
def test_sandboxed_app_reaches_the_bound_socket_and_no_other_does(site: Site, tmp_path: Path) -> None:
    where = site.postgres.socket_directory
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1] + '/.s.PGSQL.5432')"
    codes = [
        sandbox.run(
            [str(Path(sys.base_prefix) / "bin" / "python3"), "-c", code, str(where)],
            cwd=Path("/tmp"),
            env={},
            sandbox=Sandbox(Isolation.NAMESPACES, writable=writable),
            timeout_s=600,
        ).returncode
        for writable in ((where,), ())
    ]
    assert codes == [0, 1]


@pytest.mark.parametrize("victim", ["postmaster", "launcher"])
def test_killed_server_comes_back_with_its_data(site: Site, victim: str) -> None:
    site.postgres.create_database("kept", "kept_owner")
    with connect(site, "kept", "kept_owner") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (victim text)")
        connection.execute("INSERT INTO t VALUES (%s)", [victim])
    (server,) = postmasters(site.postgres)
    os.kill(server.pid if victim == "postmaster" else site.supervisor.states()["postgres"].pid, signal.SIGKILL)
    wait_for(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, "the server ends")
    site.postgres.wait_ready(60, lambda: site.supervisor.log_tail("postgres"))
    with connect(site, "kept", "kept_owner") as connection:
        assert (victim,) in connection.execute("SELECT victim FROM t").fetchall()
    assert len(postmasters(site.postgres)) == 1


def test_stopping_is_clean_with_clients_connected(site: Site) -> None:
    site.postgres.create_database("shop", "shop_owner")
    with connect(site, "shop", "shop_owner"):
        site.supervisor.stop("postgres", wait_s=60)
        assert "database system is shut down" in site.supervisor.log_tail("postgres")
    site.up()


def test_second_server_on_the_same_cluster_is_refused(site: Site) -> None:
    """PostgreSQL's own guard sees process ids and shared memory, which differ between sandboxes."""
    first = site.postgres.program()
    site.supervisor.declare(
        Program("second", first.command, first.cwd, stop_signal="INT", autorestart=False, start_s=13)
    )
    try:
        wait_for(
            lambda: "another one is running" in site.supervisor.log_tail("second"),
            "the second one says why it does not start",
        )
        assert len(postmasters(site.postgres)) == 1
    finally:
        site.supervisor.remove("second")


def test_driver_urls(site: Site) -> None:
    site.postgres.create_database("shop", "shop_owner")
    sqlalchemy = pytest.importorskip("sqlalchemy")
    url = sqlalchemy.make_url(site.postgres.url("shop", "shop_owner", "postgresql+asyncpg"))
    assert url.drivername == "postgresql+asyncpg"
    assert url.query["host"] == str(site.postgres.socket_directory)
    engine = sqlalchemy.create_engine(site.postgres.url("shop", "shop_owner"))
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT current_user")).scalar() == "shop_owner"
    engine.dispose()


@pytest.mark.parametrize("name", ["", "Shop", "a-b", 'a"; DROP TABLE t; --', "1a", "a" * 64])
def test_odd_names_are_refused(site: Site, name: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        site.postgres.create_database(name, "owner")
    with pytest.raises(ConfigError, match="expected"):
        site.postgres.create_database("shop", name)


def test_superuser_owns_no_database_of_an_app(site: Site) -> None:
    with pytest.raises(ConfigError, match="superuser"):
        site.postgres.create_database("shop", "postgres")


def test_unknown_owner_has_no_url(site: Site) -> None:
    with pytest.raises(ConfigError, match="nobody_made was not created"):
        site.postgres.url("shop", "nobody_made")


def test_interrupted_creation_is_begun_anew(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "db", tmp_path / "s")
    postgres.directory.mkdir()
    unfinished = postgres.directory / "initdb-left"
    (unfinished / "data").mkdir(parents=True)
    postgres.initialise()
    assert not unfinished.exists()
    made = (postgres.data / "PG_VERSION").stat()
    postgres.initialise()
    assert (postgres.data / "PG_VERSION").stat() == made
    assert "scram-sha-256" in (postgres.data / "pg_hba.conf").read_text()
    assert "trust" not in [
        line.split()[-1] for line in (postgres.data / "pg_hba.conf").read_text().splitlines() if line
    ]


def test_cluster_of_another_version_is_refused_untouched(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "db", tmp_path / "s")
    postgres.data.mkdir(parents=True)
    (postgres.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ConfigError, match="got a cluster of PostgreSQL 9, expected .*SLIPWAY_POSTGRES_BIN"):
        postgres.initialise()
    assert [path.name for path in postgres.data.iterdir()] == ["PG_VERSION"]


def test_absent_binaries_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(ToolError, match="SLIPWAY_POSTGRES_BIN"):
        Postgres(tmp_path / "db", tmp_path / "s").initialise()


def test_comma_in_the_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="comma"):
        Postgres(tmp_path / "db", tmp_path / "a,b").initialise()


def test_server_that_is_not_there_is_told_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(HealthError, match="(?s)not ready.*the log's end"):
        Postgres(tmp_path / "db", tmp_path / "s").wait_ready(0.1, lambda: "the log's end")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
def test_without_namespaces_the_server_still_is_another_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SLIPWAY_ISOLATION=none included: as root it would not start. The place must be one that others may pass."""
    monkeypatch.setenv("SLIPWAY_ISOLATION", "none")
    with pytest.raises(ConfigError, match="expected others to pass"):
        Postgres(tmp_path / "db", tmp_path / "s").initialise()
    open_place = Path(tempfile.mkdtemp(prefix="open-"))
    open_place.chmod(0o711)
    (open_place / "s").mkdir()
    (open_place / "s").chmod(0o711)
    site = Site(Postgres(open_place / "db", open_place / "s"), Supervisor(open_place / "v", open_place / "v" / "s"))
    try:
        site.postgres.initialise()
        site.up()
        (server,) = postmasters(site.postgres)
        assert server.uids().real == 65534
    finally:
        site.supervisor.down()
        assert not postmasters(site.postgres)
        shutil.rmtree(open_place)


def test_databases_may_be_made_side_by_side(site: Site) -> None:
    names = [f"beside_{number}" for number in range(8)]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        for made in [pool.submit(site.postgres.create_database, name, name) for name in names]:
            made.result()
    for name in names:
        site.postgres.drop_database(name)
        site.postgres.drop_role(name)
