"""Commits made for one tool each, and what the tests of the quality tools run them with."""

from collections.abc import Mapping
from pathlib import Path

from prefect.logging import disable_run_logger

from gates.check import Check
from settings.pipeline import Tool
from tasks.checks.quality import look
from tasks.source.git import fetch_source
from tasks.source.workspace import Workspace
from tests.tasks.source.test_git import Repository

TYPED = '"""A shop."""\n\nimport os\nimport sys\n\n\ndef total(prices: list[int]) -> int:\n    return sum(prices)\n'
PYTHON: Mapping[str, str] = {
    "app.py": TYPED + "\n\nprint(total([1, 2]), os.sep, sys.path)\n",
    "shop/__init__.py": "",
    "shop/price.py": "VAT = 0.25\n",
    "pyproject.toml": '[tool.isort]\nprofile = "black"\n[tool.mypy]\nstrict = true\nfiles = ["."]\n',
}
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "black": ("python", "-m", "black", "--check", "."),
    "isort": ("python", "-m", "isort", "--check-only", "."),
    "flake8": ("python", "-m", "flake8", "."),
    "mypy": ("python", "-m", "mypy"),
}


def workspace_of(directory: Path, files: Mapping[str, str], environment: Path) -> Workspace:
    """Return the workspace of a run on a new commit with these files."""
    directory.mkdir(parents=True)
    repository = Repository(directory / "repository")
    repository.commit("a commit", **files)
    with disable_run_logger():
        source = fetch_source.fn(repository.app, None, directory / "run")
    return Workspace(directory / "run", source, environment)


def checked(name: str, tool: Tool, workspace: Workspace) -> Check:
    """Run one tool for real."""
    with disable_run_logger():
        return look(name, tool, workspace).check


def found(check: Check) -> list[tuple[str, int, str]]:
    """Return place and rule of each finding."""
    return [(one.file, one.line, one.rule) for one in check.findings]


def script(text: str) -> str:
    """Return the text of a Python program that stands in the commit."""
    return f"import os, sys, time\n{text}\n"
