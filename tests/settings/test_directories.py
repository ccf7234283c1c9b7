"""[app] directory and the suites' preparation, as they stand in a pipeline.toml."""

from pathlib import Path

import pytest

from settings.pipeline import Pipeline, read_pipeline
from settings.preparation import MIGRATION_FILES, Preparation
from tests.settings.test_pipeline import SOUND, refusal, write

MIGRATE = 'migrate = ["alembic", "upgrade", "head"]\n'
CHECKS = """
[quality.mypy]
command = ["python", "-m", "mypy"]
[quality.black]
command = ["python", "-m", "black", "."]
directory = "."
[quality.eslint]
runtime = "node"
command = ["eslint", "."]
[suites.unit]
command = ["python", "-m", "pytest"]
[suites.e2e]
command = ["python", "-m", "pytest"]
directory = "e2e"
"""


def read(tmp_path: Path, app: str = "", run: str = "", rest: str = CHECKS) -> Pipeline:
    return read_pipeline(write(tmp_path, SOUND.replace("[locks]", f"{app}\n[locks]") + run + rest))


def test_the_apps_folder_is_that_of_all_that_names_none(tmp_path: Path) -> None:
    pipeline = read(tmp_path, 'directory = "./backend/"')
    assert pipeline.app.directory == pipeline.run.directory == "backend"
    assert {name: one.directory for name, one in pipeline.quality.items()} == {
        "mypy": "backend",
        "black": ".",
        "eslint": ".",
    }
    assert {name: one.directory for name, one in pipeline.suites.items()} == {"unit": "backend", "e2e": "e2e"}


def test_a_file_that_says_nothing_new_keeps_its_digest(tmp_path: Path) -> None:
    without = read(tmp_path)
    assert read(tmp_path, 'directory = "."').digest == without.digest != read(tmp_path, 'directory = "a"').digest
    dumped = without.model_dump_json()
    assert "prepare" not in dumped and '"app":{"name":"shop","repository"' in dumped
    assert "directory" not in without.run.model_dump() and "directory" not in without.app.model_dump()


@pytest.mark.parametrize(
    ("app", "run", "said"),
    [
        ('directory = "../other"', "", "expected a path in the app's repository"),
        ('directory = "/srv/app"', "", "expected a path in the app's repository"),
        ('directory = ".git"', "", "app.directory: got '.git', expected a folder of the app's source: .git is none"),
        ('directory = "a/.GIT/hooks"', "", "expected a folder of the app's source: .GIT is none"),
        ('directory = ".slipway/cache"', "", "expected a folder of the app's source: .slipway is none"),
        ('directory = ".venv"', "", "expected a folder of the app's source: .venv is none"),
        ('directory = "node_modules/x"', "", "expected a folder of the app's source: node_modules is none"),
        ('directory = "~"', "", 'whose name does not begin with "~"'),
        ('directory = "a/~root"', "", 'whose name does not begin with "~"'),
        ('directory = "-x"', "", 'whose name does not begin with "-"'),
        ('directory = "a/../b"', "", "expected a path in the app's repository, without `..`"),
        ("directory = 3", "", "app.directory"),
        ("", 'directory = "backend"', "run.directory is no key; where all commands of the app run"),
    ],
    ids=[
        *("above", "absolute", "git", "git-below", "state", "environment", "packages", "home", "home-below", "option"),
        *("up-and-down", "number", "of-run"),
    ],
)
def test_another_place_is_refused(app: str, run: str, said: str, tmp_path: Path) -> None:
    text = SOUND.replace("[locks]", f"{app}\n[locks]") + run + CHECKS
    assert said in refusal(write(tmp_path, text))


@pytest.mark.parametrize(
    ("old", "key"),
    [
        ('directory = "e2e"', "suites.e2e.directory"),
        ('[quality.black]\ncommand = ["python", "-m", "black", "."]\ndirectory = "."', "quality.black.directory"),
    ],
    ids=["suite", "tool"],
)
def test_the_folder_of_a_check_is_held_to_the_same(old: str, key: str, tmp_path: Path) -> None:
    before, _, _ = old.rpartition('"')
    hostile = before.rpartition('"')[0] + '".git"'
    said = refusal(write(tmp_path, SOUND + CHECKS.replace(old, hostile)))
    assert f"{key}: got '.git', expected a folder of the app's source" in said


@pytest.mark.parametrize("folder", [".github/app", "src-x/a~", "a.git", "venv", "Backend"])
def test_a_folder_of_the_source_is_taken(folder: str, tmp_path: Path) -> None:
    assert read(tmp_path, f'directory = "{folder}"').app.directory == folder


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            '[suites.x]\ncommand = ["pytest"]\nprepare = ["a", "&&", "b"]',
            "suites.x.prepare: got '&&', and no shell runs",
        ),
        (
            '[suites.x]\ncommand = ["pytest"]\nprepare = ["FOO=1", "b"]',
            "suites.x.prepare: got 'FOO=' before the program",
        ),
        (
            '[suites.x]\ncommand = ["pytest"]\nprepare = ["python a.py"]',
            "suites.x.prepare: got 'python a.py' as one word",
        ),
        (
            '[suites.x]\ncommand = ["pytest"]\nprepare = ["cd", "a"]',
            "suites.x.prepare: 'cd' is no program but a word of",
        ),
        (
            '[suites.x]\ncommand = ["pytest", "$TESTS"]',
            "suites.x.command: got '$TESTS', and no shell runs this command",
        ),
        ('[quality.x]\ncommand = ["ruff", "check", "|", "tee"]', "quality.x.command: got '|', and no shell runs"),
        (
            '[[build]]\nname = "b"\ncommands = [["a", "&&", "b"]]\ninputs = ["."]\noutputs = ["o"]\nnetwork = true',
            "build.0.commands: got '&&', and no shell runs this command",
        ),
    ],
    ids=["and", "assignment", "one-word", "builtin", "variable", "tool", "build"],
)
def test_commands_of_checks_need_no_shell(table: str, said: str, tmp_path: Path) -> None:
    told = refusal(write(tmp_path, f"{SOUND}\n{table}\n"))
    assert said in told and 'or have a shell do it: ["sh", "-c", "..."]' in told and "{port}" not in told


@pytest.mark.parametrize(
    "table",
    [
        '[suites.x]\ncommand = ["pytest", "-k", "a and not b", "--deselect=x[a|b]"]\nprepare = ["sh", "-c", "a && b"]',
        '[suites.x]\ncommand = ["python", "-m", "pytest", "-m", "not slow"]\nprepare = ["python", "-c", "print($X)"]',
        '[quality.x]\ncommand = ["ruff", "check", "--exclude=a|b", "{report}", "^x$"]',
    ],
    ids=["shell-on-purpose", "code", "patterns"],
)
def test_a_plain_command_of_a_check_is_taken(table: str, tmp_path: Path) -> None:
    read_pipeline(write(tmp_path, f"{SOUND}\n{table}\n"))


@pytest.mark.parametrize(
    ("suite", "ready"),
    [
        ("", None),
        ("database = true", Preparation(("alembic", "upgrade", "head"), "backend", MIGRATION_FILES)),
        ("database = true\nprepare = []", None),
        ('database = true\nprepare = ["python", "fill.py"]', Preparation(("python", "fill.py"), "e2e")),
        ('prepare = ["python", "fill.py"]', Preparation(("python", "fill.py"), "e2e")),
    ],
    ids=["no-database", "by-default", "turned-off", "its-own", "its-own-without-database"],
)
def test_what_comes_before_a_suite(suite: str, ready: Preparation | None, tmp_path: Path) -> None:
    pipeline = read(tmp_path, 'directory = "backend"', MIGRATE, f"{CHECKS}{suite}\n")
    assert pipeline.preparation("e2e") == ready
    assert pipeline.preparation("unit") is None


def test_without_a_migration_nothing_comes_before_a_suite(tmp_path: Path) -> None:
    assert read(tmp_path, rest=f"{CHECKS}database = true\n").preparation("e2e") is None
