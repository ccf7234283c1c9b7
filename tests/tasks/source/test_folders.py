from pathlib import Path
from typing import Any

import pytest

from host.errors import ConfigError
from settings.pipeline import Pipeline
from tasks.source.folders import check_folders
from tasks.source.git import Source

FILES = {
    "backend/shop/main.py": "100644 1",
    "README.md": "100644 2",
    "linked": "120000 3",
    "backend/tests": "120000 4",
    "vendored": "160000 5",
}
SOURCE = Source("c" * 40, "v1", "main", (), Path("unused"), FILES)


def pipeline(directory: str, **more: Any) -> Pipeline:
    return Pipeline.model_validate(
        {
            "app": {"name": "shop", "repository": "unused", "directory": directory},
            "locks": {"runtime": "unused", "ci": "unused"},
            "run": {"command": ["python", "-m", "shop"]},
            **more,
        }
    )


@pytest.mark.parametrize("directory", [".", "backend", "backend/shop"], ids=["top", "folder", "deeper"])
def test_a_folder_of_the_commit_is_good(directory: str) -> None:
    check_folders(SOURCE, pipeline(directory))


@pytest.mark.parametrize(
    ("directory", "why"),
    [
        ("back", "this commit has nothing there"),
        ("README.md", "README.md is a file in this commit"),
        ("linked", "linked is a link in this commit"),
        ("backend/tests/unit", "backend/tests is a link in this commit"),
        ("vendored", "vendored is a submodule in this commit"),
    ],
    ids=["absent", "file", "link", "behind-a-link", "submodule"],
)
def test_what_is_no_folder_is_told_in_one_line(directory: str, why: str) -> None:
    with pytest.raises(ConfigError) as told:
        check_folders(SOURCE, pipeline(directory))
    assert str(told.value).startswith(
        f"config/pipeline.toml: app.directory: got {directory!r}, expected a folder: {why}"
    )


@pytest.mark.parametrize(
    ("tables", "key"),
    [
        ({"suites": {"unit": {"command": ["pytest"], "directory": "gone"}}}, "suites.unit"),
        ({"quality": {"tsc": {"command": ["tsc"], "runtime": "node", "directory": "gone"}}}, "quality.tsc"),
        (
            {
                "build": [
                    {"name": "page", "directory": "gone", "commands": [["make"]], "inputs": ["a"], "outputs": ["b"]}
                ]
            },
            "build.page",
        ),
    ],
    ids=["suite", "tool", "build"],
)
def test_a_folder_of_one_command_is_looked_for_too(tables: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}.directory: got 'gone'"):
        check_folders(SOURCE, pipeline("backend", **tables))


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"suites": {"unit": {"command": ["pytest"], "inputs": ["*.md", "shop/**"]}}}, "suites.unit.inputs: 'shop/**'"),
        ({"quality": {"mypy": {"command": ["mypy"], "inputs": ["/shop"]}}}, "quality.mypy.inputs: '/shop'"),
        ({"coverage": {"covers": ["shop/**"]}}, "coverage.covers: 'shop/**'"),
        ({"performance": {"locustfile": "l.py", "inputs": ["shop/*.py"]}}, "performance.inputs: 'shop/*.py'"),
    ],
    ids=["suite", "tool", "coverage", "load"],
)
def test_globs_that_begin_in_the_apps_folder_are_told(tables: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as told:
        check_folders(SOURCE, pipeline("backend", **tables))
    assert str(told.value).startswith(f"config/pipeline.toml: {said} matches nothing of this commit, and 'backend/shop")
    check_folders(SOURCE, pipeline(".", **tables))


def test_globs_that_begin_at_the_top_or_match_nothing_anywhere_are_good() -> None:
    inputs = ["backend/shop/**", "*.py", "*.pyi", "setup.cfg", "docs/**", "!shop/**"]
    check_folders(SOURCE, pipeline("backend", suites={"unit": {"command": ["pytest"], "inputs": inputs}}))
