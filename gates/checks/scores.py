"""Scores out of 100, for comparing runs. A score never overrides a gate, and missing data gives no score."""

from collections.abc import Mapping, Sequence

from gates.check import Check, Outcome
from gates.checks.performance import NAME as LOAD
from gates.checks.performance import performance_score
from gates.checks.quality import MOST_FINDINGS, lines_examined
from gates.findings import Severity
from gates.scans.security_score import SCORE

WEIGHT: Mapping[Severity, float] = {
    Severity.CRITICAL: 10,
    Severity.HIGH: 5,
    Severity.MEDIUM: 1,
    Severity.LOW: 0.5,
}


def quality_score(checks: Sequence[Check]) -> float | None:
    """Return the code-quality score of these tools' checks, 0 to 100, unrounded.

        score = max(0, 100 - sum over checks of (1000 / lines * sum over its findings of weight))

    with `lines` what that check says it looked at, and the weights critical 10, high 5, medium 1, low 0.5. So one
    medium finding in each thousand lines, from one tool, costs one point.

    None when data is missing: no check at all, one that came to no verdict, was skipped or accepted un-run, one that
    does not say how many lines it looked at (or says none), or one with as many findings as are listed at most, since
    the rest is not known. What is not applicable is left out.
    """
    cost, counted = 0.0, 0
    for check in checks:
        if check.outcome is Outcome.NOT_APPLICABLE:
            continue
        lines = lines_examined(check)
        known = check.outcome in (Outcome.PASSED, Outcome.FAILED) and len(check.findings) < MOST_FINDINGS
        if not known or not lines:
            return None
        cost += 1000 / lines * sum(WEIGHT[finding.severity] for finding in check.findings)
        counted += 1
    return max(0.0, 100 - cost) if counted else None


def all_scores(checks: Sequence[Check], tools: Sequence[str]) -> dict[str, float | None]:
    """Return every score of a run: code quality over the named tools, performance of the load test, security."""
    named = {check.name: check for check in checks}
    scores: dict[str, float | None] = {"code quality": quality_score([named[name] for name in tools if name in named])}
    if LOAD in named:
        scores["performance"] = performance_score(named[LOAD].measures)
    if SCORE in named and named[SCORE].measures:
        scores["security"] = named[SCORE].measures[0].value
    return scores
