import json
import os
from pathlib import Path
from typing import Any

import pytest

from host.errors import ToolError
from tasks.checks.benchmark_report import read_medians


def report(median: float = 1e-3, name: str = "tests/x.py::test_it") -> dict[str, Any]:
    """The keys that pytest-benchmark 5 writes and that are read, and some more."""
    stats = {"median": median, "iqr": 1e-6, "rounds": 100, "data": [median], "min": 0.0}
    return {
        "machine_info": {"python_implementation": "CPython", "python_version": "3.11.7", "node": "here"},
        "commit_info": {"id": "unknown"},
        "benchmarks": [{"group": None, "name": "test_it", "fullname": name, "stats": stats}],
        "datetime": "2026-01-01T00:00:00+00:00",
        "version": "5.2.3",
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "benchmarks.json"


def test_the_medians_are_read(file: Path) -> None:
    file.write_text(json.dumps(report()))
    assert read_medians(file) == {"tests/x.py::test_it": 1e-3}
    file.write_text(json.dumps(report() | {"benchmarks": []}))
    assert read_medians(file) == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        "\0\1",
        json.dumps(report())[:-1],
        json.dumps(report(median=0)),
        json.dumps(report(median=float("nan"))),
        json.dumps(report(name="")),
        json.dumps(report() | {"benchmarks": report()["benchmarks"] * 2}),
    ],
)
def test_what_cannot_be_read_is_an_error(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(ToolError, match="pytest-benchmark's report"):
        read_medians(file)


@pytest.mark.parametrize("kind", ["absent", "folder", "link", "pipe", "big"])
def test_only_a_file_is_read(file: Path, kind: str) -> None:
    if kind == "folder":
        file.mkdir()
    elif kind == "link":
        (file.parent / "other").write_text(json.dumps(report()))
        file.symlink_to(file.parent / "other")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "big":
        file.touch()
        os.truncate(file, 100_000_001)
    with pytest.raises(ToolError, match="pytest-benchmark"):
        read_medians(file)
