import pytest

from gates.check import Check, Outcome
from gates.checks.quality import MOST_FINDINGS
from gates.checks.scores import quality_score
from gates.findings import Finding, Severity


def check(*severities: Severity, outcome: Outcome = Outcome.PASSED, lines: str = "2 files, 2000 lines") -> Check:
    findings = tuple(Finding(tool="t", rule="r", severity=one, message="m", fingerprint="f") for one in severities)
    return Check(name="t", outcome=outcome, reason="r", examined=lines, findings=findings)


FAILED = Outcome.FAILED


@pytest.mark.parametrize(
    ("checks", "score"),
    [
        ([check()], 100),
        ([check(Severity.MEDIUM, outcome=FAILED)], 99.5),
        ([check(Severity.LOW)], 99.75),
        ([check(Severity.HIGH, outcome=FAILED)], 97.5),
        ([check(Severity.CRITICAL, outcome=FAILED)], 95),
        ([check(Severity.MEDIUM, lines="1 file, 100 lines")], 90),  # not above 90: the target is missed
        ([check(Severity.MEDIUM, lines="1 file, 101 lines")], 100 - 1000 / 101),
        ([check(Severity.MEDIUM), check(Severity.MEDIUM, lines="1 file, 1000 lines")], 98.5),
        ([check(*[Severity.CRITICAL] * 100, outcome=FAILED)], 0),
        ([check(), check(outcome=Outcome.NOT_APPLICABLE, lines="")], 100),
        ([], None),
        ([check(outcome=Outcome.NOT_APPLICABLE)], None),
        ([check(), check(outcome=Outcome.NO_VERDICT)], None),
        ([check(), check(outcome=Outcome.SKIPPED)], None),
        ([check(), check(outcome=Outcome.ACCEPTED_UNRUN)], None),
        ([check(), check(lines="61 tests")], None),
        ([check(lines="1 file, 0 lines")], None),
        ([check(*[Severity.LOW] * (MOST_FINDINGS - 1))], 100 - 0.5 * 0.5 * (MOST_FINDINGS - 1)),
        ([check(*[Severity.LOW] * MOST_FINDINGS)], None),  # how many more there are is not known
    ],
)
def test_the_code_quality_score(checks: list[Check], score: float | None) -> None:
    found = quality_score(checks)
    assert found is None if score is None else found == pytest.approx(max(0, score))
