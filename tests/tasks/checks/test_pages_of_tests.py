"""The pages of suites and coverage: what app code wrote cannot break them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence.history import Record
from gates.checks.coverage import Changed, FileCoverage, Limits, Unmeasured, judge_coverage
from gates.checks.suites import Case, Ending, SuiteRun, judge_suite
from tasks.checks.coverage import Seen, figures
from tasks.checks.coverage_page import coverage_page, spans
from tasks.checks.suites_page import suites_page
from tasks.source.workspace import Looked

EVIL = "t.py::test_a[|<img src=x>](http://x)\n# head"


def test_the_page_of_suites_shows_failures_notes_and_the_slowest(tmp_path: Path) -> None:
    slow = tmp_path / "slowest.json"
    slow.write_text(json.dumps([(f"t{number}", number) for number in range(12)]))
    bad = Case(EVIL, Ending.FAILED, 1, "no | way\n<b>", "t.py", 7)
    run = SuiteRun("unit", 1, timed_out=False, seconds=2.5, cases=(bad,), counted=1, failures=1)
    page = suites_page(
        {
            "unit": Looked(judge_suite(run, notes=["a | note"]), {"slowest": slow}),
            "other": Looked(judge_suite(SuiteRun("other", 0, False, 1))),
        }
    )
    assert "<" not in page.replace("\\<", "") and "\n# head" not in page
    assert "t\\.py\\:7" in page and "a \\| note" in page
    slowest = page[page.index("slowest") :]
    assert "| t11 | 11.00 |" in slowest and "| t2 | 2.00 |" in slowest and "| t1 |" not in slowest


@pytest.fixture
def looked(tmp_path: Path) -> Looked:
    total = (
        FileCoverage(path="shop/good.py", statements=10, covered=10),
        FileCoverage(path="shop/<b>|.py", statements=10, covered=5, missing=(1, 2, 3, 5, 9)),
    )
    seen = Seen(
        total=total, suites={"unit": total[:1]}, changed=Changed(lines=4, missing=1, files={"shop/<b>|.py": (9,)})
    )
    check = judge_coverage(Limits(80, {"unit": 90}, 70), seen.total, seen.suites, seen.changed)
    file = tmp_path / "seen.json"
    file.write_text(seen.model_dump_json())
    return Looked(check, {"coverage": file})


def test_the_page_of_coverage_shows_limits_trend_and_the_worst_files_first(looked: Looked) -> None:
    past = [
        Record("coverage", "main", "c" * 40, "run", datetime(2026, 1, 2, tzinfo=UTC), {"total coverage": 70.123}),
        Record("coverage", "main", "d" * 40, "run", datetime(2026, 1, 1, tzinfo=UTC), {"total coverage": "<b>"}),
    ]
    page = coverage_page(looked, past)
    assert "| total coverage | 75% | >= 80% | -5 | **missed** |" in page
    assert "| coverage by unit | 100% | > 90% | +10 | kept |" in page
    assert "| this one | 75.00 | 100.00 | 75.00 |" in page
    assert "`cccccccccccc` | 70.12 |" in page
    assert "<" not in page.replace("\\<", "")
    assert page.index("5 of 10") < page.index("10 of 10")
    assert "1-3, 5, 9" in page
    assert figures(looked) == {"total coverage": 75.0, "coverage by unit": 100.0, "coverage of changed lines": 75.0}


def test_what_was_not_measured_is_told_and_not_drawn(tmp_path: Path) -> None:
    gone = Unmeasured(reason="no data | of unit")
    check = judge_coverage(Limits(80, {"unit": 90}), gone, {"unit": gone}, None)
    file = tmp_path / "seen.json"
    file.write_text(json.dumps({"total": {"reason": "no data"}, "suites": {}}))
    for files in ({"coverage": file}, {}):
        page = coverage_page(Looked(check, files))
        assert "**unknown**: no data \\| of unit" in page
        assert "the worst first" not in page


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ((), ""),
        ((4,), "4"),
        ((1, 2, 3), "1-3"),
        ((3, 1, 2, 5), "1-3, 5"),
        (range(1, 60, 2), "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, ..."),
    ],
)
def test_lines_are_told_as_spans(lines: tuple[int, ...], text: str) -> None:
    assert spans(tuple(lines)) == text
