"""Each revision's SQL, by the real alembic in the real sandbox; on a real database where it cannot be told without."""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from control.plane import Control
from evidence.scopes import OURS
from gates.databases.form import DatabaseForm
from gates.migrations.revision import judge_migration
from gates.migrations.steps import Kind
from gates.scans.outcome import ReportError
from host.errors import ToolError
from host.home import CHECKOUT, Home
from tasks.scans.revisions import Revision, read_revisions
from tasks.source.dependencies import locked_environment
from tests.tasks.scans.commits import Files, commit, subject_of
from tests.tasks.scans.test_policy import BASE, CREATE, migrations

DROP = "op.drop_column('a', 'b')"
ONLINE = """from alembic import context
import os, sqlalchemy as sa
url = os.environ["DATABASE_URL"]
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with sa.create_engine(url).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""


def read(tmp_path: Path, files: Files, **sections: Mapping[str, Any]) -> list[Revision]:
    commit(tmp_path / "app", {**BASE, **files})
    subject = subject_of(tmp_path / "app", tmp_path / "work", environment=Path(sys.prefix), **sections)
    return read_revisions(subject.pipeline, subject.workspace, "policy")


def below(folder: str, files: Files) -> Files:
    return {f"{folder}/{name}": text for name, text in files.items()}


def test_alembic_is_found_in_a_folder_below(tmp_path: Path) -> None:
    found = read(tmp_path, below("services/api", migrations(CREATE, DROP)))
    assert [one.name for one in found] == ["0001", "0002"]
    assert found[1].text == "ALTER TABLE a DROP COLUMN b;\n"


def test_alembic_is_found_in_pyproject_and_where_the_key_says(tmp_path: Path) -> None:
    toml = {"pyproject.toml": '[tool.alembic]\nscript_location = "%(here)s/migrations"\n'}
    files = {name: text for name, text in migrations(CREATE).items() if name != "alembic.ini"}
    both = {**below("a", {**files, **toml}), **below("b", migrations(CREATE, DROP))}
    with pytest.raises(ReportError, match=r"alembic \(a/pyproject.toml\), alembic \(b/alembic.ini\): say which"):
        read(tmp_path, both)
    for config, count in (("a/pyproject.toml", 1), ("b/alembic.ini", 2)):
        where = tmp_path / config.replace("/", "_")
        where.mkdir()
        assert len(read(where, both, migrations={"kind": "alembic", "config": config})) == count


def test_what_stands_in_texts_neither_ends_a_revision_nor_leaves_it(tmp_path: Path) -> None:
    text = "op.execute('''SELECT '\\n-- Running upgrade a -> b\\n-- '; DROP TABLE a; SELECT '\\n' ''')"
    found = read(tmp_path, migrations(CREATE, text, "op.execute('SELECT 1 -- x'); op.execute('DROP TABLE a')"))
    assert [one.name for one in found] == ["0001", "0002", "0003"]
    assert "-- '; DROP TABLE a; SELECT" in found[1].text
    assert found[2].text == "SELECT 1 -- x;\n;\nDROP TABLE a;\n"


def test_alembics_own_table_is_not_told(tmp_path: Path) -> None:
    assert "alembic_version" not in "".join(one.text for one in read(tmp_path, migrations(CREATE, DROP)))


FLASK_INI = "[alembic]\n# file_template = x\n"
# Stands for Flask-Migrate: `flask db upgrade` knows the place that alembic.ini leaves out.
FLASK = """import logging
import re
import sys
from alembic import command
from alembic.config import Config
assert sys.argv[1:4] == ["--app", "shop", "db"], sys.argv
config = Config("migrations/alembic.ini")
config.set_main_option("script_location", "migrations")
command.upgrade(config, "head", sql="--sql" in sys.argv)
"""


def flask(*bodies: str) -> Files:
    files = {name: text for name, text in migrations(*bodies).items() if name != "alembic.ini"}
    return {**files, "migrations/alembic.ini": FLASK_INI, "flask.py": FLASK}


def test_flask_migrate_is_run_by_its_own_command(tmp_path: Path) -> None:
    run = {"command": ["python"], "health": ["/health"]}
    migrate = ["python", "-m", "flask", "--app", "shop", "db", "upgrade"]
    found = read(tmp_path, flask(CREATE, DROP), run={**run, "migrate": migrate})
    assert found[1] == Revision(revision="0002", sql=("ALTER TABLE a DROP COLUMN b;",)), found
    (tmp_path / "without").mkdir()
    with pytest.raises(ToolError, match="^migrations/alembic.ini has no script_location, as Flask-Migrate writes it"):
        read(tmp_path / "without", flask(CREATE), run=run)


def test_flask_migrate_may_name_its_folder_and_its_heads(tmp_path: Path) -> None:
    migrate = ["uv", "run", "flask", "--app", "shop", "db", "upgrade", "-d", "migrations", "heads"]
    run = {"command": ["python"], "health": ["/health"], "migrate": migrate}
    assert [one.name for one in read(tmp_path, flask(CREATE, DROP), run=run)] == ["0001", "0002"]


def test_files_of_sql_come_in_their_order_and_only_upwards(tmp_path: Path) -> None:
    files = {
        "db/10_last.sql": "DROP TABLE a;",
        "db/2_second.sql": "-- migrate:up\nALTER TABLE a ADD b int;\n-- migrate:down\nALTER TABLE a DROP b;\n",
        "db/1_first.up.sql": "CREATE TABLE a (i int);",
        "db/1_first.down.sql": "DROP TABLE a;",
        "db/seed.sql": "DROP TABLE b;",
        "db/3_empty.sql": "",
        "db/4_plain.sql": "-- rollback: no\n-- migrate:down\nDROP TABLE c;\n",
        "db/5_back_first.sql": "-- +goose Down\nDROP TABLE c;\n-- +goose Up\nCREATE TABLE c (i int);\n",
    }
    found = read(tmp_path, files, migrations={"kind": "sql", "config": "db"})
    last = ["4_plain.sql", "5_back_first.sql", "10_last.sql", "seed.sql 9d57da54"]
    assert [one.name for one in found] == ["1_first.up.sql", "2_second.sql", "3_empty.sql", *last]
    assert found[1].text == "-- migrate:up\nALTER TABLE a ADD b int;\n"
    assert "DROP TABLE c" in found[3].text, "a file that names no way there is one as a whole"
    assert found[4].text == "-- +goose Up\nCREATE TABLE c (i int);\n"
    assert [one.name for one in found if one.trouble] == ["3_empty.sql"]


def test_no_file_among_numbered_sql_is_lost(tmp_path: Path) -> None:
    alike = f"{'2' * 90}_a.sql", f"{'2' * 90}_b.sql"
    files = {
        "db/1_a.sql": "CREATE TABLE a (i int);",
        "db/1_step.py": "step('x')",
        **{f"db/{name}": "A" for name in alike},
    }
    found = read(tmp_path, files, migrations={"kind": "sql", "config": "db"})
    assert len({one.name for one in found}) == 4 and all(len(one.name) <= 80 for one in found)
    assert [one.revision for one in found if one.trouble] == ["1_step.py"]


def test_the_configuration_that_the_command_names_is_read(tmp_path: Path) -> None:
    ini = "[alembic]\nscript_location = db/none\n[other]\nscript_location = db/migrations\n"
    env = "from alembic import context\nassert context.get_x_argument(as_dictionary=True) == {'tenant': 'a'}\n"
    files = {name: text for name, text in migrations(CREATE, DROP).items() if name != "alembic.ini"}
    files["migrations/env.py"] = env + str(files["migrations/env.py"])
    both = {**below("api/db", files), "api/db/prod.ini": ini, "alembic.ini": "[alembic]\nscript_location = nowhere\n"}
    migrate = ["alembic", "-c", "db/prod.ini", "-n", "other", "-x", "tenant=a", "upgrade", "head"]
    found = read(tmp_path, both, run={"command": ["python"], "health": ["/health"], "migrate": migrate})
    assert [one.text for one in found[1:]] == ["ALTER TABLE a DROP COLUMN b;\n"]


@pytest.mark.parametrize("scheme", ["mysql+pymysql", "mariadb+asyncmy", "mysql", "sqlite"])
@pytest.mark.parametrize(
    ("files", "section"),
    [
        pytest.param(migrations(CREATE), {}, id="alembic"),
        pytest.param(
            {"db/1_a.sql": "CREATE TABLE a (i int) ENGINE=InnoDB;"}, {"kind": "sql", "config": "db"}, id="sql"
        ),
    ],
)
def test_sql_of_another_database_is_judged_by_nobody_and_that_is_said(
    tmp_path: Path, scheme: str, files: Files, section: Mapping[str, Any]
) -> None:
    commit(tmp_path / "app", {**BASE, **files})
    subject = subject_of(tmp_path / "app", tmp_path / "work", environment=Path(sys.prefix), migrations=section)
    form = DatabaseForm.model_validate({"scheme": scheme})
    with pytest.raises(ReportError, match="only migrations of PostgreSQL are judged: a person decides"):
        read_revisions(subject.pipeline, replace(subject.workspace, database=form), "policy")
    assert read(tmp_path / "none", files, migrations={"kind": "none"}) == []


def test_a_declared_none_is_none(tmp_path: Path) -> None:
    assert read(tmp_path, {"yoyo.ini": ""}, migrations={"kind": "none"}) == []


@pytest.fixture
def database(home: Path) -> Iterator[None]:
    Home.find().create()
    control = Control(Home.find())
    control.supervisor.up()
    yield
    control.supervisor.down()


@pytest.mark.parametrize("connection", ["socket", "tcp"])
def test_a_history_that_needs_a_database_gets_one(tmp_path: Path, database: None, connection: str) -> None:
    files = migrations(
        CREATE,
        "for row in op.get_bind().execute(sa.text('SELECT id FROM a')).fetchall(): pass",
        "op.get_bind().execute(sa.text('UPDATE a SET b = :b'), {'b': None})",
        "op.get_bind().connection.cursor().execute('DROP TABLE a')",
    )
    commit(tmp_path / "app", {**BASE, **files, "migrations/env.py": ONLINE})
    subject = subject_of(tmp_path / "app", tmp_path / "work", environment=Path(sys.prefix))
    form = DatabaseForm.model_validate({"connection": connection})
    found = read_revisions(subject.pipeline, replace(subject.workspace, database=form), "policy")
    assert [one.trouble[:13] for one in found] == ["", "it reads rows", "", ""]
    assert [one.text for one in found[1:3]] == ["SELECT id FROM a;\n", "UPDATE a SET b = NULL;\n"]
    assert "CALL slipway_driver_without_sqlalchemy();" in found[3].text


READ = "op.get_bind().execute(sa.text({0!r})).fetchall()"
READS = [
    f"if {READ.format('SELECT 1 FROM a')}: op.drop_column('a', 'b')",
    READ.format("DELETE FROM a RETURNING id"),
    "from sqlalchemy.orm import Session; Session(op.get_bind()).execute(sa.text('SELECT b FROM a')).first()",
]
LOOKS = [
    READ.format("SELECT 1 FROM information_schema.columns WHERE table_name = 'a'"),
    READ.format("INSERT INTO a (b) VALUES ('x') RETURNING id"),
    "op.get_bind(); op.execute('SELECT count(*) FROM a')",
    "'a' in sa.inspect(op.get_bind()).get_table_names() and op.add_column('a', sa.Column('c', sa.Text))",
    "sa.inspect(op.get_bind()).get_columns('a'); sa.inspect(op.get_bind()).get_indexes('a')",
    "from sqlalchemy.dialects.postgresql import ENUM; ENUM('x', name='e').create(op.get_bind(), True)",
    "op.get_bind(); op.bulk_insert(sa.table('a', sa.column('b')), [{'b': 'x'}, {'b': 'y'}])",
    "op.get_bind().execute(sa.text('UPDATE a SET b = :b'), {'b': 'x'})",
]
URL = "os.environ['DATABASE_URL'].replace('+psycopg', '')"
PAST = [
    f"import os, psycopg; psycopg.connect({URL}).close()",
    f"import os; from psycopg import Connection; Connection.connect({URL}).close()",
    f"""import os; from psycopg import Connection
    class Ours(Connection): pass
    assert isinstance(Ours.connect({URL}), Ours)""",
    "import subprocess; subprocess.run(['true'])",
    "import os; os.system('true')",
]


def test_what_reads_rows_or_goes_past_sqlalchemy_is_told_apart(tmp_path: Path, database: None) -> None:
    found = read(tmp_path, {**migrations(CREATE, *READS, *LOOKS, *PAST), "migrations/env.py": ONLINE})[1:]
    reads, looks, past = found[: len(READS)], found[len(READS) : -len(PAST)], found[-len(PAST) :]
    assert all(one.trouble.startswith("it reads rows (") for one in reads), reads
    assert "judged_after in [migrations] of config/policy.toml" in reads[0].trouble
    assert not any(one.trouble or "slipway" in one.text for one in looks), looks
    assert all("CALL slipway_" in one.text and not one.trouble for one in past), past
    assert {judge_migration(one.name, one.text).kind for one in past} == {Kind.CONTRACT}


OFFLINE = """from alembic import context
context.configure(url='postgresql://')
with context.begin_transaction():
    context.run_migrations()
"""
ASKS = [
    "from alembic import context\n    if not context.is_offline_mode(): op.drop_column('a', 'b')",
    "if op.get_bind() is not None: op.drop_column('a', 'b')",
    "if op.get_context().bind: pass\n    if not op.get_context().as_sql: op.drop_column('a', 'b')",
    "from alembic import context\n    if context.get_bind(): op.drop_column('a', 'b')",
]


@pytest.mark.parametrize("body", ASKS)
def test_what_asks_for_the_mode_is_named_where_there_is_no_database(tmp_path: Path, home: Path, body: str) -> None:
    found = read(tmp_path, {**migrations(CREATE, body), "migrations/env.py": OFFLINE})
    assert [one.trouble[:31] for one in found] == ["", "it asks whether there is a data"]


def test_what_asks_for_the_mode_is_told_as_it_runs_with_a_database(tmp_path: Path, database: None) -> None:
    found = read(tmp_path, {**migrations(CREATE, ASKS[0]), "migrations/env.py": ONLINE})
    assert (found[1].text, found[1].trouble) == ("ALTER TABLE a DROP COLUMN b;\n", "")


def test_what_neither_way_can_be_told_is_named_and_hides_no_other(tmp_path: Path, database: None) -> None:
    env = "from alembic import context\ncontext.configure(url='postgresql://')\nwith context.begin_transaction():\n"
    env += "    context.run_migrations()\n"
    rows = "op.get_bind().execute(sa.text('SELECT id FROM a')).fetchall()"
    found = read(tmp_path, {**migrations(f"{CREATE}; {rows}", DROP), "migrations/env.py": env})
    assert [one.name for one in found] == ["0001", "0002"]
    assert "NoneType" in found[0].trouble and not found[1].trouble
    assert found[1].text == "ALTER TABLE a DROP COLUMN b;\n"


MANAGE = """import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """import os
from urllib.parse import parse_qs, unquote, urlsplit
url = urlsplit(os.environ.get("DATABASE_URL", ""))
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username,
    "PASSWORD": unquote(url.password or ""), "HOST": parse_qs(url.query)["host"][0]}}
INSTALLED_APPS = ["people"]
SECRET_KEY = "only-for-this-test"
"""
FIRST = """from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    operations = [migrations.CreateModel("Person", [
        ("id", models.BigAutoField(primary_key=True)), ("name", models.TextField(db_index=True))])]
"""
LATER = """from django.db import migrations, models
def forget(apps, schema_editor):
    apps.get_model("people", "Person").objects.update(name=None)
def fill(apps, schema_editor):
    apps.get_model("people", "Person").objects.create(name="first")
def greet(apps, schema_editor):
    for person in apps.get_model("people", "Person").objects.all():
        person.delete()
class Migration(migrations.Migration):
    dependencies = [("people", "{0}")]
    operations = [{1}]
"""
DJANGO = (
    "django==5.2.17 --hash=sha256:f04fb3b36ee119e1af4fa1d397d5fd6cf12700f49321e84d4f4c642c5b1973db\n",
    "asgiref==3.12.1 --hash=sha256:fe386d1c2bff7259ea95929266d12a8cf9a8b5a1c2598402967d8792e7a7c094\n",
    "sqlparse==0.6.0 --hash=sha256:b861c0288ce2fa56209a9a6412d2e066ac664b3873b89c26c9d8415e8e32996f\n",
)


def project(**more: str) -> Files:
    app = {"people/__init__.py": "", "people/migrations/__init__.py": "", "people/migrations/0001_initial.py": FIRST}
    return below("web", {"manage.py": MANAGE, "settings.py": SETTINGS, **app, **more})


@pytest.fixture
def django(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an environment with Django."""
    monkeypatch.setattr("tasks.source.dependencies.get_run_logger", logging.getLogger)
    Home.find().create()
    whole = (CHECKOUT / "examples" / "assistant" / "requirements.lock").read_text()
    psycopg = re.findall(r"(?ms)^(?:psycopg|psycopg-binary|typing-extensions)==.*?(?=^\S)", whole + "\nend")
    lock = tmp_path / "django.lock"
    lock.write_text("".join([*psycopg, *DJANGO]))
    return locked_environment(lock, "3.11", OURS)


def test_django_is_read_as_it_runs_on_an_empty_database(tmp_path: Path, django: Path, database: None) -> None:
    added = "migrations.AddField('Person', 'age', models.IntegerField(null=True))"
    steps = {
        "people/migrations/0002_age.py": LATER.format("0001_initial", added),
        "people/migrations/0003_gone.py": LATER.format("0002_age", "migrations.RemoveField('Person', 'age')"),
        "people/migrations/0004_null.py": LATER.format(
            "0003_gone",
            "migrations.AlterField('Person', 'name', models.TextField(null=True)), migrations.RunPython(forget)",
        ),
        "people/migrations/0005_fill.py": LATER.format("0004_null", "migrations.RunPython(fill)"),
        "people/migrations/0006_sql.py": LATER.format(
            "0005_fill", "migrations.RunSQL('SELECT count(*) FROM people_person')"
        ),
        "people/migrations/0007_rows.py": LATER.format("0006_sql", "migrations.RunPython(greet)"),
    }
    commit(tmp_path / "app", {**BASE, **project(**steps)})
    subject = subject_of(tmp_path / "app", tmp_path / "work", environment=django)
    found = read_revisions(subject.pipeline, subject.workspace, "policy")
    assert [one.name for one in found] == [
        "people.0001_initial",
        "people.0002_age",
        "people.0003_gone",
        "people.0004_null",
        "people.0005_fill",
        "people.0006_sql",
        "people.0007_rows",
    ]
    assert [bool(one.trouble) for one in found] == [False] * 6 + [True], found
    assert found[6].trouble.startswith("it reads rows (SELECT")
    kinds = [judge_migration(one.name, one.text).kind for one in found[:4]]
    assert kinds == [Kind.EXPAND, Kind.EXPAND, Kind.CONTRACT, Kind.CONTRACT], [one.text for one in found]
    assert 'SET "name" = NULL' in found[3].text


def test_a_project_that_uses_another_database_is_not_judged(tmp_path: Path, django: Path, database: None) -> None:
    other = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings = f"DATABASES = {{'default': {other}}}\nINSTALLED_APPS = ['people']\nSECRET_KEY = 'x'\n"
    commit(tmp_path / "app", {**BASE, **project(**{"settings.py": settings})})
    subject = subject_of(tmp_path / "app", tmp_path / "work", environment=django)
    with pytest.raises(ToolError, match="the settings name sqlite, expected PostgreSQL"):
        read_revisions(subject.pipeline, subject.workspace, "policy")
