"""Old code on a new schema: a real bundle of a live version, a real PostgreSQL, the real sandbox."""

import logging
import re
import shutil
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from control.plane import Control
from deployments.environment import Environment
from evidence.bundle import Bundle, Run, put_bundle
from evidence.scopes import OURS
from evidence.store import Store
from gates.check import Outcome
from gates.migrations.steps import Kind, Step
from host.databases.redis import fresh_redis
from host.home import CHECKOUT, Home
from settings.pipeline import Pipeline
from settings.targets import Target
from tasks.checks.base_version import LiveVersion, live_version
from tasks.checks.compatibility import compatibility_key, look_at_compatibility
from tasks.source.dependencies import download_wheels
from tests.tasks.small_app import App

SERVER = """\
import http.server, os, socket, sys
from urllib.parse import urlsplit
import psycopg
def connect():
    return psycopg.connect(os.environ["DATABASE_URL"].replace("postgresql+psycopg", "postgresql", 1), autocommit=True)
if sys.argv[1] == "migrate":
    if port := os.environ.get("DB_PORT"):
        assert f"@127.0.0.1:{port}/" in os.environ["DATABASE_URL"]
    with connect() as connection:
        for line in open("schema.sql"):
            if not connection.execute("SELECT to_regclass('done')").fetchone()[0]:
                connection.execute("CREATE TABLE done (line text)")
            if not connection.execute("SELECT 1 FROM done WHERE line = %s", [line]).fetchone():
                connection.execute(line)
                connection.execute("INSERT INTO done VALUES (%s)", [line])
    sys.exit()
def asked():
    parts = urlsplit(os.environ["REDIS_URL"])
    with socket.create_connection((parts.hostname, parts.port), 60) as connection:
        connection.sendall(f"AUTH {parts.password}\\r\\nPING\\r\\nQUIT\\r\\n".encode())
        return b"".join(iter(lambda: connection.recv(100), b""))
if "REDIS_URL" in os.environ and b"PONG" not in asked():
    sys.exit("no Redis")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with connect() as connection:
                connection.execute("SELECT 1" if self.path == "/health" else "SELECT name FROM people")
            status = 200
        except psycopg.Error as error:
            status = 500
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
SMOKE = """\
import os, sys, urllib.request
try:
    urllib.request.urlopen(os.environ["BASE_URL"] + "/people")
except OSError as error:
    sys.exit(f"people: {error}")
print("1 passed")
"""
FIRST = "CREATE TABLE people (name text)\n"
PYTHON = ("python", "server.py")
RUN = Run(command=(*PYTHON, "{port}"), migrate=(*PYTHON, "migrate"), smoke=("python", "smoke.py"))
ONE = Step(revision="1", kind=Kind.EXPAND, reason="CREATE TABLE people")
TWO = Step(revision="2", kind=Kind.EXPAND, reason="whatever")
PIPELINE = Pipeline.model_validate(
    {
        "app": {"name": "shop", "repository": "unused"},
        "locks": {"runtime": "unused", "ci": "unused"},
        "run": RUN.model_dump(exclude_none=True),
    }
)


def live_bundle(store: Store, directory: Path) -> str:
    """Put a version with psycopg into the store; return its digest."""
    whole = (CHECKOUT / "examples" / "assistant" / "requirements.lock").read_text()
    wanted = re.findall(r"(?ms)^(?:psycopg|psycopg-binary|typing-extensions)==.*?(?=^\S)", whole + "\nend")
    lock = directory / "runtime.lock"
    lock.write_text("".join(wanted))
    tree = directory / "tree"
    tree.mkdir()
    for name, text in {"server.py": SERVER, "smoke.py": SMOKE, "schema.sql": FIRST}.items():
        (tree / name).write_text(text)
    archive = directory / "source.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(tree, ".")
    wheels = download_wheels.fn(lock, "3.11", OURS)
    return put_bundle(
        store,
        Bundle(
            app="shop",
            commit="c" * 40,
            version="v1",
            python="3.11",
            source=store.put_file(archive),
            lock=store.put_file(lock),
            wheels={wheel.name: store.put_file(wheel) for wheel in wheels.glob("*.whl")},
            run=RUN,
            migrations=(ONE,),
        ),
    )


@pytest.fixture
def place(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """Production, in which nothing is live yet, and a server for the databases of trials."""
    monkeypatch.setattr("tasks.source.dependencies.get_run_logger", logging.getLogger)
    Home.find().create()
    control = Control(Home.find())
    control.supervisor.up()
    made = Environment.open(Target("production"), "shop")
    made.directory.mkdir(parents=True)
    yield made
    control.supervisor.down()
    shutil.rmtree(made.directory)


def commit(app: App, sql: str) -> None:
    app.commit({"server.py": SERVER, "schema.sql": FIRST + sql})


def test_the_live_version_is_tried_on_the_schema_of_the_commit(
    app: App, place: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(app, "")
    nothing = look_at_compatibility(PIPELINE, app.workspace(), live_version(PIPELINE.app.name), (ONE,))
    assert (nothing.outcome, nothing.reason) == (Outcome.NOT_APPLICABLE, "nothing is live yet")
    digest = live_bundle(place.store, tmp_path)
    version = {"digest": digest, "version": "v1", "commit": "c" * 40}
    routing = {"version": "e1-r1", "ports": {"blue": 1}, "weights": {"blue": 100}, "preview_slot": None}
    place.journal.write("routed", {"routing": routing, "live": {**version, "slot": "blue"}}, 1)
    same = look_at_compatibility(PIPELINE, app.workspace(), live_version(PIPELINE.app.name), (ONE,))
    assert (same.outcome, same.reason) == (Outcome.NOT_APPLICABLE, "no migration is pending")

    commit(app, "ALTER TABLE people ADD COLUMN phone text\n")
    good = look_at_compatibility(PIPELINE, app.workspace(), live_version(PIPELINE.app.name), (ONE, TWO))
    assert good.outcome is Outcome.PASSED, good.reason
    where = f"v1 ({digest[:12]}), live in production, on the schema after migration 2: "
    assert good.reason == where + "its smoke tests: 1 passed"

    given: list[Path] = []
    monkeypatch.setattr(
        "tasks.checks.compatibility.fresh_redis", lambda *words: given.append(words[1]) or fresh_redis(*words)
    )
    monkeypatch.setenv("SLIPWAY_PRODUCTION_REDIS_URL", "env:NOT_ASKED")
    with_redis = look_at_compatibility(PIPELINE, app.workspace(), live_version(PIPELINE.app.name), (ONE, TWO))
    assert with_redis.outcome is Outcome.PASSED and len(given) == 1, with_redis.reason
    monkeypatch.delenv("SLIPWAY_PRODUCTION_REDIS_URL")

    commit(app, "ALTER TABLE people RENAME COLUMN name TO title\n")
    bad = look_at_compatibility(PIPELINE, app.workspace(), live_version(PIPELINE.app.name), (ONE, TWO))
    assert bad.outcome is Outcome.FAILED
    assert bad.reason.startswith(where + "its smoke tests: ended with 1: people: HTTP Error 500")

    commit(app, "ALTER TABLE nothing ADD COLUMN a int\n")
    broken = look_at_compatibility(PIPELINE, app.workspace(), live_version(PIPELINE.app.name), None)
    assert broken.outcome is Outcome.FAILED and 'relation "nothing" does not exist' in broken.reason
    assert "postgresql://" not in broken.reason

    backend = {"server.py": SERVER, "schema.sql": f"{FIRST}ALTER TABLE people ADD COLUMN phone text\n"}
    app.commit({f"backend/{name}": text for name, text in backend.items()})
    told = {
        **PIPELINE.model_dump(exclude_none=True),
        "app": {"name": "shop", "repository": "unused", "directory": "backend"},
    }
    moved = look_at_compatibility(
        Pipeline.model_validate(told), app.workspace(), live_version(PIPELINE.app.name), (ONE, TWO)
    )
    assert moved.outcome is Outcome.PASSED, moved.reason  # the live version starts where it did

    told["database"] = {"connection": "tcp", "variables": {"DB_PORT": "{port}"}}
    at_a_port = look_at_compatibility(
        Pipeline.model_validate(told), app.workspace(), live_version(PIPELINE.app.name), (ONE, TWO)
    )
    assert at_a_port.outcome is Outcome.PASSED, at_a_port.reason  # the live version comes by the socket


def test_a_trial_is_recalled_for_the_same_live_version_and_what_means_the_same(app: App, place: Environment) -> None:
    def key(digest: str = "d" * 64, sql: str = "", server: str = SERVER, pipeline: Pipeline = PIPELINE) -> str:
        app.commit({"server.py": server, "schema.sql": FIRST + sql, "again": str(time.monotonic())})
        app.commit({"again": None})
        return compatibility_key(pipeline, app.workspace(), LiveVersion(place, digest))

    first = key()
    assert compatibility_key(PIPELINE, app.workspace(), None) == ""
    assert key(server=f"# a comment\n{SERVER}") == first
    others = [key("e" * 64), key(sql="ALTER TABLE people ADD COLUMN phone text\n"), key(server=f"{SERVER}\nMORE = 1\n")]
    run = RUN.model_copy(update={"migrate": ("python", "other.py")})
    others.append(key(pipeline=PIPELINE.model_copy(update={"run": run})))
    assert len({first, *others}) == 5
