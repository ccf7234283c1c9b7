"""The one-page summary of a run: every gate with its value, limit, margin and reason."""

from collections.abc import Sequence
from dataclasses import dataclass

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


BLOCKING = (Outcome.FAILED, Outcome.NO_VERDICT, Outcome.SKIPPED)


def summary_rows(checks: Sequence[Check]) -> list[Row]:
    """Return the rows, blocking checks first, in the order given otherwise."""
    rows: list[Row] = []
    for check in sorted(checks, key=lambda check: check.outcome not in BLOCKING):
        reason = check.reason + (f" (remembered from run {check.source_run})" if check.source_run else "")
        good = check.outcome not in BLOCKING
        rows.append(Row(check.name, str(check.outcome), check.examined, "", "", reason, good))
        rows += [_measured(check, measure) for measure in check.measures]
    return rows


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
