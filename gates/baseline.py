"""Findings that were there at adoption: each is tracked until its due date and blocks from then on.

A finding of a scan is known by its fingerprint, as a waiver names it. Those of a quality tool are known by file, rule
and message without numbers, with their count: no line, so that neither moved nor reformatted lines make them new ones.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gates.findings import Finding, Severity, fingerprint

FILE = "config/baseline.toml"
# Their findings never go in: a secret that is still valid is nobody's state to start from.
NEVER = ("secrets",)
_SECRET = re.compile(
    r"secret|hard-?coded|^[BS]10[5-7]$|pass(word|wd|phrase)|credential|(api|access|private|signing)[-_ ]?key"
    r"|(access|auth|oauth|api|bearer|refresh)[-_ ]?token",
    re.IGNORECASE,
)
SECRET_TOOLS = frozenset("kingfisher trufflehog gitleaks ggshield detect-secrets noseyparker whispers talisman".split())
Days = Annotated[int, Field(ge=1, le=365)]


class DueDays(BaseModel):
    """Days from the day on which the baseline is made until a finding of that severity blocks again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    critical: Days = 7
    """Days for a critical finding."""
    high: Days = 30
    """Days for a high finding."""
    medium: Days = 90
    """Days for a medium finding."""
    low: Days = 180
    """Days for a low finding."""

    def due(self, severity: Severity, made: date) -> date:
        """Return the last day on which a finding of this severity does not block."""
        return made + timedelta(days=getattr(self, severity.value))


class Entry(BaseModel):
    """A finding that was there at adoption."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = Field(min_length=1, max_length=100)
    """Name of the scan or of the quality tool."""
    fingerprint: str = Field(pattern="^[0-9a-f]{24}$")
    """What it is known by."""
    severity: Severity
    """Its severity. One that became worse is a new finding."""
    first_seen: date
    """Day on which it was seen first."""
    due: date
    """Last day (UTC) on which it does not block."""
    count: int = Field(1, ge=1)
    """How many findings of a quality tool are known by it. One more blocks."""
    rule: str = Field("", max_length=200)
    """Its rule, for a person who reads."""
    where: str = Field("", max_length=500)
    """Its file or package, for a person who reads."""


class Known(BaseModel):
    """Findings of a check that its baseline holds back: by what they are known, until when, and by whose word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str
    severity: Severity
    count: int = 1
    since: date
    due: date
    approver: str

    def __str__(self) -> str:
        return f"known since {self.since}, due {self.due}"


@dataclass(frozen=True)
class Held:
    """The findings of a check, held against the baseline on one day.

    `known` do not block yet, `overdue` block again; `fresh` are in no baseline. `gone` is how many of the baseline's
    findings are not there any more. `entries` are what `known` rests on.
    """

    known: tuple[Finding, ...] = ()
    overdue: tuple[Finding, ...] = ()
    fresh: tuple[Finding, ...] = ()
    gone: int = 0
    entries: tuple[Known, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what is to be told beside the verdict."""
        told = [f"in the baseline: {summed(self.entries)}"] if self.entries else []
        if self.gone:
            told.append(f"{number(self.gone)} of the baseline gone; take what is gone out of it: slipway baseline")
        return tuple(told)


@dataclass(frozen=True)
class Baseline:
    """What config/baseline.toml holds. `trouble` is why none of it counts, "" when it does."""

    approver: str = ""
    made: date | None = None
    commit: str = ""
    due_days: DueDays = DueDays()
    entries: tuple[Entry, ...] = ()
    trouble: str = ""

    def of(self, check: str) -> tuple[Entry, ...]:
        """Return the entries of a check; none of a baseline that does not count."""
        return () if self.trouble else tuple(entry for entry in self.entries if entry.check == check)

    def hold(self, check: str, findings: Sequence[Finding], today: date, all_: Sequence[Finding] = ()) -> Held:
        """Sort the findings of a check into known, overdue and fresh. `all_` are those that nobody need hold back as
        well: what is waived or tolerated is not gone.
        """
        entries = {entry.fingerprint: entry for entry in self.of(check)}
        used = Counter[str]()
        matched = (_entry(entries, finding) for finding in all_ or findings)
        found = Counter(entry.fingerprint for entry in matched if entry)
        known, overdue, fresh = list[Finding](), list[Finding](), list[Finding]()
        for finding in findings:
            entry = _entry(entries, finding)
            if entry is None or used[entry.fingerprint] == entry.count:
                fresh.append(finding)
                continue
            used[entry.fingerprint] += 1
            (overdue if entry.due < today else known).append(finding)
        return Held(
            tuple(known),
            tuple(overdue),
            tuple(fresh),
            gone=sum(max(0, entry.count - found[mark]) for mark, entry in entries.items()),
            entries=tuple(
                Known(
                    fingerprint=mark,
                    severity=entry.severity,
                    count=used[mark],
                    since=entry.first_seen,
                    due=entry.due,
                    approver=self.approver,
                )
                for mark, entry in entries.items()
                if used[mark] and entry.due >= today
            ),
        )

    def refused(self, reason: str) -> str:
        """Return a reason why findings block, with why the baseline does not count before it."""
        return f"{FILE} does not count: {self.trouble}; {reason}" if self.trouble else reason


NOTHING = Baseline()


def _entry(entries: Mapping[str, Entry], finding: Finding) -> Entry | None:
    if not may_be_known(finding):
        return None
    entry = entries.get(finding.fingerprint) or entries.get(spoken(finding))
    return entry if entry and entry.severity.rank <= finding.severity.rank else None


def may_be_known(finding: Finding) -> bool:
    """Return whether a finding may be in a baseline: one about a secret may not, whatever found it."""
    return finding.tool.lower() not in SECRET_TOOLS and not _SECRET.search(finding.rule)


def spoken(finding: Finding) -> str:
    """Return what a quality tool's finding is known by: tool, rule, file and message, without numbers."""
    return fingerprint("spoken", finding.tool, finding.rule, finding.file, re.sub(r"\d+", "#", finding.message))


def known_of(finding: Finding, known: Mapping[str, Known]) -> Known | None:
    """Return by what a finding is held back, of what a check says by fingerprint; None when it is not."""
    return known.get(finding.fingerprint) or known.get(spoken(finding))


def marks(known: Iterable[Known]) -> dict[str, Known]:
    """Return what is held back, by fingerprint."""
    return {one.fingerprint: one for one in known}


def summed(known: Sequence[Known]) -> str:
    """Return how many findings a baseline holds back and until when: "2 high, 14 medium, the first due 2026-12-30"."""
    counts = Counter[Severity]()
    for one in known:
        counts[one.severity] += one.count
    words = ", ".join(f"{counts[severity]} {severity}" for severity in Severity if counts[severity])
    return f"{words}, the first due {min(one.due for one in known)}" if known else "nothing"


def number(count: int) -> str:
    """Return a number of findings in words."""
    return "1 finding" if count == 1 else f"{count} findings"
