"""What a tool's or a suite's result comes to. An exit code alone is never a verdict."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from gates.baseline import Baseline, number
from gates.check import Check, Outcome
from gates.checks.reports import KIND, Found, Reader, Reads, Report, ToolRun, last_words
from gates.checks.reports_frontend import read_eslint, read_tsc
from gates.checks.reports_generic import read_lines
from gates.checks.reports_linters import read_codespell, read_pylint, read_ruff, read_ruff_format, read_vulture
from gates.checks.reports_python import read_black, read_flake8, read_isort, read_mypy
from gates.checks.reports_sarif import read_sarif
from gates.checks.reports_types import read_pyright, read_ty
from gates.checks.reports_vitest import read_vitest
from gates.findings import Finding

READERS: Mapping[Reads, Reader] = {
    Reads.BLACK: read_black,
    Reads.ISORT: read_isort,
    Reads.FLAKE8: read_flake8,
    Reads.MYPY: read_mypy,
    Reads.ESLINT: read_eslint,
    Reads.TSC: read_tsc,
    Reads.VITEST: read_vitest,
    Reads.RUFF: read_ruff,
    Reads.RUFF_FORMAT: read_ruff_format,
    Reads.PYLINT: read_pylint,
    Reads.PYRIGHT: read_pyright,
    Reads.BASEDPYRIGHT: read_pyright,
    Reads.TY: read_ty,
    Reads.CODESPELL: read_codespell,
    Reads.VULTURE: read_vulture,
    Reads.SARIF: read_sarif,
    Reads.LINES: read_lines,
}
# The exit codes that mean "I looked", clean or not. After any other the tool could not look.
LOOKED: Mapping[Reads, Container[int]] = {
    Reads.TSC: (0, 1, 2),
    Reads.PYLINT: range(32),  # a bit for each kind of message; 32: it was called wrongly
    Reads.CODESPELL: (0, 1, 65),
    Reads.VULTURE: (0, 1, 3),
    Reads.LINES: (0, 1, 65),
}
SIGNALLED = 128  # an exit code from here on: the tool was killed, by signal `code - 128`
MOST_FINDINGS = 2_000
LEAST_SHARE = 0.5  # of the files of its kind that a tool must have looked at
NAMED = 5
EXAMINED = re.compile(r"(?:(\d+) tests in )?(\d+) files?(?: given)?, (\d+) lines?")


@dataclass(frozen=True)
class Judged:
    """A check without its findings' fingerprints yet, which need the source: `found` are all, worst first, and
    `tolerated` those of them that the tool's own settings let pass.

    `crashed`: the tool did not come to an end of its own, or left a report that cannot be read; trying again may help.
    """

    check: Check
    found: tuple[Found, ...] = ()
    tolerated: frozenset[Found] = frozenset()
    crashed: bool = False


def judge_tool(reads: Reads, run: ToolRun) -> Judged:
    """Judge a tool by its report. A crash, a time-out, a file that it could not look at, a report that is absent,
    garbage, or at odds with the exit code, and too little looked at are `no verdict`, never a pass.
    What passed a limit of its own has failed.
    """
    if run.exceeded:
        failed = Check(name=run.name, outcome=Outcome.FAILED, reason=f"{run.exceeded} and was stopped", tool=run.tool)
        return Judged(failed.model_copy(update={"seconds": run.seconds, "notes": run.notes}))
    crash = _crash(run)
    report = Report(unread=crash) if crash else READERS[reads](run)
    outcome, reason = _outcome(reads, run, report)
    found = sorted((*report.found, *report.tolerated), key=lambda one: (one.severity.rank, one.file, one.line))
    check = Check(
        name=run.name,
        outcome=outcome,
        reason=reason,
        examined="" if report.unread else _examined(reads, run, report),
        tool=run.tool,
        seconds=run.seconds,
        notes=tuple(_notes(reads, run, report)),
    )
    return Judged(check, tuple(found), frozenset(report.tolerated), crashed=bool(report.unread) and not run.problem)


def with_findings(check: Check, findings: tuple[Finding, ...]) -> Check:
    """Return the check with its findings, at most MOST_FINDINGS of them; a note says how many more there are."""
    more = len(findings) - MOST_FINDINGS
    notes = (*check.notes, f"{more} more findings are not listed") if more > 0 else check.notes
    return check.model_copy(update={"findings": findings[:MOST_FINDINGS], "notes": notes})


def held_back(
    check: Check, findings: Sequence[Finding], failing: Sequence[Finding], baseline: Baseline, today: date
) -> Check:
    """Return the check with what the baseline says of the findings that fail it: it passes when all of them are known
    and none is overdue. What fails for another reason, or could not look, stays as it is.
    """
    if check.outcome not in (Outcome.PASSED, Outcome.FAILED) or (check.outcome is Outcome.FAILED and not failing):
        return check
    held = baseline.hold(check.name, failing, today, findings)
    outcome, reason = check.outcome, check.reason
    if held.fresh or held.overdue:
        told = ((held.overdue, "overdue by the baseline"), (held.fresh, "not in the baseline"))
        parts = [f"{number(len(found))} {why}: {_where(found[0])}" for found, why in told if found]
        known = baseline.of(check.name)
        reason = baseline.refused("; ".join(parts) if known else reason)
    elif held.known:
        first = min(one.due for one in held.entries)
        outcome, reason = Outcome.PASSED, f"nothing new: {len(held.known)} in the baseline, the first due {first}"
    update = {"outcome": outcome, "reason": reason, "notes": (*check.notes, *held.notes), "known": held.entries}
    return check.model_copy(update=update)


def _where(first: Finding) -> str:
    where = f"{first.file}:{first.line}" if first.line else first.file
    return f"the first: {where} {first.rule} {first.message}"[:300]


def lines_examined(check: Check) -> int | None:
    """Return how many lines a tool looked at, read from what its check says; None when it does not say."""
    match = EXAMINED.fullmatch(check.examined)
    return int(match[3]) if match else None


def _crash(run: ToolRun) -> str:
    if run.timed_out:
        return f"did not end within {run.timeout_s:g} s and was stopped"
    if run.returncode < 0 or run.returncode >= SIGNALLED:
        number = -run.returncode if run.returncode < 0 else run.returncode - SIGNALLED
        return f"was killed by signal {number}: {last_words(run)}"
    return ""


def _outcome(reads: Reads, run: ToolRun, report: Report) -> tuple[Outcome, str]:
    if run.problem or report.unread:
        return Outcome.NO_VERDICT, run.problem or report.unread
    if report.blind:
        return Outcome.NO_VERDICT, f"could not look at everything: {report.blind}"
    if run.returncode not in LOOKED.get(reads, (0, 1)):
        return Outcome.NO_VERDICT, f"exit code {run.returncode}: {last_words(run)}"
    if report.found:
        return Outcome.FAILED, _in_short(report.found)
    if run.returncode:
        return Outcome.NO_VERDICT, f"exit code {run.returncode} although its report is clean: {last_words(run)}"
    if too_little := _too_little(reads, run, report):
        return Outcome.NO_VERDICT, too_little
    tolerated = len(report.tolerated)
    return Outcome.PASSED, f"clean, but for {_number(tolerated, 'warning')}" if tolerated else "clean"


def _too_little(reads: Reads, run: ToolRun, report: Report) -> str:
    """Return why what it looked at is too little for a pass, "" when it is enough."""
    looked_at, kind = _count(reads, run, report), set(_kind(reads, run))
    if not looked_at:
        none = "looked at no file that the commit tracks" if report.files else "looked at no file"
        return f"{none}: {report.none}" if report.none and not report.files else none
    seen = run.tracked.keys() & report.files if report.files is not None else kind
    # Some look at files of other kinds too (eslint at .vue): these are then among those that it should look at.
    if looked_at >= LEAST_SHARE * len(kind | seen):
        return ""
    only = looked_at if report.files is None else len(kind & seen)
    told = f"looked at only {only} of the {len(kind)} files that the commit tracks for it"
    return f"{told}; name in `inputs` what it should look at"


def _in_short(found: tuple[Found, ...]) -> str:
    first = found[0]
    where = f"{first.file}:{first.line}" if first.line else first.file
    return f"{_number(len(found), 'finding')}, the first: {where} {first.rule} {first.message}"[:300]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _kind(reads: Reads, run: ToolRun) -> list[str]:
    return [file for file in run.tracked if KIND[reads].search(file)]


def _count(reads: Reads, run: ToolRun, report: Report) -> int:
    """Return how many of the commit's files it looked at; a tool that does not tell is taken to have looked at what it
    was given.
    """
    if report.files is not None:
        return len(report.files & run.tracked.keys())
    return len(_kind(reads, run)) if report.count is None else report.count


def _examined(reads: Reads, run: ToolRun, report: Report) -> str:
    count, kind = _count(reads, run, report), _kind(reads, run)
    if report.files is not None:
        lines = sum(run.tracked.get(file, 0) for file in report.files)
    else:
        # Only their number is known: the lines of that share.
        lines = round(sum(run.tracked[file] for file in kind) * min(1.0, count / len(kind))) if kind else 0
    told = report.files is not None or report.count is not None
    tests = f"{report.tests} tests in " if report.tests is not None else ""
    return f"{tests}{_number(count, 'file')}{'' if told else ' given'}, {_number(lines, 'line')}"


def _notes(reads: Reads, run: ToolRun, report: Report) -> list[str]:
    notes = [*run.notes, *report.notes]
    if report.unread:
        return notes
    kind = _kind(reads, run)
    if report.files is not None:
        left = sorted(set(kind) - report.files)
        if left:
            named = ", ".join(left[:NAMED]) + (", ..." if len(left) > NAMED else "")
            notes.append(f"did not look at {len(left)} of the {len(kind)} files that the commit tracks for it: {named}")
    elif report.count is None:
        notes.append("the tool does not say which files it looked at")
    elif report.count < len(kind):
        left_out = len(kind) - report.count
        notes.append(f"did not look at {left_out} of the {len(kind)} files that the commit tracks for it")
    return notes
