import json
from pathlib import Path
from typing import Any

import pytest

from gates.checks.coverage import Changed
from tasks.checks.changed_lines import read_changes

GOOD: dict[str, Any] = {
    "src_stats": {"a.py": {"violation_lines": [3], "covered_lines": [1, 2]}, "b.py": {"violation_lines": []}},
    "total_num_lines": 3,
    "total_num_violations": 1,
    "num_changed_lines": 5,
    "total_percent_covered": 66,
}


def read(folder: Path, content: bytes | dict[str, Any] | None, added: int = 5) -> Any:
    file = folder / "changes.json"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return read_changes(file, ["a.py", "b.py", "c.py"], added)


def test_the_lines_are_taken_and_not_the_rounded_percentage(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD) == Changed(lines=3, missing=1, files={"a.py": (3,), "b.py": ()})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "left no report"),
        (b"", "cannot be read"),
        (b"\0\xff", "cannot be read"),
        ({**GOOD, "total_num_lines": 4}, "contradicts itself"),
        ({**GOOD, "total_num_violations": 0}, "contradicts itself"),
        ({**GOOD, "total_num_violations": 9}, "cannot be read"),
        ({**GOOD, "total_num_lines": -1}, "cannot be read"),
        ({**GOOD, "src_stats": {"d.py": GOOD["src_stats"]["a.py"]}}, "contradicts itself"),
        ({**GOOD, "num_changed_lines": 4}, "read 4 of 5 changed lines"),
        (
            {**GOOD, "src_stats": {}, "total_num_lines": 0, "total_num_violations": 0, "num_changed_lines": 0},
            "read 0 of 5",
        ),
    ],
)
def test_a_report_that_cannot_be_right_is_no_figure(tmp_path: Path, content: Any, said: str) -> None:
    assert said in getattr(read(tmp_path, content), "reason", "")


def test_nothing_changed_is_a_figure(tmp_path: Path) -> None:
    nothing = {**GOOD, "src_stats": {}, "total_num_lines": 0, "total_num_violations": 0, "num_changed_lines": 0}
    assert read(tmp_path, nothing, added=0) == Changed(lines=0, missing=0)
