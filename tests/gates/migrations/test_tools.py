"""Which tool migrates the database: found where plain, asked for where not, never guessed."""

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.migrations.migrate_command import ToolKind
from gates.migrations.tools import MigrationTool, choose_tool, telling

ALEMBIC, DJANGO, SQL, NONE = ToolKind
INI = "[alembic]\nscript_location = migrations\n"
FLASK = "[alembic]\n# file_template = x\n[loggers]\nkeys = root\n"
TOML = '[tool.alembic]\nscript_location = "migrations"\n'
MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"


def chosen(
    files: dict[str, str],
    kind: ToolKind | None = None,
    config: str = "",
    migrates: list[str] | None = None,
    directory: str = ".",
) -> MigrationTool | str:
    return choose_tool(kind, config, sorted(files), files, migrates, directory)


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
        (ALEMBIC, "c/alembic.ini", "c/alembic.ini is no file of this commit"),
        (ALEMBIC, "manage.py", "manage.py is no configuration of alembic"),
        (ALEMBIC, "prod.ini", MigrationTool(ALEMBIC, "prod.ini")),
        (ALEMBIC, "setup.cfg", MigrationTool(ALEMBIC, "setup.cfg")),
        (ALEMBIC, "flask.ini", MigrationTool(ALEMBIC, "flask.ini", by_the_app=True)),
        (DJANGO, "bare/manage.py", MigrationTool(DJANGO, "bare/manage.py")),
        (DJANGO, "src/shop/__main__.py", MigrationTool(DJANGO, "src/shop/__main__.py")),
        (ALEMBIC, "", "say which one migrates"),
        (DJANGO, "", MigrationTool(DJANGO, "manage.py")),
        (DJANGO, "b/alembic.ini", "b/alembic.ini is no configuration of django"),
        (SQL, "sql", MigrationTool(SQL, "sql")),
        (SQL, ".", MigrationTool(SQL, ".")),
        (SQL, "unnumbered", MigrationTool(SQL, "unnumbered")),
        (SQL, "empty", "empty has no files of SQL"),
    ],
)
def test_what_is_said_holds(kind: ToolKind, config: str, answer: MigrationTool | str) -> None:
    files = {"a/alembic.ini": INI, "b/alembic.ini": INI, "manage.py": MANAGE, "sql/1.sql": "", "unnumbered/x.sql": ""}
    files |= {"prod.ini": INI, "setup.cfg": INI, "flask.ini": FLASK, "empty/x.txt": ""}
    files |= {"bare/manage.py": "from shop import main", "src/shop/__main__.py": "main()"}
    found = chosen(files, kind, config)
    assert found == answer if isinstance(answer, MigrationTool) else isinstance(found, str) and answer in found


UPGRADE = ["alembic", "upgrade", "head"]


@pytest.mark.parametrize(
    ("files", "migrates", "tool"),
    [
        ({"alembic.ini": INI}, UPGRADE, MigrationTool(ALEMBIC, "alembic.ini")),
        ({"backend/alembic.ini": INI}, UPGRADE, MigrationTool(ALEMBIC, "backend/alembic.ini")),
        (
            {"alembic.ini": INI, "alembic_prod.ini": INI},
            ["alembic", "-c", "alembic_prod.ini", *UPGRADE[1:]],
            MigrationTool(ALEMBIC, "alembic_prod.ini", named="alembic_prod.ini"),
        ),
        (
            {"alembic.ini": INI, "api/prod.ini": INI},
            ["alembic", "-c", "/app/prod.ini", *UPGRADE[1:]],
            MigrationTool(ALEMBIC, "api/prod.ini"),
        ),
        (
            {"alembic.ini": INI},
            ["alembic", "-n", "prod", "-x", "tenant=a", *UPGRADE[1:]],
            MigrationTool(ALEMBIC, "alembic.ini", section="prod", arguments=("tenant=a",)),
        ),
        ({"alembic.ini": INI, "manage.py": MANAGE}, UPGRADE, MigrationTool(ALEMBIC, "alembic.ini")),
        ({"alembic.ini": INI, "yoyo.ini": ""}, UPGRADE, MigrationTool(ALEMBIC, "alembic.ini")),
        (
            {"alembic.ini": INI, "manage.py": "from shop import main"},
            ["python", "manage.py", "migrate", "--settings", "shop.prod"],
            MigrationTool(DJANGO, "manage.py", arguments=("--settings=shop.prod",)),
        ),
        (
            {"alembic.ini": INI, "db/alembic.ini": FLASK},
            ["uv", "run", "flask", "db", "upgrade", "-d", "db"],
            MigrationTool(ALEMBIC, "db/alembic.ini", by_the_app=True, named="db/alembic.ini"),
        ),
        (
            {"tests/fixtures/alembic.ini": INI},
            ["alembic", "-c", "tests/fixtures/alembic.ini", *UPGRADE[1:]],
            MigrationTool(ALEMBIC, "tests/fixtures/alembic.ini", named="tests/fixtures/alembic.ini"),
        ),
    ],
)
def test_the_command_that_migrates_says_which_one_it_is(
    files: dict[str, str], migrates: list[str], tool: MigrationTool
) -> None:
    assert chosen(files, migrates=migrates) == tool


@pytest.mark.parametrize(
    ("tool", "folder", "file"),
    [
        (MigrationTool(ALEMBIC, "alembic.ini"), ".", "alembic.ini"),
        (MigrationTool(ALEMBIC, "api/db/alembic.ini"), "api/db", "alembic.ini"),
        (MigrationTool(ALEMBIC, "api/db/alembic.ini", named="db/alembic.ini"), "api", "db/alembic.ini"),
        (MigrationTool(ALEMBIC, "db/alembic.ini", named="db/alembic.ini"), ".", "db/alembic.ini"),
    ],
)
def test_a_tool_starts_where_its_command_does(tool: MigrationTool, folder: str, file: str) -> None:
    assert (tool.folder, tool.file) == (folder, file)


@pytest.mark.parametrize(
    ("files", "migrates", "named"),
    [
        ({"alembic.ini": INI}, ["python", "-m", "app.migrate"], "'python -m app.migrate', of a tool that is not known"),
        ({"alembic.ini": INI}, ["alembic", "stamp", "head"], "of a tool that is not known"),
        ({"alembic.ini": INI}, ["alembic", "upgrade", "head", "--sql"], "of a tool that is not known"),
        ({"alembic.ini": INI}, ["alembic", "-c", "x.ini", *UPGRADE[1:]], "x.ini, which is no file of this commit"),
        (
            {"alembic.ini": INI, "b/alembic.ini": INI},
            ["alembic", "-c", "alembic.ini", *UPGRADE[1:]],
            "alembic.ini, which may be any of alembic.ini, b/alembic.ini",
        ),
        ({"alembic.ini": INI}, ["python", "manage.py", "migrate"], "manage.py, which is no file of this commit"),
        ({"manage.py": MANAGE}, UPGRADE, "starts alembic, and the commit has no configuration of it"),
        ({"examples/x/alembic.ini": INI}, UPGRADE, "alembic (examples/x/alembic.ini) alone, in a folder of another"),
        ({"tests/fixtures/alembic.ini": INI}, None, "alembic (tests/fixtures/alembic.ini) alone, in a folder"),
        ({"tests/fixtures/alembic.ini": INI}, ["python", "-m", "app.migrate"], "say whether that is what it starts"),
    ],
)
def test_a_command_that_does_not_fit_what_is_found_is_asked_about(
    files: dict[str, str], migrates: list[str] | None, named: str
) -> None:
    said = chosen(files, migrates=migrates)
    assert isinstance(said, str) and named in said and "[migrations] kind" in said
    assert chosen(files, NONE, migrates=migrates) == MigrationTool(NONE)
    for config in (name for name in files if name.endswith("alembic.ini") and "app.migrate" in str(migrates)):
        assert chosen(files, ALEMBIC, config, migrates) == MigrationTool(ALEMBIC, config), "the way out that is named"


@pytest.mark.parametrize(
    ("kind", "config", "migrates", "named"),
    [
        (ALEMBIC, "a.ini", ["alembic", "-c", "b.ini", *UPGRADE[1:]], "names b.ini, and [migrations] config is a.ini"),
        (ALEMBIC, "a.ini", ["manage.py", "migrate"], "starts django, and a.ini is of alembic"),
        (DJANGO, "manage.py", UPGRADE, "starts alembic, and manage.py is of django"),
        (SQL, "db", UPGRADE, "starts alembic, and db is of sql"),
    ],
)
def test_what_is_said_twice_must_be_the_same(kind: ToolKind, config: str, migrates: list[str], named: str) -> None:
    files = {"a.ini": INI, "b.ini": INI, "manage.py": MANAGE, "db/1.sql": ""}
    said = chosen(files, kind, config, migrates)
    assert isinstance(said, str) and named in said
    assert isinstance(chosen(files, kind, config, ["./migrate.sh"]), MigrationTool)


@pytest.mark.parametrize(
    "names",
    [
        ["migrations/env.py", "migrations/versions/0001_a.py"],
        ["shop/migrations/__init__.py", "shop/migrations/0001_initial.py"],
        ["migrations/20240101_01_abcde.py"],
        ["migrations/init.sql", "migrations/users.sql"],
        ["tern.conf"],
        ["db/001_a.SQL"],
        ["src/alembic/versions/x.py"],
    ],
)
def test_what_only_looks_like_migrations_is_asked_about(names: list[str]) -> None:
    said = chosen(dict.fromkeys(names, ""))
    assert isinstance(said, str) and "[migrations] kind" in said
    assert chosen(dict.fromkeys(names, ""), NONE) == MigrationTool(NONE)


@pytest.mark.parametrize(
    "names",
    [
        ["sql/get_user.sql", "sql/users.sql"],
        ["app/queries/all.sql"],
        ["tests/migrations/test_upgrade.py"],
        ["docs/migrations/guide.py"],
        ["migrations/__init__.py"],
        ["migrations/README.md"],
        ["app/migrate.py"],
        ["app/immigrations/law.py"],
        ["api/versions/v2.py"],
    ],
)
def test_what_does_not_look_like_migrations_is_none(names: list[str]) -> None:
    assert chosen(dict.fromkeys(names, "")) == MigrationTool(NONE)


def test_the_files_that_tell_are_those_that_are_named_too() -> None:
    names = ["a.py", "alembic.ini", "api/manage.py", "prod.ini", "pyproject.toml", "setup.cfg"]
    plain = ["alembic.ini", "api/manage.py", "pyproject.toml"]
    assert telling(names, "", None) == plain
    assert telling(names, "setup.cfg", None) == [*plain, "setup.cfg"]
    assert telling(names, "", ["alembic", "-c", "./prod.ini", "upgrade", "head"]) == [*plain[:2], "prod.ini", plain[2]]


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


UPGRADE = ["alembic", "upgrade", "head"]
TWO = {"backend/alembic.ini": INI, "billing/alembic.ini": INI}


@pytest.mark.parametrize(
    ("files", "migrates", "tool"),
    [
        (TWO, UPGRADE, MigrationTool(ALEMBIC, "backend/alembic.ini")),
        ({**TWO, "backend/old/alembic.ini": INI}, None, MigrationTool(ALEMBIC, "backend/alembic.ini")),
        ({"backend/db/alembic.ini": INI, "alembic.ini": INI}, None, MigrationTool(ALEMBIC, "backend/db/alembic.ini")),
        (
            {"backend/db/a.ini": INI, "billing/db/a.ini": INI},
            ["alembic", "-c", "db/a.ini", "upgrade", "head"],
            MigrationTool(ALEMBIC, "backend/db/a.ini", named="db/a.ini"),
        ),
        (
            {"backend/manage.py": MANAGE, "backend/alembic.ini": INI, "manage.py": MANAGE},
            ["python", "manage.py", "migrate"],
            MigrationTool(DJANGO, "backend/manage.py"),
        ),
        ({"backend/app.py": "", "db/alembic.ini": INI}, UPGRADE, MigrationTool(ALEMBIC, "db/alembic.ini")),
    ],
    ids=["of-two", "right-there", "below", "named", "of-its-kind", "elsewhere"],
)
def test_what_lies_in_the_apps_folder_comes_first(
    files: dict[str, str], migrates: list[str] | None, tool: MigrationTool
) -> None:
    assert chosen(files, migrates=migrates, directory="backend") == tool


def test_two_tools_in_the_apps_folder_are_asked_for() -> None:
    files = {"backend/alembic.ini": INI, "backend/manage.py": MANAGE, "billing/yoyo.ini": ""}
    assert "say which one migrates" in str(chosen(files, directory="backend"))
    assert "yoyo" in str(chosen({"backend/app.py": "", "billing/yoyo.ini": ""}, directory="backend"))
