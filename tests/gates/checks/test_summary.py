import pytest

from gates.check import Bound, Check, Measure, Outcome
from gates.checks.summary import Row, in_a_line, saw_in_a_line, shown, summary_rows


def check(name: str, outcome: Outcome, *measures: Measure, **more: str) -> Check:
    return Check(name=name, outcome=outcome, reason=f"why {name}", measures=measures, **more)  # type: ignore[arg-type]


def coverage(value: float | None, reason: str = "") -> Measure:
    return Measure(name="total", value=value, bound=Bound.AT_LEAST, limit=85, unit="%", reason=reason)


def test_what_blocks_stands_first_and_the_order_is_kept_otherwise() -> None:
    checks = [check(str(outcome), outcome) for outcome in Outcome]
    assert [(row.gate, row.outcome, row.good) for row in summary_rows(checks)] == [
        ("failed", "failed", False),
        ("skipped", "skipped", False),
        ("no verdict", "no verdict", False),
        ("passed", "passed", True),
        ("not applicable", "not applicable", True),
        ("accepted un-run", "accepted un-run", True),
    ]


def test_a_check_has_a_row_for_each_of_its_figures_after_its_own() -> None:
    measured = check(
        "coverage", Outcome.FAILED, coverage(90.0), coverage(80.0), coverage(None, "no data"), examined="2 files"
    )
    assert summary_rows([measured]) == [
        Row("coverage", "failed", "2 files", "", "", "why coverage", False),
        Row("coverage: total", "passed", "90%", ">= 85%", "+5", "", True),
        Row("coverage: total", "failed", "80%", ">= 85%", "-5", "", False),
        Row("coverage: total", "no verdict", "", ">= 85%", "", "no data", False),
    ]


def test_what_is_only_remembered_says_of_which_run() -> None:
    (remembered,) = summary_rows([check("unit", Outcome.PASSED, source_run="r12")])
    assert remembered.reason == "why unit (remembered from run r12)"
    (looked,) = summary_rows([check("unit", Outcome.PASSED)])
    assert looked.reason == "why unit"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (89.9999, "%", "89.9999%"),
        (90.0, "%", "90%"),
        (3.0, "", "3"),
        (1.5, "s", "1.5 s"),
        (1234567.0, "ms", "1.23457e+06 ms"),
    ],
)
def test_figures_with_their_units(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_line_of_progress_says_what_the_row_says(outcome: Outcome) -> None:
    for one in (check("secrets", outcome), check("secrets", outcome, source_run="r12")):
        [row] = summary_rows([one])
        assert in_a_line(one) == f"{row.gate}: {row.outcome}: {row.reason}"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_scan_that_nobody_has_judged_has_no_outcome_in_its_line(outcome: Outcome) -> None:
    name, said, reason = saw_in_a_line(check("secrets", outcome)).split(": ")
    assert (name, reason) == ("secrets", "why secrets")
    assert said and said not in [str(each) for each in Outcome]
