"""What a remembered result depends on, of our own code."""

import ast
from collections.abc import Iterator

import pytest

from host.home import CHECKOUT
from tasks.checks.memory import NOT_RULES, RULES

# It shows what was found out, and decides nothing.
SHOWS = "tasks/artifacts.py"


def covered() -> set[str]:
    return {str(file.relative_to(CHECKOUT)) for pattern in RULES for file in CHECKOUT.glob(pattern) if file.is_file()}


def imported(file: str) -> Iterator[str]:
    """Yield the files of gates/ and tasks/ that a file imports."""
    for node in ast.walk(ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("gates", "tasks"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            files = (f"{name.replace('.', '/')}.py" for name in names)
            yield from (name for name in files if (CHECKOUT / name).exists())


@pytest.mark.parametrize("pattern", [*RULES, *NOT_RULES])
def test_a_pattern_matches_something(pattern: str) -> None:
    assert any(file.is_file() for file in CHECKOUT.glob(pattern))


def test_what_decides_imports_nothing_that_is_left_out() -> None:
    files = covered()
    sources = [file for file in files if file.endswith(".py")]
    assert "gates/scans/security.py" in files and "tasks/checks/suites.py" in files
    assert {name for file in sources for name in imported(file)} - files == {SHOWS}


@pytest.mark.parametrize("file", ["gates/notify/texts.py", "tasks/notify/messages.py", "tasks/release/pages.py"])
def test_what_only_tells_people_forgets_no_result(file: str) -> None:
    assert (CHECKOUT / file).exists() and file not in covered()
