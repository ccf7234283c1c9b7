"""The page of a `ci` run."""

from collections.abc import Mapping, Sequence

from gates.baseline import known_of, marks
from gates.check import Check, Outcome
from gates.checks.summary import summary_rows, tracked_in_a_line
from gates.folded import fold
from gates.scans.security_score import SCORE
from gates.verdict import Action, Verdict
from tasks.artifacts import SIGN, cell
from tasks.source.git import Source

SHOWN_FINDINGS = 100


def summary_page(
    source: Source, digest: str, checks: Sequence[Check], verdict: Verdict, scores: Mapping[str, float | None]
) -> str:
    """Return the whole page: verdict, gates, scores, notes, findings. `digest` is "" when nothing was built."""
    good = verdict.action is Action.PROMOTE
    unrun = [check.name for check in checks if check.outcome is Outcome.ACCEPTED_UNRUN]
    passed = f"Nothing blocks, but nobody looked at {cell(', '.join(unrun))}" if unrun else "Everything passed"
    headline = passed if good else f"Not good: {cell(verdict.reason)}"
    built = f"Artifact `{digest}`" if digest else "No artifact was made, and nothing was signed"
    parts = [
        f"# {headline}",
        f"{cell(source.version)}, commit `{source.commit}` on {cell(source.branch or 'no branch')}: "
        f"{cell(source.history[0].subject)} ({cell(source.history[0].author)})",
        built,
        _unrun(checks),
        cell(tracked_in_a_line(checks)).capitalize(),
        gates_table([check for check in checks if check.name != SCORE]),
        _scores(scores),
        _notes(checks),
        findings_table(checks),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def gates_table(checks: Sequence[Check]) -> str:
    """Return the table of all gates: value, limit, margin, reason."""
    rows = ["| gate | outcome | value | limit | margin | reason |", "|---|---|---|---|---:|---|"]
    for row in summary_rows(checks):
        sign = SIGN[Outcome(row.outcome)]
        cells = (cell(row.gate), f"{sign} {row.outcome}", cell(row.value), cell(row.limit), row.margin)
        rows.append(f"| {' | '.join(cells)} | {cell(row.reason)} |")
    return "\n".join(rows)


def findings_table(checks: Sequence[Check]) -> str:
    """Return the findings of all checks, worst first, equal ones in one row; "" without any."""
    found = sorted((one for check in checks for one in check.findings), key=lambda one: one.severity.rank)
    known = marks(one for check in checks for one in check.known)
    folded = fold(found, lambda one: known_of(one, known))
    if not folded:
        return ""
    rows = ["## Findings", "", "| severity | tool | rule | where | what | baseline |", "|---|---|---|---|---|---|"]
    for one in folded[:SHOWN_FINDINGS]:
        words = (one.first.severity, one.first.tool, one.rule, one.where, one.message[:300])
        rows.append(f"| {' | '.join(map(cell, (*words, known_of(one.first, known) or '')))} |")
    more = sum(one.count for one in folded[SHOWN_FINDINGS:])
    return "\n".join(rows) + (f"\n\nand {more} more" if more > 0 else "")


def _unrun(checks: Sequence[Check]) -> str:
    unrun = [check for check in checks if check.outcome is Outcome.ACCEPTED_UNRUN]
    lines = [f"- **{cell(check.name)}**: {cell(check.reason)}" for check in unrun]
    return "\n".join(["## ‼ Nobody looked at this", "", *lines]) if lines else ""


def _scores(scores: Mapping[str, float | None]) -> str:
    if not scores:
        return ""
    rows = [
        "## Scores",
        "",
        "They only inform: no score opens or closes a gate.",
        "",
        "| score | of 100 |",
        "|---|---:|",
    ]
    rows += [f"| {cell(name)} | {'no data' if one is None else f'{one:.1f}'} |" for name, one in scores.items()]
    return "\n".join(rows)


def _notes(checks: Sequence[Check]) -> str:
    lines = [f"- {cell(check.name)}: {cell(note)}" for check in checks for note in check.notes]
    return "\n".join(["## Notes", "", *lines]) if lines else ""
