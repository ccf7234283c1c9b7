"""The one-page summary of a run: every gate with its value, limit, margin and reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from gates.baseline import summed
from gates.check import Check, Measure, Outcome


@dataclass(frozen=True)
class Row:
    """One gate, in words. A check with figures has a row for each of them, after its own."""

    gate: str
    outcome: str
    value: str
    limit: str
    margin: str
    reason: str
    good: bool


def tracked_in_a_line(checks: Sequence[Check]) -> str:
    """Return how many findings of all checks the baseline holds back, "" when it holds none."""
    known = [one for check in checks for one in check.known]
    return f"held back by the baseline: {summed(known)}" if known else ""


# What a scan's own outcome says before its findings are held against the rules and the waivers.
SAW = {
    Outcome.PASSED: "looked, to be judged",
    Outcome.FAILED: "looked, to be judged",
    Outcome.SKIPPED: "did not look",
    Outcome.NO_VERDICT: "could not look at everything",
    Outcome.NOT_APPLICABLE: "nothing to look at",
    Outcome.ACCEPTED_UNRUN: "did not look",
}
BLOCKING = (Outcome.FAILED, Outcome.NO_VERDICT, Outcome.SKIPPED)


def summary_rows(checks: Sequence[Check]) -> list[Row]:
    """Return the rows, blocking checks first, in the order given otherwise."""
    rows: list[Row] = []
    for check in sorted(checks, key=lambda check: check.outcome not in BLOCKING):
        rows += [_row(check), *(_measured(check, measure) for measure in check.measures)]
    return rows


def _row(check: Check) -> Row:
    reason = check.reason + (f" (remembered from run {check.source_run})" if check.source_run else "")
    return Row(check.name, str(check.outcome), check.examined, "", "", reason, check.outcome not in BLOCKING)


def in_a_line(check: Check) -> str:
    """Return a check in one line, for logs and progress: what its row in the summary says."""
    row = _row(check)
    return f"{row.gate}: {row.outcome}: {row.reason}"


def saw_in_a_line(check: Check) -> str:
    """Return in one line what a scan saw that nobody has judged yet: no outcome, which its row may not have."""
    row = _row(check)
    return f"{row.gate}: {SAW[check.outcome]}: {row.reason}"


def _measured(check: Check, measure: Measure) -> Row:
    outcome = {True: Outcome.PASSED, False: Outcome.FAILED, None: Outcome.NO_VERDICT}[measure.holds]
    return Row(
        gate=f"{check.name}: {measure.name}",
        outcome=str(outcome),
        value="" if measure.value is None else shown(measure.value, measure.unit),
        limit=f"{measure.bound} {shown(measure.limit, measure.unit)}",
        margin="" if measure.margin is None else f"{measure.margin:+.4g}",
        reason=measure.reason,
        good=measure.holds is True,
    )


def shown(value: float, unit: str) -> str:
    """Return a figure with its unit: percent without a space, others with one. Six digits: 89.9999 is not 90."""
    return f"{value:.6g}{unit}" if unit in ("", "%") else f"{value:.6g} {unit}"
