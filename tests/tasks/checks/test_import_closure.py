"""What a suite can import, and what it depends on when that cannot be seen."""

from pathlib import Path
from typing import Any

import pytest

from settings.pipeline import Suite
from settings.preparation import MIGRATION_FILES, Preparation
from tasks.checks.import_closure import suite_digest, suite_files
from tests.tasks.checks.test_syntax import commit

APP = {
    "shop/__init__.py": "",
    "shop/a.py": "from shop import b\n",
    "shop/b.py": "",
    "shop/c.py": "",
    "shop/deep/__init__.py": "from .d import *\n",
    "shop/deep/d.py": "from ..c import C\n",
    "shop/deep/e.py": "",
    "tool/run.py": "",
    "conftest.py": "",
    "tests/conftest.py": "",
    "tests/unit/conftest.py": "",
    "tests/unit/test_a.py": "import shop.a\n",
    "tests/other/conftest.py": "import subprocess\n",
    "tests/data.json": "{}",
    "pyproject.toml": "[tool.black]\nline-length = 100\n",
}
COMMAND = ["python", "-m", "pytest", "-q", "tests/unit"]
# What no import can reach: a module of a package. All other files may be loaded by path.
UNREACHED = {"shop/c.py", "shop/deep/__init__.py", "shop/deep/d.py", "shop/deep/e.py"}


def suite(**options: Any) -> Suite:
    return Suite.model_validate({"command": COMMAND, **options})


def left_out(root: Path, one: Suite | None = None, /, **changes: str | None) -> set[str]:
    """Which files of APP, with files changed (`__` is `/`), a suite does not depend on."""
    files = {**APP, **{name.replace("___", "/") + ".py": text for name, text in changes.items() if text is not None}}
    return set(files) - set(suite_files(commit(root, files), one or suite()))


def test_a_module_that_no_test_reaches_is_left_out(tmp_path: Path) -> None:
    assert left_out(tmp_path) == UNREACHED


@pytest.mark.parametrize(
    ("test", "reached"),
    [
        ("import shop.c", {"shop/c.py"}),
        ("from shop.c import C", {"shop/c.py"}),
        ("from shop import c", {"shop/c.py"}),
        ("from shop import *", set()),
        ("def test():\n    from shop import c", {"shop/c.py"}),
        ("if TYPE_CHECKING:\n    import shop.c", {"shop/c.py"}),
        ("import shop.deep.e", UNREACHED),  # its package, what that imports, and what that does
        ("from ...shop import c", {"shop/c.py"}),
        ("from ....shop import c", set()),  # beyond the top
        ("import c", {"shop/c.py"}),  # where sys.path begins is not known
        ("pytest_plugins = ['shop.c']", {"shop/c.py"}),
        ("PATH = 'shop.c:main'", {"shop/c.py"}),
        ("PATH = 'shop/c.py:main'", set()),  # reads files: see below
        ("__all__ = ['c']", {"shop/c.py"}),
        ("import unknown", set()),
    ],
)
def test_every_kind_of_import_reaches(tmp_path: Path, test: str, reached: set[str]) -> None:
    found = left_out(tmp_path, tests___unit___test_b=test)
    assert found == (set() if ".py" in test else UNREACHED - reached)


@pytest.mark.parametrize(
    "test",
    [
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module as load",
        "__import__(name)",
        "getattr(builtins, '__import__')(name)",
        "exec(text)",
        "eval(text)",
        "import subprocess",
        "from subprocess import run",
        "import os\nos.system('x')",
        "import os\nos.execv(program, [])",
        "import os\nos.fork()",
        "import runpy",
        "import multiprocessing.pool",
        "import asyncio\nasyncio.create_subprocess_exec()",
        "import pickle",
        "import pkgutil",
        "import django.test",
        "import sys\nsys.modules",
        "def test(pytester): pass",
        "def test(testdir): pass",
        "import pytest\npytest.importorskip(name)",
        "from pathlib import Path\nPath().rglob('*')",
        "broken(",
        "# coding: latin-1",
    ],
)
@pytest.mark.parametrize("where", ["tests___unit___test_b", "shop___b", "tests___conftest"])
def test_where_not_all_can_be_seen_nothing_is_left_out(tmp_path: Path, where: str, test: str) -> None:
    assert left_out(tmp_path, **{where: test}) == set()


@pytest.mark.parametrize(
    ("options", "sees"),
    [
        ({"command": ["pytest", "tests/unit/test_a.py::test_one"]}, True),
        (
            {
                "command": [
                    "python",
                    "-m",
                    "pytest",
                    "-vv",
                    "-x",
                    "--tb=short",
                    "-p",
                    "no:cacheprovider",
                    "./tests/unit",
                ]
            },
            True,
        ),
        ({"command": ["python", "-m", "pytest", "-q"]}, False),  # pytest's own choice of folders
        ({"command": [*COMMAND, "absent"]}, False),
        ({"command": [*COMMAND, "--pyargs"]}, False),
        ({"command": [*COMMAND, "-p", "shop.c"]}, False),
        ({"command": [*COMMAND, "-c", "other.ini"]}, False),
        ({"command": [*COMMAND, "-k", "not_slow"]}, False),
        ({"command": ["python", "-m", "unittest", "tests/unit"]}, False),
        ({"command": ["python", "-c", "x", "tests/unit"]}, False),
        ({"environment": {"PYTHONPATH": "vendor"}}, False),
        ({"environment": {"PYTEST_ADDOPTS": "-p shop.c"}}, False),
        ({"environment": {"LEVEL": "1"}}, True),
    ],
)
def test_only_a_command_whose_meaning_is_known_leaves_anything_out(
    tmp_path: Path, options: dict[str, Any], sees: bool
) -> None:
    assert left_out(tmp_path, suite(**options)) == (UNREACHED if sees else set())


@pytest.mark.parametrize(
    ("name", "text", "reached"),
    [
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "-p shop.c"\n', {"shop/c.py"}),
        ("logging.ini", "class = shop.c.Handler\n", {"shop/c.py"}),
        ("deploy/settings.yaml", "handler: shop.deep.e\n", UNREACHED),
        ("pytest.ini", "[pytest]\naddopts = -q\n  tests/other\nlog_level = INFO\n", UNREACHED),
        ("pytest.ini", "[pytest]\naddopts = --pyargs shop\n", UNREACHED),
        ("pytest.ini", "[pytest]\naddopts = @more.txt\n", UNREACHED),
        ("pytest.ini", "[pytest]\naddopts = -q\ntestpaths = tests/other\n", set()),
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = ["-q", "tests/other"]\n', UNREACHED),
        ("vendor.zip", "PK", UNREACHED),
        ("setup.cfg", "[options.entry_points]\npytest11 = x\n", UNREACHED),
    ],
)
def test_settings_name_modules_too(tmp_path: Path, name: str, text: str, reached: set[str]) -> None:
    files = APP | {name: text}
    assert set(files) - set(suite_files(commit(tmp_path, files), suite())) == UNREACHED - reached


def test_a_suite_never_depends_on_more_than_its_inputs_name(tmp_path: Path) -> None:
    found = suite_files(commit(tmp_path, APP), suite(inputs=["shop/**", "tests/data.json"]))
    assert found == ["shop/__init__.py", "shop/a.py", "shop/b.py", "tests/data.json"]


def test_a_folder_of_two_names_leaves_nothing_out(tmp_path: Path) -> None:
    source = commit(tmp_path, APP | {"lib": "shop"}, {"lib": "120000"})
    assert set(suite_files(source, suite())) == set(source.files)


def test_a_module_that_hides_another_is_reached(tmp_path: Path) -> None:
    test = "import json\n"
    assert "shop/json.py" not in left_out(tmp_path, tests___unit___test_b=test, shop___json="")


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ({"shop/b.py": "X = 1\n"}, True),
        ({"shop/b.py": "# a comment\n"}, False),
        ({"shop/c.py": "X = 1\n"}, False),
        ({"shop/c.py": "broken("}, False),
        ({"shop/b.py": "broken("}, True),
        ({"shop/__init__.py": "X = 1\n"}, True),
        ({"tests/data.json": "{ }"}, True),
        ({"tests/unit/test_new.py": "def test(): pass\n"}, True),
        ({"shop/a.py": "from shop import b, c\n", "shop/c.py": "X = 1\n"}, True),
    ],
)
def test_what_makes_a_suite_look_again(tmp_path: Path, changed: dict[str, str], again: bool) -> None:
    before, after = commit(tmp_path / "one", APP), commit(tmp_path / "two", APP | changed)
    assert (suite_digest(before, suite(), True) != suite_digest(after, suite(), True)) == again


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"command": [*COMMAND, "--black"]}, ""),
        ({}, '[tool.pytest.ini_options]\naddopts = "--flake8"\n'),
        ({}, '[tool.pytest.ini_options]\naddopts = "--cov=shop --cov-fail-under=90"\n'),
        ({"environment": {"PYTEST_ADDOPTS": "--mypy"}}, ""),
    ],
)
def test_a_plugin_that_judges_the_text_makes_comments_count(
    tmp_path: Path, options: dict[str, Any], settings: str
) -> None:
    files = APP | {"pyproject.toml": settings}
    before = commit(tmp_path / "one", files)
    after = commit(tmp_path / "two", files | {"shop/b.py": "# a comment\n"})
    assert suite_digest(before, suite(**options), False) != suite_digest(after, suite(**options), False)


IN_A_FOLDER = {f"backend/{name}": text for name, text in APP.items()}


def test_a_suite_in_a_folder_names_its_tests_from_there(tmp_path: Path) -> None:
    source = commit(tmp_path, IN_A_FOLDER)
    found = suite_files(source, suite(directory="backend"))
    assert set(IN_A_FOLDER) - set(found) == {f"backend/{name}" for name in UNREACHED}
    assert suite_files(source, suite()) == sorted(IN_A_FOLDER)  # no such tests: nothing is left out


def test_addopts_may_name_places_from_a_folder(tmp_path: Path) -> None:
    options = {"backend/pytest.ini": "[pytest]\naddopts = tests/other\n"}
    source = commit(tmp_path, {**IN_A_FOLDER, **options})
    assert suite_files(source, suite(directory="backend")) == sorted(source.files)


def test_with_a_preparation_nothing_is_left_out_and_migrations_count(tmp_path: Path) -> None:
    source = commit(tmp_path, {**APP, "alembic.ini": "", "db/migrations/1.py": "", "docs/a.md": ""})
    wanted = suite(inputs=["shop/**", "tests/unit/**"])
    own = set(suite_files(source, wanted, Preparation(("python", "ready.py"), ".")))
    assert {"shop/c.py", "tests/unit/test_a.py"} < own and not own & {"alembic.ini", "db/migrations/1.py", "docs/a.md"}
    found = suite_files(source, wanted, Preparation(("alembic", "upgrade", "head"), ".", MIGRATION_FILES))
    assert set(found) - own == {"alembic.ini", "db/migrations/1.py"}
