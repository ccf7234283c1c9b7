"""Which tool migrates the database: found where plain, asked for where not, never guessed."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.release.migration_tools import MigrationTool, ToolKind, choose_tool

ALEMBIC, DJANGO, SQL, NONE = ToolKind
INI = "[alembic]\nscript_location = migrations\n"
FLASK = "[alembic]\n# file_template = x\n[loggers]\nkeys = root\n"
TOML = '[tool.alembic]\nscript_location = "migrations"\n'
MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"


def chosen(
    files: dict[str, str], kind: ToolKind | None = None, config: str = "", migrates: list[str] | None = None
) -> MigrationTool | str:
    return choose_tool(kind, config, sorted(files), files, migrates)


@pytest.mark.parametrize(
    ("files", "tool"),
    [
        ({}, MigrationTool(NONE)),
        ({"app.py": ""}, MigrationTool(NONE)),
        ({"alembic.ini": INI}, MigrationTool(ALEMBIC, "alembic.ini")),
        ({"backend/alembic.ini": INI}, MigrationTool(ALEMBIC, "backend/alembic.ini")),
        ({"a/b/c/alembic.ini": INI}, MigrationTool(ALEMBIC, "a/b/c/alembic.ini")),
        ({"pyproject.toml": TOML}, MigrationTool(ALEMBIC, "pyproject.toml")),
        ({"api/pyproject.toml": TOML, "pyproject.toml": "[project]"}, MigrationTool(ALEMBIC, "api/pyproject.toml")),
        ({"alembic.ini": FLASK, "pyproject.toml": TOML}, MigrationTool(ALEMBIC, "alembic.ini")),
        ({"migrations/alembic.ini": FLASK}, MigrationTool(ALEMBIC, "migrations/alembic.ini", by_the_app=True)),
        ({"alembic.ini": "not an ini"}, MigrationTool(ALEMBIC, "alembic.ini", by_the_app=True)),
        ({"manage.py": MANAGE}, MigrationTool(DJANGO, "manage.py")),
        ({"src/manage.py": MANAGE}, MigrationTool(DJANGO, "src/manage.py")),
        ({"alembic.ini": INI, "seeds/001_people.sql": ""}, MigrationTool(ALEMBIC, "alembic.ini")),
        ({"alembic.ini": INI, "manage.py": "print('ours')"}, MigrationTool(ALEMBIC, "alembic.ini")),
        ({"alembic.ini": INI, "pyproject.toml": "tool = 3"}, MigrationTool(ALEMBIC, "alembic.ini")),
        ({"alembic.ini": INI, "pyproject.toml": "]["}, MigrationTool(ALEMBIC, "alembic.ini")),
    ],
)
def test_what_is_plain_is_found(files: dict[str, str], tool: MigrationTool) -> None:
    assert chosen(files) == tool


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"a/alembic.ini": INI, "b/alembic.ini": INI}, "alembic (a/alembic.ini), alembic (b/alembic.ini)"),
        ({"alembic.ini": INI, "manage.py": MANAGE}, "alembic (alembic.ini), django (manage.py)"),
        ({"alembic.ini": INI, "aerich.ini": ""}, "alembic (alembic.ini), aerich (aerich.ini)"),
        ({"pyproject.toml": "[tool.aerich]\nlocation = 'x'"}, "aerich (pyproject.toml)"),
        ({"yoyo.ini": ""}, "yoyo (yoyo.ini)"),
        ({"db/migrations/20240101_users.sql": ""}, "dbmate (db/migrations/20240101_users.sql)"),
        ({"piccolo_conf.py": ""}, "piccolo (piccolo_conf.py)"),
        ({"prisma/schema.prisma": ""}, "Prisma (prisma/schema.prisma)"),
        ({"flyway.toml": ""}, "Flyway (flyway.toml)"),
        ({"db/db.changelog-master.yaml": ""}, "Liquibase (db/db.changelog-master.yaml)"),
        ({"sqitch.plan": ""}, "Sqitch (sqitch.plan)"),
        ({"atlas.hcl": ""}, "Atlas (atlas.hcl)"),
        ({"schema/001_users.sql": "", "schema/002_more.sql": ""}, "numbered files of SQL in schema"),
        ({"sql/V1__users.sql": ""}, "numbered files of SQL in sql"),
    ],
)
def test_what_is_not_plain_or_not_known_is_named_and_asked_for(files: dict[str, str], named: str) -> None:
    said = chosen(files)
    assert isinstance(said, str) and named in said and "[migrations] kind" in said
    assert chosen(files, NONE) == MigrationTool(NONE)


def test_a_command_that_migrates_by_an_unknown_tool_is_named() -> None:
    said = chosen({"app.py": ""}, migrates=["python", "upgrade_schema.py"])
    assert isinstance(said, str) and "[run] migrate is 'python upgrade_schema.py'" in said


@pytest.mark.parametrize(
    ("kind", "config", "answer"),
    [
        (ALEMBIC, "b/alembic.ini", MigrationTool(ALEMBIC, "b/alembic.ini")),
        (ALEMBIC, "c/alembic.ini", "c/alembic.ini is no configuration of alembic in this commit"),
        (ALEMBIC, "", "say which one migrates"),
        (DJANGO, "", MigrationTool(DJANGO, "manage.py")),
        (DJANGO, "b/alembic.ini", "b/alembic.ini is no configuration of django"),
        (SQL, "sql", MigrationTool(SQL, "sql")),
        (SQL, ".", MigrationTool(SQL, ".")),
        (SQL, "empty", "empty has no numbered files of SQL"),
    ],
)
def test_what_is_said_holds(kind: ToolKind, config: str, answer: MigrationTool | str) -> None:
    files = {"a/alembic.ini": INI, "b/alembic.ini": INI, "manage.py": MANAGE, "sql/1.sql": "", "empty/x.sql": ""}
    found = chosen(files, kind, config)
    assert found == answer if isinstance(answer, MigrationTool) else isinstance(found, str) and answer in found


def test_a_kind_that_is_not_there_is_named() -> None:
    assert chosen({"app.py": ""}, DJANGO) == (
        "[migrations] kind: the commit has no configuration of django; name it: [migrations] config"
    )


PARTS = st.sampled_from(
    ["[tool.alembic]\n", "[tool]\nalembic = 1\n", "[alembic]\n", "script_location", " = ", "x\n", "[[", "\0"]
)


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["alembic.ini", "a/pyproject.toml", "manage.py"]), st.lists(PARTS).map("".join)))
def test_any_files_lead_to_a_tool_or_to_a_question(texts: dict[str, str]) -> None:
    found = chosen(texts)
    assert isinstance(found, MigrationTool) or found
    if "alembic.ini" in texts:
        assert found != MigrationTool(NONE)
    for name, text in texts.items():
        if name.endswith(".toml") and "[tool.alembic]" in text:
            try:
                tomllib.loads(text)
            except tomllib.TOMLDecodeError:
                continue
            assert found != MigrationTool(NONE)
