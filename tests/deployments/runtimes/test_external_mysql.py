"""An external MySQL or MariaDB of the runtime `process`: what the app is told, what stops a release, the dump."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.backups import Backups
from deployments.journal.entries import EventKind
from deployments.preflight import preflight
from deployments.rollout import Rollout
from gates.databases.form import DatabaseForm
from gates.migrations.statements import Kind
from gates.migrations.steps import Step
from gates.verdict import Action
from host.databases import mysql_programs
from host.docker.engine import Engine
from host.errors import MigrationError
from tests.deployments.runtimes.test_databases import BACKUP, NO_IMAGE, TELLS, migrate
from tests.deployments.shop import APP, Shop
from tests.mariadb_server import MariaDb, mariadb

FORM = DatabaseForm(scheme="mariadb+pymysql", variables={"PARTS": "{user} {name} {port}"})
GONE = Step(revision="gone", kind=Kind.CONTRACT, reason="DROP TABLE a")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    with mariadb(tmp_path_factory.mktemp("mariadb")) as made:
        yield made


def environment(folder: Path, url: str, more: str = "") -> Shop:
    (folder / "url").write_text(url + "\n")
    made = Shop(folder, "process", Engine(), f"DATABASE=external\nDATABASE_URL=file:{folder / 'url'}\n{more}")
    made.place().directory.mkdir(parents=True)
    return made


def test_an_app_is_told_in_its_drivers_words_and_the_secret_is_masked(others: MariaDb, tmp_path: Path) -> None:
    made = environment(tmp_path, others.url(query="charset=utf8mb4"))
    place, artifact = made.place(), made.read(made.artifact("good", image=NO_IMAGE, app=TELLS + APP, database=FORM))
    said = migrate(place, artifact)
    assert said == f"told mariadb+pymysql://***@/shop?unix_socket={others.socket}&charset=utf8mb4 shop shop 3306"
    assert place.runtime.database.problems(artifact) == []
    note, ddl = place.runtime.database.notes(artifact)
    assert note.startswith("The database is an external MariaDB 1") and "TLS" not in note
    assert ddl.startswith("Nobody judges migrations of MySQL") and len(place.runtime.database.notes()) == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("mysql://u:p@/d?unix_socket=/run/mysqld/s", "/run/mysqld is given to no sandbox", id="socket"),
        pytest.param("mysql://u:p@h/d?ssl_ca=/srv/ca.pem", "/srv/ca.pem is given to no sandbox", id="certificates"),
        pytest.param("postgresql://u:p@/d?host=/run/postgresql", "/run/postgresql is given to no", id="postgresql"),
    ],
)
def test_what_the_apps_sandbox_is_not_given_is_named_before_a_release(tmp_path: Path, url: str, why: str) -> None:
    (problem,) = environment(tmp_path, url).place().runtime.database.problems()
    assert why in problem and "by TCP instead of a socket there" in problem


def test_a_scheme_of_another_family_is_named(others: MariaDb, tmp_path: Path) -> None:
    made = environment(tmp_path, others.url())
    (problem,) = made.place().runtime.database.problems(made.read(made.artifact("good", image=NO_IMAGE)))
    assert "scheme is postgresql+psycopg, and the environment's database is MySQL" in problem


def test_a_server_that_is_away_stops_a_release_as_the_first_cause(others: MariaDb, tmp_path: Path) -> None:
    made = environment(tmp_path, others.url(tcp=True).replace(f":{others.port}/", ":1/"))
    verdict = preflight(made.place(), made.vouched("good", NO_IMAGE)).verdict
    assert verdict.action is Action.STOP and "scheme is postgresql+psycopg" in verdict.reason  # told before it is asked
    (problem,) = made.place().runtime.database.problems()
    assert (
        problem.startswith("the external MySQL at localhost:1 does not answer: ERROR 200") and "hunter2" not in problem
    )


def test_a_dump_is_kept_as_others_are_and_a_missing_program_is_named_before(
    others: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others.run("CREATE TABLE shop.kept (word TEXT)", "INSERT INTO shop.kept VALUES ('of before')")
    made = environment(tmp_path, others.url(), BACKUP + "BACKUPS_KEPT=2\n")
    place, artifact = made.place(), made.read(made.artifact("good", image=NO_IMAGE, database=FORM))
    assert place.runtime.database.problems(artifact) == []
    with place.lease("test") as lease:
        assert Backups(place).before(artifact, [], lease).startswith("backup ")
    (dump,) = Backups(place).kept()
    assert dump.stat().st_mode & 0o777 == 0o600 and "of before" in gzip.decompress(dump.read_bytes()).decode()
    monkeypatch.setenv(mysql_programs.BIN, str(tmp_path))
    (tmp_path / "mariadb").symlink_to("/usr/bin/mariadb")
    (problem,) = made.place().runtime.database.problems(artifact)
    assert "BACKUP_BEFORE_MIGRATION: it cannot be dumped: there is no mariadb-dump or mysqldump in" in problem
    made.settings.write_text(made.settings.read_text().replace(BACKUP, ""))
    assert made.place().runtime.database.problems(artifact) == []


def test_a_failed_migration_is_not_believed_to_be_undone(others: MariaDb, tmp_path: Path) -> None:
    made = environment(tmp_path, others.url())
    artifact = made.artifact("bad-migration", image=NO_IMAGE, database=FORM, migrations=[GONE])
    place = made.place()
    with place.lease("test") as lease:
        rollout = Rollout.begin(place, lease, made.read(artifact), "release")
        rollout.install()
        with pytest.raises(MigrationError, match="no transactions: what ran of it STAYS"):
            rollout.migrate()
    kinds = [entry.kind for entry in place.journal.entries()]
    assert EventKind.MIGRATING in kinds and EventKind.MIGRATION_FAILED not in kinds
