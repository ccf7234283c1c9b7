from datetime import date
from pathlib import Path

from evidence.commits import Commit
from gates.baseline import Known
from gates.check import Bound, Check, Measure, Outcome, judge_checks
from tasks.notify.ci_page import summary_page
from tasks.source.git import Source
from tests.gates.findings import issue

SOURCE = Source("c" * 40, "v1", "main", (Commit(hash="c" * 40, author="Ada", email="a@b.c", subject="x | y"),), Path())
PASSED = Check(name="unit", outcome=Outcome.PASSED, reason="61 passed", examined="61 tests")
UNRUN = Check(name="dependency", outcome=Outcome.ACCEPTED_UNRUN, reason="no source of advisories")


def page(*checks: Check, digest: str = "d" * 64) -> str:
    verdict = judge_checks([check.name for check in checks], checks)
    return summary_page(SOURCE, digest, checks, verdict, {"performance": None, "code quality": 98.76})


def test_a_page_says_what_passed_and_what_has_no_score() -> None:
    shown = page(PASSED)
    assert shown.startswith("# Everything passed")
    assert "61 tests" in shown and "no data" in shown and "98.8" in shown


def test_what_nobody_looked_at_is_never_called_clean() -> None:
    shown = page(PASSED, UNRUN)
    assert shown.startswith("# Nothing blocks, but nobody looked at dependency")
    assert "Everything passed" not in shown and "no source of advisories" in shown


def test_a_gate_shows_value_limit_margin_and_reason() -> None:
    measure = Measure(name="total coverage", value=89.9999, bound=Bound.MORE_THAN, limit=90, unit="%")
    bad = Check(name="coverage", outcome=Outcome.FAILED, reason=str(measure), measures=(measure,))
    shown = page(PASSED, bad, digest="")
    assert shown.startswith("# Not good: coverage")
    row = next(line for line in shown.splitlines() if "coverage: total" in line.replace("\\", ""))
    assert "89.9999%" in row.replace("\\", "") and "-0.0001" in row and "failed" in row
    assert "nothing was signed" in shown


def test_a_remembered_pass_names_the_run_that_looked() -> None:
    assert "remembered from run earlier" in page(PASSED.model_copy(update={"source_run": "earlier"}))


def test_equal_findings_are_one_row_and_what_the_baseline_holds_back_is_counted() -> None:
    found = [issue("compose-writable", line=0, message=f"{name}: it may write") for name in ("web", "worker")]
    found = [one.model_copy(update={"fingerprint": str(number) * 24}) for number, one in enumerate(found)]
    old = issue("B101")
    day = date(2026, 3, 1)
    held = Known(fingerprint=old.fingerprint, severity=old.severity, since=day, due=day, approver="Robin")
    check = Check(name="policy", outcome=Outcome.FAILED, reason="bad", findings=(*found, old), known=(held,))
    lines = page(check).replace("\\", "").splitlines()
    assert [line for line in lines if "2 x compose-writable" in line and "(web), app.py (worker)" in line]
    assert [line for line in lines if "B101" in line and "known since 2026-03-01, due 2026-03-01" in line]
    assert "Held back by the baseline: 1 high, the first due 2026-03-01" in lines
