"""What the findings of the security scans come to: the guide's gates, by severity, with waivers.

A scan itself says only whether it could look at everything (`passed`), had nothing to look at (`not applicable`), or
could not look (`no verdict`); whether what it found blocks is decided here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gates.check import Check, Outcome
from gates.findings import Finding, Severity
from gates.scans.merge import group
from gates.scans.waivers import Waiver, Waivers

CRITICAL, HIGH, MEDIUM, LOW = Severity
SHOWN = 3


@dataclass(frozen=True)
class Rule:
    """Which severities of a scan's findings block always (`never`), and which unless somebody waived them."""

    never: tuple[Severity, ...] = (CRITICAL,)
    waivable: tuple[Severity, ...] = (HIGH,)
    why_never: str = "it is for a critical finding, which cannot be waived"


# In the order of the report. Medium and low findings of the others are tracked with their age.
RULES: Mapping[str, Rule] = {
    "dependency": Rule(),
    "code": Rule(),
    "container": Rule(),
    "secrets": Rule(
        tuple(Severity), (), "it is for a secret, which cannot be waived: revoke it and remove it from the history"
    ),
    "sast": Rule(),
    "licence": Rule(waivable=(HIGH, MEDIUM, LOW)),
    "policy": Rule(),
}


def rule_of(scan: str) -> Rule:
    """Return the rule of a scan; a scan that has none of its own is judged like a vulnerability scan."""
    return RULES.get(scan, Rule())


def waivable(checks: Sequence[Check]) -> dict[str, str]:
    """Return for the fingerprint of each finding why it can never be waived, "" when it can."""
    found: dict[str, str] = {}
    for check in checks:
        rule = rule_of(check.name)
        for finding in check.findings:
            why = rule.why_never if finding.severity in rule.never else ""
            found[finding.fingerprint] = found.get(finding.fingerprint) or why
    return found


def covered(checks: Sequence[Check], waivers: Waivers) -> dict[str, Waiver]:
    """Return the waiver of each waived finding. One for the worst of a group covers the whole group."""
    found = dict(waivers.good)
    for members in group([finding for check in checks for finding in check.findings]):
        waiver = waivers.good.get(members[0].fingerprint)
        if waiver:
            found.update({member.fingerprint: waiver for member in members[1:] if member.fingerprint not in found})
    return found


@dataclass(frozen=True)
class Rules:
    """What decides beside the findings: waivers by fingerprint, refused ones (why, by fingerprint), the scans that are
    accepted un-run with the reason, when each finding was first seen, and now. Times are aware.
    """

    waived: Mapping[str, Waiver]
    refused: Mapping[str, str]
    accepted: Mapping[str, str]
    first_seen: Mapping[str, datetime]
    now: datetime


def judge_scan(check: Check, rules: Rules) -> Check:
    """Return the check with the outcome that its findings come to.

    Findings that block fail it, also when the scan could not look at everything else. A scan that could not look and is
    accepted un-run says both reasons; one that failed is never accepted. A scan that fails itself because of findings
    passes when all of those are waived; what else it fails for it must show as a measure.
    """
    rule = rule_of(check.name)
    always = [one for one in check.findings if one.severity in rule.never]
    high = [one for one in check.findings if one.severity in rule.waivable]
    open_ = [one for one in high if one.fingerprint not in rules.waived]
    waived = [one for one in high if one.fingerprint in rules.waived]
    notes = [f"{name(one)}: {rules.waived[one.fingerprint]}" for one in waived]
    notes += [f"{name(one)}: medium, {_age(one, rules)}" for one in check.findings if one.severity is MEDIUM]
    outcome, reason = _outcome(check, always, open_, waived, rules)
    return check.model_copy(update={"outcome": outcome, "reason": reason, "notes": (*check.notes, *notes)})


def _outcome(
    check: Check, always: Sequence[Finding], unwaived: Sequence[Finding], waived: Sequence[Finding], rules: Rules
) -> tuple[Outcome, str]:
    blocked = [_blocked(check.name, always, unwaived, rules)] if always or unwaived else []
    blocked += [str(one) for one in check.measures if one.holds is False]
    if blocked:
        blind = [f"beyond that it could not look: {check.reason}"] if check.outcome is Outcome.NO_VERDICT else []
        return Outcome.FAILED, "; ".join([*blocked, *blind])
    if check.outcome is Outcome.NO_VERDICT and check.name in rules.accepted:
        because = rules.accepted[check.name]
        return Outcome.ACCEPTED_UNRUN, f"accepted un-run because {because}; it could not look: {check.reason}"
    looked = check.outcome is Outcome.PASSED or (check.outcome is Outcome.FAILED and bool(waived))
    if not looked:
        return check.outcome, check.reason
    if unknown := [str(one) for one in check.measures if one.holds is None]:
        return Outcome.NO_VERDICT, "; ".join(unknown)
    return Outcome.PASSED, _tracked(check, waived, rules) or check.reason


def name(finding: Finding) -> str:
    """Return a finding in a few words: rule and place, or rule, package and the version that mends it."""
    if finding.package:
        mended = f", fixed in {finding.fixed}" if finding.fixed else ""
        return f"{finding.rule} in {finding.package} {finding.installed}".rstrip() + mended
    place = f"{finding.file}:{finding.line}" if finding.line else finding.file
    return f"{finding.rule} in {place}" if place else finding.rule


def _blocked(scan: str, always: Sequence[Finding], unwaived: Sequence[Finding], rules: Rules) -> str:
    parts = []
    if always:
        what = "secret" if scan == "secrets" else "critical"
        parts.append(f"{len(always)} {what}: {_listed(always)}")
    if unwaived:
        worst = Counter(str(one.severity) for one in unwaived)
        counts = ", ".join(f"{worst[one]} {one}" for one in Severity if worst[one])
        marks = [f"{name(one)} [{one.fingerprint}]" for one in unwaived[:SHOWN]]
        parts.append(f"{counts} without a waiver: {_more(marks, len(unwaived))}")
    refused = [
        f"waiver {one.fingerprint} refused: {rules.refused[one.fingerprint]}"
        for one in (*always, *unwaived)
        if one.fingerprint in rules.refused
    ]
    return "; ".join([*parts, *dict.fromkeys(refused)])


def _tracked(check: Check, waived: Sequence[Finding], rules: Rules) -> str:
    """Return what a scan that blocks nothing found; "" when that is nothing."""
    marks = {one.fingerprint for one in waived}
    rest = Counter(one.severity for one in check.findings if one.fingerprint not in marks)
    parts = [f"{len(waived)} waived"] if waived else []
    for severity in (HIGH, MEDIUM, LOW):
        if rest[severity]:
            ages = [_days(one, rules) for one in check.findings if one.severity is severity]
            parts.append(f"{rest[severity]} {severity}" + (f" (oldest {max(ages)} d)" if severity is MEDIUM else ""))
    return f"nothing that blocks: {', '.join(parts)}" if parts else ""


def _days(finding: Finding, rules: Rules) -> int:
    return max(0, (rules.now - rules.first_seen.get(finding.fingerprint, rules.now)).days)


def _age(finding: Finding, rules: Rules) -> str:
    days = _days(finding, rules)
    return f"known for {days} d" if finding.fingerprint in rules.first_seen and days else "new today"


def _listed(findings: Sequence[Finding]) -> str:
    return _more([name(one) for one in findings[:SHOWN]], len(findings))


def _more(shown: Sequence[str], total: int) -> str:
    more = total - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
