import pytest

from gates.check import Check, Outcome, judge_checks
from gates.verdict import Action


def check(name: str, outcome: Outcome = Outcome.PASSED) -> Check:
    return Check(name=name, outcome=outcome, reason=f"why {name}")


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SKIPPED, Outcome.NO_VERDICT])
def test_only_a_pass_is_a_pass(outcome: Outcome) -> None:
    verdict = judge_checks(["unit"], [check("unit", outcome)])
    assert verdict.action is Action.STOP
    assert verdict.reason == f"unit: {outcome} (why unit)"


def test_an_absent_check_blocks() -> None:
    verdict = judge_checks(["unit", "mypy"], [check("unit")])
    assert verdict.action is Action.STOP and verdict.reason == "mypy: absent from the evidence"


def test_everything_that_is_in_the_way_is_named() -> None:
    reason = judge_checks(["a", "b", "c"], [check("a", Outcome.FAILED), check("b")]).reason
    assert "a: failed" in reason and "c: absent" in reason and "b:" not in reason


def test_what_is_not_required_does_not_block() -> None:
    verdict = judge_checks(["unit"], [check("unit"), check("mypy", Outcome.FAILED)])
    assert verdict.action is Action.PROMOTE and "1 required checks passed: unit" in verdict.reason


@pytest.mark.parametrize(("first", "last"), [(Outcome.PASSED, Outcome.FAILED), (Outcome.FAILED, Outcome.PASSED)])
def test_a_check_that_is_there_twice_passes_only_when_both_do(first: Outcome, last: Outcome) -> None:
    assert judge_checks(["unit"], [check("unit", first), check("unit", last)]).action is Action.STOP
    assert judge_checks(["unit"], [check("unit"), check("unit")]).action is Action.PROMOTE


def test_names_are_compared_exactly() -> None:
    assert judge_checks(["unit"], [check("Unit"), check("unit ")]).action is Action.STOP


def test_requiring_nothing_says_so() -> None:
    assert judge_checks([], []).reason == "0 required checks passed: none"
