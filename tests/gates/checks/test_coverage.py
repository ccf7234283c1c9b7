import pytest
from pydantic import ValidationError

from gates.check import Check, Outcome
from gates.checks.coverage import Changed, Covered, FileCoverage, Limits, Unmeasured, judge_coverage, percent

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT
GONE = Unmeasured(reason="no data")


def files(covered: int, statements: int, branches: tuple[int, int] = (0, 0)) -> Covered:
    return (
        FileCoverage(path="a.py", statements=1, covered=1),
        FileCoverage(
            path="b.py",
            statements=statements - 1,
            covered=covered - 1,
            covered_branches=branches[0],
            branches=branches[1],
        ),
    )


def judge(
    total: Covered | Unmeasured = files(100, 100),
    unit: Covered | Unmeasured = files(100, 100),
    changed: Changed | Unmeasured | None = None,
    min_changed: float | None = None,
) -> Check:
    return judge_coverage(Limits(85, {"unit": 90}, min_changed), total, {"unit": unit}, changed)


@pytest.mark.parametrize(
    ("covered", "statements", "outcome"),
    [(85, 100, PASSED), (84, 100, FAILED), (84_999_999, 100_000_000, FAILED), (85_000_001, 100_000_000, PASSED)],
)
def test_the_total_must_be_reached(covered: int, statements: int, outcome: Outcome) -> None:
    check = judge(total=files(covered, statements))
    assert check.outcome is outcome
    assert ("total coverage" in check.reason) and check.measures[0].holds is (outcome is PASSED)


@pytest.mark.parametrize(
    ("covered", "statements", "outcome"),
    [(90, 100, FAILED), (91, 100, PASSED), (90_000_001, 100_000_000, PASSED), (9, 10, FAILED), (63, 70, FAILED)],
)
def test_a_suites_minimum_must_be_exceeded(covered: int, statements: int, outcome: Outcome) -> None:
    check = judge(unit=files(covered, statements))
    assert check.outcome is outcome
    assert "coverage by unit" in check.reason


def test_branches_count_as_statements_do() -> None:
    assert percent(files(3, 4, (1, 2))) == pytest.approx(66.66666666666667, abs=0)
    assert judge(unit=files(91, 100, (8, 10))).outcome is FAILED  # 99 of 110 are 90 exactly
    assert judge(unit=files(91, 100, (9, 10))).outcome is PASSED


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        (Changed(lines=5, missing=1), PASSED),
        (Changed(lines=5, missing=2), FAILED),
        (Changed(lines=1_000_000, missing=200_001), FAILED),
        (Changed(lines=0, missing=0), PASSED),
        (GONE, BLIND),
        (None, BLIND),
    ],
)
def test_the_changed_lines_must_reach_their_minimum(changed: Changed | Unmeasured | None, outcome: Outcome) -> None:
    assert judge(changed=changed, min_changed=80).outcome is outcome
    assert judge(changed=changed, min_changed=None).outcome is PASSED


def test_that_no_changed_line_counted_is_told() -> None:
    assert judge(changed=Changed(lines=0, missing=0), min_changed=80).notes
    assert not judge(changed=Changed(lines=1, missing=0), min_changed=80).notes


def test_a_figure_that_is_not_there_is_no_verdict_and_says_why() -> None:
    for check in (judge(total=GONE), judge(unit=GONE)):
        assert check.outcome is BLIND
        assert "could not be measured: no data" in check.reason
    lacking = judge_coverage(Limits(85, {"unit": 90}), files(9, 9), {}, None)
    assert (lacking.outcome, lacking.measures[1].value) == (BLIND, None)


def test_a_failure_is_a_failure_though_another_figure_is_not_there() -> None:
    check = judge(total=files(1, 100), unit=GONE)
    assert check.outcome is FAILED
    assert "could not be measured" in check.reason


def test_files_without_a_statement_are_no_figure() -> None:
    empty = (FileCoverage(path="__init__.py", statements=0, covered=0),)
    check = judge(unit=empty)
    assert (check.outcome, check.measures[1].value) == (BLIND, None)
    assert empty[0].percent == 100
    assert judge(unit=(*empty, *files(100, 100))).outcome is PASSED


def test_what_was_looked_at_is_told() -> None:
    assert judge(total=files(99, 100)).examined == "2 files, 100 statements"
    assert judge(total=GONE).examined == ""


@pytest.mark.parametrize(
    "counts",
    [
        {"statements": 1, "covered": 2},
        {"statements": -1, "covered": 0},
        {"statements": 1, "covered": 1, "branches": 1, "covered_branches": 2},
    ],
)
def test_impossible_counts_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        FileCoverage.model_validate({"path": "a.py", **counts})
    with pytest.raises(ValidationError):
        Changed(lines=1, missing=2)
