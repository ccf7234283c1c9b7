"""A dump before a migration, of both runtimes' databases, and the way back from it as docs/operations.md has it."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deployments.backups import Backups
from deployments.candidate import new_migrations
from deployments.environment import Environment
from deployments.runtimes.compose.databases import postgres_service
from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.model import read_stack
from deployments.runtimes.databases import OwnDatabase
from deployments.runtimes.process import ProcessRuntime
from evidence.bundle import Image
from gates.migrations.steps import Kind, Step
from host.databases import postgres
from host.docker.engine import Engine
from host.errors import ConfigError, ToolError
from tests.deployments.shop import COMPOSE, Shop, shop

FIRST = Step(revision="1", kind=Kind.EXPAND, reason="CREATE TABLE a")
NO_IMAGE = Image(id="sha256:" + "0" * 64, compose={"production": "compose.yml"})
BACKUP = "BACKUP_BEFORE_MIGRATION=true\nBACKUPS_KEPT=2\nMIN_FREE_DISK_MB=1\n"
POSTGRES = """\
  store:
    image: postgres:16
    labels: {slipway.role: shared}
    environment: {POSTGRES_USER: shop, POSTGRES_DB: shop, POSTGRES_HOST_AUTH_METHOD: trust}
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, shop], interval: 1s, retries: 60}
    volumes: ["data:/var/lib/postgresql/data"]
volumes: {data: {}}
"""
FILL = "create table a (b int); insert into a select generate_series(1, 1000)"


def with_postgres() -> str:
    return COMPOSE[: COMPOSE.index("  store:")] + POSTGRES


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("backups"), "process", Engine(), BACKUP) as one:
        yield one


def programs(place: Environment, name: str, *words: str) -> str:
    """Run a program of PostgreSQL as docs/operations.md does."""
    secret = (place.directory / "postgres" / "superuser").read_text()
    env = {"PGPASSWORD": secret, "PGHOST": str(place.sockets / "pg"), "PGUSER": "postgres", "PATH": "/usr/bin:/bin"}
    argv = [str(postgres._binaries() / name), *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def back_up(made: Shop, digest: str) -> str:
    place, artifact = made.place(), made.read(digest)
    with place.lease("test") as lease:
        migrations = new_migrations(place.store, place.ledger().live, artifact)
        return Backups(place).before(artifact, migrations, lease)


def test_a_dump_is_made_kept_and_restored(made: Shop) -> None:
    place = made.place()
    programs(place, "psql", "-d", "shop", "-c", FILL)
    digest = made.artifact("good", image=NO_IMAGE, migrations=[FIRST])
    assert back_up(made, digest).startswith(f"backup {place.directory}/backups/")
    (file,) = Backups(place).kept()
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    told = [entry.data for entry in place.journal.entries() if entry.kind == "backup"][-1]
    assert told["file"] == file.name and told["bytes"] == file.stat().st_size and len(told["sha256"]) == 64
    programs(place, "psql", "-d", "shop", "-c", "drop table a; create table later (x int)")
    programs(place, "dropdb", "--force", "shop")
    programs(place, "createdb", "-O", "shop", "shop")
    programs(place, "pg_restore", "--exit-on-error", "--single-transaction", "-d", "shop", str(file))
    assert programs(place, "psql", "-d", "shop", "-Atc", "select count(*), to_regclass('later') from a") == "1000|"


def test_only_the_newest_are_kept_and_what_was_unfinished_goes(made: Shop) -> None:
    backups = Backups(made.place())
    backups.directory.mkdir(exist_ok=True)
    for name in ("20200101T000000Z-a.dump", "20200102T000000Z-b.dump", "20200103T000000Z-c.dump.part"):
        (backups.directory / name).write_bytes(b"PGDMP")
    back_up(made, made.artifact("good", image=NO_IMAGE))
    names = [file.name for file in backups.directory.iterdir()]
    assert len(names) == 2 and not [name for name in names if name.startswith("20200101") or name.endswith(".part")]


def test_no_room_or_no_database_changes_nothing_and_loses_no_older_dump(made: Shop) -> None:
    digest = made.artifact("good", image=NO_IMAGE)
    back_up(made, digest)
    before = Backups(made.place()).kept()
    with (
        made.set("MIN_FREE_DISK_MB", "1e9"),
        pytest.raises(ToolError, match="nothing was changed: .* MB free, expected"),
    ):
        back_up(made, digest)
    runtime = made.place().runtime
    assert isinstance(runtime, ProcessRuntime)
    assert isinstance(runtime.database, OwnDatabase)
    with pytest.raises(ToolError, match='pg_dump of absent ended with 1: .*database "absent" does not exist'):
        runtime.database.postgres.dump("absent", made.directory / "file", 20)
    with made.set("BACKUP_TIMEOUT_SECONDS", "0.0001"), pytest.raises(ToolError, match="did not end within"):
        back_up(made, digest)
    assert Backups(made.place()).kept() == before


def test_none_is_made_where_none_is_wanted(made: Shop) -> None:
    with made.set("BACKUP_BEFORE_MIGRATION", "false"):
        assert back_up(made, made.artifact("good", image=NO_IMAGE)) == "no backup: BACKUP_BEFORE_MIGRATION is false"
    live = made.artifact("good live", image=NO_IMAGE, migrations=[FIRST])
    version = {"digest": live, "version": "v", "commit": "c" * 40}
    routing: Mapping[str, object] = {
        "version": "e1-r1",
        "ports": {"blue": 1},
        "weights": {"blue": 100},
        "preview_slot": None,
    }
    made.place().journal.write("routed", {"routing": routing, "live": {**version, "slot": "blue"}}, 99)
    same = made.artifact("good next", image=NO_IMAGE, migrations=[FIRST])
    assert back_up(made, same) == "no backup: no migration is pending"
    assert back_up(made, made.artifact("good unnamed", image=NO_IMAGE, migrations=[])).startswith(
        "backup "
    )  # kind = none
    more = Step(revision="2", kind=Kind.EXPAND, reason="CREATE TABLE b")
    assert back_up(made, made.artifact("good", image=NO_IMAGE, migrations=[FIRST, more])).startswith("backup ")
    assert back_up(made, made.artifact("good", image=NO_IMAGE)).startswith("backup ")  # nobody judged them


@pytest.mark.docker
def test_the_shared_postgres_of_a_compose_project_is_dumped_and_restored(engine: Engine, tmp_path: Path) -> None:
    with shop(tmp_path, "compose", engine, BACKUP) as one:
        digest = one.artifact("good", compose=with_postgres())
        assert one.compose.problems(one.read(digest)) == []
        one.compose.share(one.compose.install(one.read(digest)))
        (store,) = one.compose.projects.containers(one.compose.names.shared)
        inside = ("docker", "exec", "-i", store.id)
        subprocess.run([*inside, "psql", "-U", "shop", "-c", FILL], check=True, capture_output=True, timeout=600)
        assert back_up(one, digest).startswith("backup ")
        (file,) = Backups(one.place()).kept()
        restore = (
            'export PGUSER=$POSTGRES_USER; dropdb --force "$POSTGRES_DB" && createdb "$POSTGRES_DB" && '
            'pg_restore --exit-on-error --single-transaction -d "$POSTGRES_DB"'
        )
        with open(file, "rb") as content:
            subprocess.run([*inside, "sh", "-c", restore], stdin=content, check=True, capture_output=True, timeout=600)
        count = [*inside, "psql", "-U", "shop", "-Atc", "select count(*) from a"]
        assert subprocess.run(count, check=True, capture_output=True, text=True, timeout=600).stdout.strip() == "1000"
        without = one.artifact("good", image=NO_IMAGE)
        assert "looks like PostgreSQL" in str(one.compose.problems(one.read(without)))


def test_the_database_is_found_by_image_or_by_label() -> None:
    def stack(**services: str) -> str:
        model = {
            "services": {"web": {"labels": {"slipway.role": "slot", "slipway.port": "80"}, "image": "x"}}
            | {
                name: {"image": image.split()[0], "labels": {"slipway.role": "shared"} | _label(image)}
                for name, image in services.items()
            }
        }
        return postgres_service(read_stack(model, "file", Reach("shop", "/src")))

    def _label(image: str) -> dict[str, str]:
        return {"slipway.database": "postgres"} if image.endswith(" labelled") else {}

    assert stack(db="registry.example:5000/team/postgres:16@sha256:0", cache="redis:7") == "db"
    assert stack(db="own/image labelled", other="postgres:16") == "db"
    with pytest.raises(ConfigError, match="none of the shared services"):
        stack(cache="redis:7")
    with pytest.raises(ConfigError, match="a, b of the shared services"):
        stack(a="postgres:16", b="postgis/postgis")
