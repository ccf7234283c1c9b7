"""One figure for the security of a commit. A good score mends no failed scan (docs/security-score.md)."""

from collections.abc import Collection, Sequence

from gates.check import Bound, Check, Measure, Outcome
from gates.findings import Severity
from gates.scans.merge import group

SCORE = "security-score"
TARGET = 95.0  # per cent, to be exceeded
COST = {Severity.CRITICAL: 40.0, Severity.HIGH: 10.0, Severity.MEDIUM: 0.5, Severity.LOW: 0.1}  # percentage points each
WAIVED_COST = 2.0


def security_score(required: Sequence[str], checks: Sequence[Check], waived: Collection[str] = ()) -> Measure:
    """Return 100 minus what the merged findings cost, at least 0, in per cent; to be above 95.

    A finding costs 40 (critical), 10 (high), 0.5 (medium) or 0.1 (low); 2 at most when its fingerprint is in
    `waived`. None while any required scan has no verdict, was accepted un-run or is absent: what nobody looked at has
    no score.
    """
    completed = (Outcome.PASSED, Outcome.FAILED, Outcome.NOT_APPLICABLE)
    by_name = {check.name: check for check in checks}
    missing = [name for name in required if name not in by_name or by_name[name].outcome not in completed]
    if missing:
        return _measure(None, f"no verdict of {', '.join(missing)}")
    findings = [finding for check in checks for finding in check.findings]
    lost = 0.0
    for members in group(findings):
        cost = COST[members[0].severity]
        lost += min(cost, WAIVED_COST) if members[0].fingerprint in waived else cost
    return _measure(max(0.0, 100.0 - lost))


def score_check(measure: Measure) -> Check:
    """Return the score as a check, so that an environment may require it: `security-score` in REQUIRED_GATES."""
    outcome = {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.NO_VERDICT}[measure.holds]
    return Check(name=SCORE, outcome=outcome, reason=str(measure), measures=(measure,))


def _measure(value: float | None, reason: str = "") -> Measure:
    return Measure(name="security score", value=value, bound=Bound.MORE_THAN, limit=TARGET, unit=" %", reason=reason)
