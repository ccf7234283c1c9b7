from pathlib import Path

from evidence.commits import Commit
from gates.check import Bound, Check, Measure, Outcome, judge_checks
from tasks.notify.ci_page import summary_page
from tasks.source.git import Source

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
