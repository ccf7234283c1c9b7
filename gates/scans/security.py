"""What the findings of the security scans come to: the guide's gates, by severity, with waivers.

A scan itself says only whether it could look at everything (`passed`), had nothing to look at (`not applicable`), or
could not look (`no verdict`); whether what it found blocks is decided here.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gates.baseline import NEVER, NOTHING, Baseline, Held
from gates.check import Check, Outcome
from gates.findings import Finding, Severity
from gates.folded import Folded, fold, in_short, place
from gates.scans.merge import group
from gates.scans.waivers import Waiver, Waivers

CRITICAL, HIGH, MEDIUM, LOW = Severity
SHOWN = 3
UNREVOKED = (
    "it is for a secret in the history: revoke that, and say in `revoked` how it was proved that it is valid no more"
)


@dataclass(frozen=True)
class Rule:
    """Which severities of a scan's findings block always (`never`), and which unless somebody waived them.

    The others are tracked with their age. `noun` is what a finding of `never` is called in a reason. `revocable`: a
    finding of the history alone may wait all the same, with a waiver that says how it was revoked.
    """

    never: tuple[Severity, ...] = (CRITICAL,)
    waivable: tuple[Severity, ...] = (HIGH,)
    noun: str = "critical"
    why_never: str = "it is for a critical finding, which cannot be waived"
    revocable: bool = False

    def why_not(self, finding: Finding, revoked: Collection[str]) -> str:
        """Return why a finding can never be waived, "" when it can. `revoked` are those that a waiver calls revoked."""
        if self.revocable and finding.past:
            return "" if finding.fingerprint in revoked else UNREVOKED
        if finding.fingerprint in revoked:
            return self.why_never if self.revocable else "it says `revoked`, which is for a secret in the history"
        return self.why_never if finding.severity in self.never else ""


def waivable(checks: Sequence[Check], rules: Mapping[str, Rule], waivers: Sequence[Waiver] = ()) -> dict[str, str]:
    """Return for the fingerprint of each finding why it can never be waived, "" when it can. `rules` are by scan."""
    revoked = {waiver.fingerprint for waiver in waivers if waiver.revoked}
    reasons: dict[str, str] = {}
    for check in checks:
        rule = rules[check.name]
        for finding in check.findings:
            mark = finding.fingerprint
            reasons[mark] = reasons.get(mark) or rule.why_not(finding, revoked)
    return reasons


def covered(checks: Sequence[Check], waivers: Waivers) -> dict[str, Waiver]:
    """Return the waiver of each waived finding. One for the worst of a group covers the whole group."""
    waived = dict(waivers.good)
    for worst, *others in group([finding for check in checks for finding in check.findings]):
        if worst.fingerprint in waivers.good:
            waived = {other.fingerprint: waivers.good[worst.fingerprint] for other in others} | waived
    return waived


@dataclass(frozen=True)
class Context:
    """What decides beside the findings and the scan's rule: waivers by fingerprint, refused ones (why, by fingerprint),
    the scans that are accepted un-run with the reason, when each finding was first seen, and now. Times are aware.
    `baseline` are the findings that were there at adoption.
    """

    waived: Mapping[str, Waiver]
    refused: Mapping[str, str]
    accepted: Mapping[str, str]
    first_seen: Mapping[str, datetime]
    now: datetime
    baseline: Baseline = NOTHING

    def held(self, check: Check, rule: "Rule") -> Held:
        """Return the findings of a scan that no waiver covers, held against the baseline."""
        open_ = [one for one in check.findings if not _is_waived(one, rule, self)]
        baseline = NOTHING if check.name in NEVER else self.baseline
        return baseline.hold(check.name, open_, self.now.astimezone(UTC).date(), check.findings)


def judge_scan(check: Check, rule: Rule, context: Context) -> Check:
    """Return the check with the outcome that its findings come to.

    Findings that block fail it, also when the scan could not look at everything else. A scan that could not look
    because a source outside is away, and is accepted un-run, says both reasons; one that failed, or could not read what
    the commit holds, is never accepted. A scan that fails itself because of findings
    passes when all of those are waived; what else it fails for it must show as a measure.
    """
    waived = [finding for finding in check.findings if _is_waived(finding, rule, context)]
    held = context.held(check, rule)
    by_waiver = fold(waived, lambda finding: str(context.waived[finding.fingerprint]))
    notes = [f"{headline_of(one)}: {context.waived[one.first.fingerprint]}" for one in by_waiver]
    medium = [finding for finding in held.fresh if finding.severity is MEDIUM]
    by_age = fold(medium, lambda finding: _age(finding, context))
    notes += [f"{headline_of(one)}: medium, {_age(one.first, context)}" for one in by_age]
    outcome, reason = _outcome(check, _blocking(check, rule, held, context), waived, held, context)
    notes += held.notes
    update = {"outcome": outcome, "reason": reason, "notes": (*check.notes, *notes), "known": held.entries}
    return check.model_copy(update=update)


def _is_waived(finding: Finding, rule: Rule, context: Context) -> bool:
    waiver = context.waived.get(finding.fingerprint)
    if finding.severity in rule.waivable:
        return waiver is not None
    return rule.revocable and finding.past and waiver is not None and bool(waiver.revoked)


def _outcome(
    check: Check, blocking: Sequence[str], waived: Sequence[Finding], held: Held, context: Context
) -> tuple[Outcome, str]:
    if blocking:
        beyond = [f"beyond that it could not look: {check.reason}"] if check.outcome is Outcome.NO_VERDICT else []
        return Outcome.FAILED, "; ".join([*blocking, *beyond])
    if check.outcome is Outcome.NO_VERDICT and check.source_away and check.name in context.accepted:
        because = context.accepted[check.name]
        return Outcome.ACCEPTED_UNRUN, f"accepted un-run because {because}; it could not look: {check.reason}"
    accepted = bool(waived or held.known)
    completed = check.outcome is Outcome.PASSED or (check.outcome is Outcome.FAILED and accepted)
    if not completed:
        return check.outcome, check.reason
    if unknown := [str(measure) for measure in check.measures if measure.holds is None]:
        return Outcome.NO_VERDICT, "; ".join(unknown)
    return Outcome.PASSED, _tracked(waived, held, context) or check.reason


def headline(finding: Finding) -> str:
    """Return a finding in a few words: rule and place, or rule, package and the version that mends it."""
    return headline_of(Folded((finding,)))


def headline_of(folded: Folded) -> str:
    """Return equal findings in a few words, with their number."""
    return f"{folded.rule} in {folded.where}" if folded.where else folded.rule


def _blocking(check: Check, rule: Rule, held: Held, context: Context) -> list[str]:
    """Return what blocks, in words: findings that neither a waiver nor the baseline covers, waivers that do not count,
    figures off limits.
    """
    never = [finding for finding in held.fresh if finding.severity in rule.never]
    unwaived = [finding for finding in held.fresh if finding.severity in rule.waivable]
    parts = []
    if held.overdue:
        parts.append(f"{len(held.overdue)} overdue by the baseline: {_named(fold(held.overdue))}")
    if never:
        parts.append(f"{len(never)} {rule.noun}: {_named(fold(never))}")
    if unwaived:
        by_severity = Counter(finding.severity for finding in unwaived)
        counts = ", ".join(f"{by_severity[severity]} {severity}" for severity in Severity if by_severity[severity])
        named = _named(fold(unwaived), lambda one: f" [{one.fingerprint}]")
        parts.append(f"{counts} without a waiver: {named}")
    refused = [
        f"waiver {finding.fingerprint} refused: {context.refused[finding.fingerprint]}"
        for finding in (*never, *unwaived)
        if finding.fingerprint in context.refused
    ]
    if parts:
        parts[0] = context.baseline.refused(parts[0])
    limits = [str(measure) for measure in check.measures if measure.holds is False]
    return [*parts, *dict.fromkeys(refused), *limits]


def _tracked(waived: Sequence[Finding], held: Held, context: Context) -> str:
    """Return what a scan that blocks nothing found; "" when that is nothing."""
    parts = [f"{len(waived)} waived"] if waived else []
    if held.known:
        parts.append(f"{len(held.known)} in the baseline, the first due {min(one.due for one in held.entries)}")
    for severity in (HIGH, MEDIUM, LOW):
        if ages := [_days(finding, context) for finding in held.fresh if finding.severity is severity]:
            parts.append(f"{len(ages)} {severity}" + (f" (oldest {max(ages)} d)" if severity is MEDIUM else ""))
    return f"nothing that blocks: {', '.join(parts)}" if parts else ""


def _days(finding: Finding, context: Context) -> int:
    return max(0, (context.now - context.first_seen.get(finding.fingerprint, context.now)).days)


def _age(finding: Finding, context: Context) -> str:
    days = _days(finding, context)
    return f"known for {days} d" if finding.fingerprint in context.first_seen and days else "new today"


def _named(folded: Sequence[Folded], after: Callable[[Finding], str] = lambda finding: "") -> str:
    """Return equal findings by rule, each with its first places; `after` each place stands what to name it by."""
    shown = folded[:SHOWN]
    names = []
    for one in shown:
        places = in_short((f"{place(member)}{after(member)}" for member in one.members), SHOWN)
        names.append(f"{one.rule} in {places}" if one.where else f"{one.rule}{places}")
    more = sum(one.count for one in folded[SHOWN:])
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
