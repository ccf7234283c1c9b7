"""What a security scan saw, put together into its check. Whether that blocks is decided in gates/scans/security.py."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from gates.check import Check, Measure, Outcome
from gates.documents import first_fault
from gates.findings import Finding, Severity, fingerprint
from gates.strict_json import JsonError, parse

Model = TypeVar("Model", bound=BaseModel)
SHOWN = 5
# A check travels in evidence and pages: beyond this, the first ones and the number of all say enough.
MOST_FINDINGS = 500
MOST_NOTES = 100


class ReportError(ValueError):
    """A tool's report is not what that tool writes, or covers less than it was asked. Holds nothing of the report."""


def read_report(model: type[Model], text: str | bytes, tool: str) -> Model:
    """Parse a tool's JSON. Raises ReportError, which names the place that is wrong, never its content: that could be a
    secret.
    """
    if not text.strip():
        raise ReportError(f"{tool} left an empty report")
    try:
        report = model.model_validate_json(text)
        parse(text)
        return report
    except JsonError as error:
        raise ReportError(f"{tool} left no report that can be trusted: {error}") from None
    except ValidationError as error:
        raise ReportError(f"{tool} left no report that can be trusted: {first_fault(error)}") from None


@dataclass(frozen=True)
class ScanOutcome:
    """What a scan saw: its findings, what it looked at, and `problems`, each a reason why that is not everything.

    `away` are the reasons that no commit can cause: a source outside cannot be reached, or knows nothing.
    """

    findings: tuple[Finding, ...] = ()
    problems: tuple[str, ...] = ()
    examined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    away: tuple[str, ...] = ()

    def __add__(self, other: "ScanOutcome") -> "ScanOutcome":
        return ScanOutcome(
            self.findings + other.findings,
            self.problems + other.problems,
            self.examined + other.examined,
            self.notes + other.notes,
            self.measures + other.measures,
            self.away + other.away,
        )


def merge_parts(parts: Iterable[ScanOutcome]) -> ScanOutcome:
    """Return what several parts of a scan saw, in their order."""
    return sum(parts, ScanOutcome())


def severity_of(word: str) -> Severity:
    """Return the severity of that name; HIGH when there is none, for what a tool does not grade counts as high."""
    return Severity(word) if word in list(Severity) else Severity.HIGH


def distinguish_repeats(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Give findings of the same fingerprint each its own: a waiver must not cover the same line written again."""
    repeats: Counter[str] = Counter()
    distinct = []
    for finding in sorted(findings, key=lambda finding: (finding.file, finding.line)):
        repeat = repeats[finding.fingerprint]
        repeats[finding.fingerprint] += 1
        changed = {"fingerprint": fingerprint(finding.fingerprint, str(repeat))} if repeat else {}
        distinct.append(finding.model_copy(update=changed))
    return tuple(distinct)


def conclude(name: str, tool: str, outcome: ScanOutcome, seconds: float = 0) -> Check:
    """Return the scan's check: PASSED when it could look at everything, whatever it found; else NO_VERDICT with every
    reason. One fingerprint is one finding, and the worst MOST_FINDINGS are kept.
    """
    unique = {finding.fingerprint: finding for finding in outcome.findings}
    findings = sorted(
        unique.values(), key=lambda finding: (finding.severity.rank, finding.file, finding.line, finding.rule)
    )
    notes = list(dict.fromkeys(outcome.notes))
    if len(findings) > MOST_FINDINGS:
        notes.insert(0, f"{len(findings)} findings, of which the worst {MOST_FINDINGS} are kept")
    problems = list(dict.fromkeys((*outcome.problems, *outcome.away)))
    return Check(
        name=name,
        outcome=Outcome.NO_VERDICT if problems else Outcome.PASSED,
        source_away=bool(outcome.away) and not outcome.problems,
        reason=_problems(problems, findings) if problems else counted(findings),
        examined=", ".join(filter(None, outcome.examined)),
        tool=tool,
        seconds=round(seconds, 2),
        measures=outcome.measures,
        findings=tuple(findings[:MOST_FINDINGS]),
        notes=tuple(notes[:MOST_NOTES]),
    )


def _problems(problems: Sequence[str], findings: Sequence[Finding]) -> str:
    more = f" (and {len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
    so_far = f"; found so far: {counted(findings)}" if findings else ""
    return "; ".join(problems[:SHOWN])[:2000] + more + so_far


def counted(findings: Sequence[Finding]) -> str:
    """Return how much was found, for a person: "1 high, 2 medium"."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(f"{counts[severity]} {severity}" for severity in Severity if counts[severity]) or "nothing found"
