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
        ("directory = 3", "", "app.directory"),
        ("", 'directory = "backend"', "run.directory is no key; where all commands of the app run"),
    ],
    ids=["above", "absolute", "number", "of-run"],
)
def test_another_place_is_refused(app: str, run: str, said: str, tmp_path: Path) -> None:
    text = SOUND.replace("[locks]", f"{app}\n[locks]") + run + CHECKS
    assert said in refusal(write(tmp_path, text))


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
