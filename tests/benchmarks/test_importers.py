"""Which test files see a module."""

import pytest

from benchmarks.importers import Importers, mirrored

TREE = {
    "app/__init__.py": "",
    "app/limits.py": "",
    "app/judge.py": "from app.limits import most",
    "app/part/__init__.py": "",
    "app/part/deep.py": "from ..limits import most",
    "app/alone.py": "",
    "tests/app/test_judge.py": "from app.judge import judge",
    "tests/app/test_limits.py": "import app.limits",
    "tests/app/test_a_world.py": "from tests.world import world",
    "tests/world.py": "from app import limits",
    "tests/app/part/test_other.py": "def test():\n    from app.part import deep",
}


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("app/limits.py", ["tests/app/test_limits.py", "tests/app/test_a_world.py"]),
        ("app/judge.py", ["tests/app/test_judge.py"]),
        ("app/part/deep.py", ["tests/app/part/test_other.py"]),
        ("app/alone.py", []),
    ],
)
def test_its_own_tests_come_first_then_whoever_imports_it(file: str, tests: list[str]) -> None:
    assert Importers(TREE).tests_of(file) == tests


@pytest.mark.parametrize(
    "imported", ["from app.limits import most", "from app import limits", "import app.limits as a"]
)
def test_without_a_test_that_imports_it_the_nearest_ones_are_asked(imported: str) -> None:
    tree = {
        "app/limits.py": "",
        "app/judge.py": imported,
        "app/release.py": "import app.judge",
        "tests/test_release.py": "import app.release",
        "tests/test_judge.py": "import app.judge",
    }
    assert Importers(tree).tests_of("app/limits.py") == ["tests/test_judge.py"]


def test_modules_that_import_each_other_end_the_search() -> None:
    tree = {"app/a.py": "import app.b", "app/b.py": "import app.a"}
    assert Importers(tree).tests_of("app/a.py") == []


def test_relative_imports_within_a_package_are_its_own() -> None:
    tree = {"app/__init__.py": "from .a import b", "app/a.py": "from . import c", "app/c.py": "", "c.py": ""}
    tree["tests/test_app.py"] = "import app"
    assert Importers(tree).tests_of("app/a.py") == ["tests/test_app.py"]
    assert Importers(tree).tests_of("app/c.py") == ["tests/test_app.py"]
    assert Importers(tree).tests_of("c.py") == []


def test_tests_mirror_the_source() -> None:
    assert mirrored("gates/approval.py") == "tests/gates/test_approval.py"
    assert mirrored("conf.py") == "tests/test_conf.py"
