import pytest

from gates.check import Bound, Check, Measure, Outcome, judge_checks, no_verdict
from gates.verdict import Action


def check(name: str, outcome: Outcome = Outcome.PASSED) -> Check:
    return Check(name=name, outcome=outcome, reason=f"why {name}")


def test_what_could_not_run_has_no_verdict() -> None:
    check = no_verdict("mypy", "not in the lock")
    assert (check.outcome, check.reason, check.name) == (Outcome.NO_VERDICT, "not in the lock", "mypy")


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


def measure(value: float | None, bound: Bound, limit: float = 5) -> Measure:
    return Measure(name="figure", value=value, bound=bound, limit=limit, unit=" s", reason="no clock")


@pytest.mark.parametrize(
    ("bound", "value", "holds", "margin"),
    [
        (Bound.AT_LEAST, 4.9, False, -0.1),
        (Bound.AT_LEAST, 5.0, True, 0),
        (Bound.AT_LEAST, 5.1, True, 0.1),
        (Bound.MORE_THAN, 4.9, False, -0.1),
        (Bound.MORE_THAN, 5.0, False, 0),
        (Bound.MORE_THAN, 5.1, True, 0.1),
        (Bound.AT_MOST, 4.9, True, 0.1),
        (Bound.AT_MOST, 5.0, True, 0),
        (Bound.AT_MOST, 5.1, False, -0.1),
        (Bound.LESS_THAN, 4.9, True, 0.1),
        (Bound.LESS_THAN, 5.0, False, 0),
        (Bound.LESS_THAN, 5.1, False, -0.1),
    ],
)
def test_a_figure_is_held_against_its_limit(bound: Bound, value: float, holds: bool, margin: float) -> None:
    figure = measure(value, bound)
    assert figure.holds is holds
    assert figure.margin == pytest.approx(margin)
    assert str(figure) == f"figure {value:g} s, wanted {bound} 5 s"


@pytest.mark.parametrize("bound", list(Bound))
def test_a_figure_that_is_not_there_holds_nothing(bound: Bound) -> None:
    lacking = measure(None, bound)
    assert (lacking.holds, lacking.margin) == (None, None)
    assert str(lacking) == "figure could not be measured: no clock"
    assert measure(float("nan"), bound).holds is None


WORSE = [Outcome.SKIPPED, Outcome.FAILED, Outcome.NO_VERDICT]


@pytest.mark.parametrize("good", [Outcome.PASSED, Outcome.NOT_APPLICABLE, Outcome.ACCEPTED_UNRUN])
@pytest.mark.parametrize("bad", WORSE)
def test_of_two_checks_of_one_name_the_worst_counts(good: Outcome, bad: Outcome) -> None:
    assert judge_checks(["unit"], [check("unit", good)]).action is Action.PROMOTE
    for checks in ([check("unit", good), check("unit", bad)], [check("unit", bad), check("unit", good)]):
        assert judge_checks(["unit"], checks).reason == f"unit: {bad} (why unit)"


def test_of_two_that_block_what_had_no_verdict_is_told_before_what_failed_before_what_was_skipped() -> None:
    for worse, better in ((2, 1), (2, 0), (1, 0)):
        for pair in ([WORSE[better], WORSE[worse]], [WORSE[worse], WORSE[better]]):
            reason = judge_checks(["unit"], [check("unit", one) for one in pair]).reason
            assert reason == f"unit: {WORSE[worse]} (why unit)"


def test_of_two_that_do_not_block_what_nobody_looked_at_is_told() -> None:
    pair = [check("unit", Outcome.ACCEPTED_UNRUN), check("unit")]
    for checks in (pair, pair[::-1]):
        assert "NOBODY LOOKED AT: unit" in judge_checks(["unit"], checks).reason


def test_what_did_not_apply_and_what_nobody_looked_at_are_named_and_are_no_passes() -> None:
    checks = [
        check("unit"),
        check("mypy"),
        check("container", Outcome.NOT_APPLICABLE),
        check("load", Outcome.ACCEPTED_UNRUN),
    ]
    assert judge_checks(["unit", "mypy", "container", "load"], checks).reason == (
        "2 required checks passed: unit, mypy; NOBODY LOOKED AT: load (why load); not applicable: container"
    )
