"""What goes into a baseline: today's findings that block, each until a due date; and what never does."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gates.baseline import NEVER, Baseline, Entry, may_be_known, spoken
from gates.check import Check, Outcome
from gates.findings import Finding, Severity

Key = tuple[str, str]  # the check's name, and by what its findings are known


@dataclass(frozen=True)
class Asked:
    """What is asked of a new baseline: who answers for it, the app's commit, and today (UTC).

    `tools` are the quality tools. `blocking` are the severities that block, by scan; `everything` takes the others too,
    which then block from their due date on. `added` takes findings that an earlier baseline does not have.
    `first_seen` is by fingerprint.
    """

    approver: str
    commit: str
    today: date
    tools: Collection[str]
    blocking: Mapping[str, Collection[Severity]]
    first_seen: Mapping[str, date]
    everything: bool = False
    added: bool = False


@dataclass(frozen=True)
class Made:
    """A baseline, and what is not in it: `refused` may never be, `new` came after the earlier one, and `gone` is how
    many findings that one had and this has not.
    """

    baseline: Baseline
    refused: tuple[Finding, ...] = ()
    new: tuple[Finding, ...] = ()
    gone: int = 0


def make_baseline(before: Baseline, checks: Sequence[Check], asked: Asked) -> Made:
    """Return the baseline of these checks. What `before` has keeps its dates: no due date is ever moved.

    What `before` has of a check that could not look stays in it.
    """
    earlier = {(entry.check, entry.fingerprint): entry for entry in before.entries}
    first, groups = before.made is None, dict[Key, list[Finding]]()
    refused, new = list[Finding](), list[Finding]()
    for check, finding in _wanted(checks, asked):
        if check in NEVER or not may_be_known(finding):
            refused.append(finding)
        else:
            mark = spoken(finding) if check in asked.tools else finding.fingerprint
            groups.setdefault((check, mark), []).append(finding)
    blind = {check.name for check in checks if check.outcome not in (Outcome.PASSED, Outcome.FAILED)}
    entries = {key: entry for key, entry in earlier.items() if key[0] in blind}
    for key, found in groups.items():
        old = earlier.get(key)
        count = len(found) if first or asked.added else min(len(found), old.count if old else 0)
        if old and old.severity.rank > found[0].severity.rank and not asked.added:
            count = 0  # it became worse: a new finding
        if count:
            same = old if old and old.severity.rank <= found[0].severity.rank else _fresh(key, found[0], before, asked)
            entries[key] = same.model_copy(update={"count": count})
        new += found[count:]
    gone = sum(max(0, old.count - (entries[key].count if key in entries else 0)) for key, old in earlier.items())
    made = before.made or asked.today
    known = tuple(entries[key] for key in sorted(entries))
    return Made(Baseline(asked.approver, made, asked.commit, before.due_days, known), tuple(refused), tuple(new), gone)


def _wanted(checks: Sequence[Check], asked: Asked) -> Iterator[tuple[str, Finding]]:
    """Yield the findings that a baseline is about: those that block, or all of them."""
    for check in checks:
        if check.name in asked.tools:
            # A tool that passes lets its findings pass itself, unless an earlier baseline holds them back.
            if check.outcome is Outcome.FAILED or check.known:
                yield from ((check.name, finding) for finding in check.findings)
        elif check.name in asked.blocking:
            severities = list(Severity) if asked.everything else asked.blocking[check.name]
            yield from ((check.name, finding) for finding in check.findings if finding.severity in severities)


def _fresh(key: Key, finding: Finding, before: Baseline, asked: Asked) -> Entry:
    return Entry(
        check=key[0],
        fingerprint=key[1],
        severity=finding.severity,
        first_seen=min(asked.first_seen.get(finding.fingerprint, asked.today), asked.today),
        due=before.due_days.due(finding.severity, asked.today),
        rule=finding.rule[:200],
        where=(finding.package or finding.file)[:500],
    )
