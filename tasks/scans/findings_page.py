"""What the security scans saw, for a person to read: findings with their age and waivers, and what nobody looked at."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from evidence.statements import Scanned
from gates.baseline import Known, known_of, marks
from gates.check import Check, Outcome
from gates.findings import Finding
from gates.folded import Folded, fold
from gates.scans.merge import merge
from gates.verdict import Action, Verdict
from tasks.artifacts import cell, checks_table

SHOWN = 50


def unlooked_note(checks: Sequence[Check]) -> str:
    """Return the loud line about scans that are accepted un-run; "" when there are none."""
    unrun = [check for check in checks if check.outcome is Outcome.ACCEPTED_UNRUN]
    if not unrun:
        return ""
    names = ", ".join(cell(check.name) for check in unrun)
    reasons = "".join(f"\n> - **{cell(check.name)}**: {cell(check.reason)}" for check in unrun)
    return f"> **NOBODY LOOKED AT: {names}.** That is accepted, and says nothing about what is there.{reasons}\n\n"


def security_section(scanned: Scanned | None, new: Collection[str] = ()) -> str:
    """Return when the scans looked, and every finding that counts. `new` are the fingerprints that are new here."""
    if scanned is None:
        return "No security scan was signed for this artifact."
    head = f"Scanned {scanned.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, in run {cell(scanned.run)}."
    refused = "".join(f"\n- {cell(waiver)}" for waiver in scanned.refused)
    unneeded = "".join(f"\n- waiver {cell(mark)} is not needed any more" for mark in scanned.unneeded)
    table = findings_table(scanned, [finding for check in scanned.checks for finding in check.findings], new)
    return "\n\n".join(part for part in (head, table, (refused + unneeded).lstrip("\n")) if part)


def findings_table(scanned: Scanned, findings: Sequence[Finding], new: Collection[str] = ()) -> str:
    """Return the merged findings as a table, worst first, equal ones in one row, at most 50 rows."""
    known = marks(one for check in scanned.checks for one in check.known)
    folded = fold(merge(findings), lambda one: (_waiver(one, scanned, known), one.fingerprint in new))
    if not folded:
        return "No finding."
    rows = ["| severity | found | where | by | known for | waiver or fingerprint |", "|---|---|---|---|---:|---|"]
    rows += [_row(one, scanned, new, known) for one in folded[:SHOWN]]
    more = sum(one.count for one in folded[SHOWN:])
    return "\n".join(rows) + (f"\n\nand {more} more, less severe" if more > 0 else "")


def _waiver(finding: Finding, scanned: Scanned, known: Mapping[str, Known]) -> str:
    """Return what holds a finding back: its waiver, or its entry in the baseline; "" when nothing does."""
    found = scanned.waived.get(finding.fingerprint) or known_of(finding, known)
    return str(found or "")


def _row(folded: Folded, scanned: Scanned, new: Collection[str], known: Mapping[str, Known]) -> str:
    finding = folded.first
    cells = (
        str(finding.severity),
        f"{folded.rule}: {folded.message[:200]}",
        folded.where,
        ", ".join((finding.tool, *finding.also_by)),
        "**new**" if finding.fingerprint in new else f"{max(_days(one, scanned) for one in folded.members)} d",
        _waiver(finding, scanned, known) or folded.fingerprints,
    )
    return "| " + " | ".join(text if text == "**new**" else cell(text) for text in cells) + " |"


def _days(finding: Finding, scanned: Scanned) -> int:
    first: datetime = scanned.first_seen.get(finding.fingerprint, scanned.at)
    return max(0, (scanned.at - first).days)


def scans_page(title: str, scanned: Scanned, verdict: Verdict, new: Collection[str] = ()) -> str:
    """Return what the scans of one commit came to: one table of scans, one of findings."""
    headline = "Nothing blocks" if verdict.action is Action.PROMOTE else f"Blocked: {cell(verdict.reason)}"
    return (
        f"## {cell(title)}: {headline}\n\n{unlooked_note(scanned.checks)}{checks_table(scanned.checks)}\n\n"
        f"{security_section(scanned, new)}\n"
    )
