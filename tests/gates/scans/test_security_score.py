import pytest

from gates.check import Check, Outcome
from gates.findings import Finding, Severity
from gates.scans.security_score import score_check, security_score
from tests.gates.findings import issue

CRITICAL, HIGH, MEDIUM, LOW = Severity


def looked(*findings: Finding, name: str = "code", outcome: Outcome = Outcome.PASSED) -> Check:
    return Check(name=name, outcome=outcome, reason="", findings=findings)


@pytest.mark.parametrize(
    ("findings", "score"),
    [
        ([], 100),
        ([issue(severity=CRITICAL)], 60),
        ([issue(severity=HIGH)], 90),
        ([issue(severity=MEDIUM, line=line) for line in range(1, 11)], 95),
        ([issue(severity=MEDIUM, line=line) for line in range(1, 10)], 95.5),
        ([issue(severity=LOW)], 99.9),
        ([issue(severity=CRITICAL, line=line) for line in range(1, 5)], 0),
        ([issue("B602", HIGH), issue("subprocess-shell-true", HIGH, tool="semgrep")], 90),
    ],
)
def test_the_score_is_a_hundred_less_what_is_found(findings: list[Finding], score: float) -> None:
    measure = security_score(["code"], [looked(*findings)])
    assert measure.value == pytest.approx(score)


def test_it_must_be_exceeded() -> None:
    nine = looked(*(issue(severity=MEDIUM, line=line) for line in range(1, 10)))
    ten = looked(*(issue(severity=MEDIUM, line=line) for line in range(1, 11)))
    assert score_check(security_score(["code"], [nine])).outcome is Outcome.PASSED
    assert score_check(security_score(["code"], [ten])).outcome is Outcome.FAILED


def test_a_waived_one_costs_less_and_never_more() -> None:
    high, low = issue(severity=HIGH), issue(severity=LOW)
    assert security_score(["code"], [looked(high)], {high.fingerprint}).value == pytest.approx(98)
    assert security_score(["code"], [looked(low)], {low.fingerprint}).value == pytest.approx(99.9)


@pytest.mark.parametrize("outcome", [Outcome.NO_VERDICT, Outcome.SKIPPED, Outcome.ACCEPTED_UNRUN])
def test_what_nobody_looked_at_has_no_score(outcome: Outcome) -> None:
    measure = security_score(["code", "sast"], [looked(), looked(name="sast", outcome=outcome)])
    assert measure.value is None and "sast" in measure.reason
    assert score_check(measure).outcome is Outcome.NO_VERDICT
    assert security_score(["code", "sast"], [looked()]).value is None


def test_what_does_not_apply_takes_no_score_away() -> None:
    checks = [looked(), looked(name="container", outcome=Outcome.NOT_APPLICABLE)]
    assert security_score(["code", "container"], checks).value == 100
