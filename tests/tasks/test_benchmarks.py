import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import ToolError
from evidence.history import Record
from gates.benchmarks import benchmark_data
from gates.requirements import Outcome
from tasks.benchmarks import check_benchmarks, read_benchmarks
from tasks.measuring import INSIDE


def report(median: float = 1e-3, rounds: int = 100, name: str = "tests/x.py::test_it") -> dict[str, Any]:
    """The keys that pytest-benchmark 5 writes and that are read, and some more."""
    return {
        "machine_info": {"python_implementation": "CPython", "python_version": "3.11.7", "node": "here"},
        "commit_info": {"id": "unknown"},
        "benchmarks": [
            {
                "group": None,
                "name": "test_it",
                "fullname": name,
                "stats": {"median": median, "iqr": 1e-6, "rounds": rounds, "data": [median], "min": 0.0},
            }
        ],
        "datetime": "2026-01-01T00:00:00+00:00",
        "version": "5.2.3",
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "benchmarks.json"


def test_a_report_is_read_and_compared_with_what_was_remembered(file: Path) -> None:
    file.write_text(json.dumps(report()))
    first = read_benchmarks(file)
    assert first.benchmarks["tests/x.py::test_it"].median == 1e-3
    kept = Record("benchmarks", "main", "0" * 40, "run", datetime.now(UTC), benchmark_data(first))
    foreign = Record("benchmarks", "main", "0" * 40, "run", datetime.now(UTC), {"other": 1})
    assert check_benchmarks(file, 50, 20, []).outcome is Outcome.NOT_APPLICABLE
    assert check_benchmarks(file, 50, 20, [foreign, kept]).outcome is Outcome.PASSED
    file.write_text(json.dumps(report(median=2e-3)))
    check = check_benchmarks(file, 50, 20, [kept])
    assert (check.outcome, check.reason) == (Outcome.FAILED, "tests/x.py::test_it 100 %, wanted <= 50 %")


def test_the_pace_beside_a_benchmark_is_read_and_the_apps_own_notes_are_not(file: Path) -> None:
    noted = report()
    noted["benchmarks"][0]["extra_info"] = {"slipway_pace_s": 0.25, "own": [1]}
    file.write_text(json.dumps(noted))
    assert read_benchmarks(file).benchmarks["tests/x.py::test_it"].pace_s == 0.25
    noted["benchmarks"][0]["extra_info"] = {"slipway_pace_s": -1}
    file.write_text(json.dumps(noted))
    with pytest.raises(ToolError, match="slipway_pace_s"):
        read_benchmarks(file)


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
        json.dumps(report(rounds=0)),
        json.dumps(report() | {"benchmarks": report()["benchmarks"] * 2}),
    ],
)
def test_what_cannot_be_read_is_no_verdict(file: Path, content: str) -> None:
    file.write_text(content)
    assert check_benchmarks(file, 50, 20, []).outcome is Outcome.NO_VERDICT


def test_no_benchmark_is_no_verdict(file: Path) -> None:
    file.write_text(json.dumps(report() | {"benchmarks": []}))
    assert check_benchmarks(file, 50, 20, []).outcome is Outcome.NO_VERDICT


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
        read_benchmarks(file)


FIXTURE = """
import pytest
class Used:
    extra_info = {}
@pytest.fixture
def benchmark():
    yield Used()
    print("NOTED", Used.extra_info)
"""
TESTS = "def test_it(benchmark): benchmark.extra_info['own'] = 1\ndef test_other(): pass\n"


def test_the_plugin_notes_the_pace_of_this_machine_beside_the_apps_own_notes(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(FIXTURE)
    (tmp_path / "test_one.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "slipway_pace", "-p", "no:cacheprovider", str(tmp_path)],
        env={"PYTHONPATH": str(INSIDE)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    noted = re.search(r"NOTED \{'own': 1, 'slipway_pace_s': ([0-9.e-]+)\}", done.stdout)
    assert noted and 0 < float(noted[1]) < 1
