"""What the security scans saw, for a person to read: findings with their age and waivers, and what nobody looked at."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from evidence.statements import Scanned
from gates.check import Check, Outcome
from gates.findings import Finding
from gates.scans.merge import merge
from gates.verdict import Action, Verdict
from tasks.artifacts import cell, checks_table

SHOWN = 50


def unlooked_note(checks: Sequence[Check]) -> str:
    """Return the loud line about scans that are accepted un-run; "" when there are none."""
    unrun = [one for one in checks if one.outcome is Outcome.ACCEPTED_UNRUN]
    if not unrun:
        return ""
    names = ", ".join(cell(one.name) for one in unrun)
    reasons = "".join(f"\n> - **{cell(one.name)}**: {cell(one.reason)}" for one in unrun)
    return f"> **NOBODY LOOKED AT: {names}.** That is accepted, and says nothing about what is there.{reasons}\n\n"


def security_section(scanned: Scanned | None, new: Collection[str] = ()) -> str:
    """Return when the scans looked, and every finding that counts. `new` are the fingerprints that are new here."""
    if scanned is None:
        return "No security scan was signed for this artifact."
    head = f"Scanned {scanned.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC, in run {cell(scanned.run)}."
    refused = "".join(f"\n- {cell(one)}" for one in scanned.refused)
    unneeded = "".join(f"\n- waiver {cell(one)} is not needed any more" for one in scanned.unneeded)
    table = findings_table(scanned, [one for check in scanned.checks for one in check.findings], new)
    return "\n\n".join(part for part in (head, table, (refused + unneeded).lstrip("\n")) if part)


def findings_table(scanned: Scanned, findings: Sequence[Finding], new: Collection[str] = ()) -> str:
    """Return the merged findings as a table, worst first, at most 50."""
    merged = merge(findings)
    if not merged:
        return "No finding."
    rows = ["| severity | found | where | by | known for | waiver or fingerprint |", "|---|---|---|---|---:|---|"]
    rows += [_row(one, scanned, new) for one in merged[:SHOWN]]
    more = len(merged) - SHOWN
    return "\n".join(rows) + (f"\n\nand {more} more, less severe" if more > 0 else "")


def _row(one: Finding, scanned: Scanned, new: Collection[str]) -> str:
    where = f"{one.package} {one.installed}".strip() if one.package else one.file
    where += f":{one.line}" if one.line and not one.package else ""
    mended = f", fixed in {one.fixed}" if one.fixed else ""
    waiver = scanned.waived.get(one.fingerprint)
    cells = (
        str(one.severity),
        f"{one.rule}: {one.message[:200]}",
        where + mended,
        ", ".join((one.tool, *one.also_by)),
        "**new**" if one.fingerprint in new else f"{_days(one, scanned)} d",
        str(waiver) if waiver else one.fingerprint,
    )
    return "| " + " | ".join(one if one == "**new**" else cell(one) for one in cells) + " |"


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
