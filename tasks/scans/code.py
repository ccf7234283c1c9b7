"""Scan `code`: bandit over the app's Python, with our settings; the app's own cannot switch anything off.

What bandit cannot parse it skips and still exits 0, so its report must be free of errors and cover every file.
"""

import os
from typing import Any

from pydantic import Field

from gates.check import Bound, Check, Measure
from gates.documents import Foreign
from gates.findings import Finding, make_finding
from gates.scans.outcome import ScanOutcome, distinguish_repeats, severity_of
from gates.scans.suppressions import in_words
from host.errors import ToolError
from settings.pipeline import Scans
from tasks.scans import Reads, Scan, Subject
from tasks.scans.keys import our_program
from tasks.scans.tools import Scanner, as_report, read_json, scan_parts
from tasks.scans.tree import Tree

TIMEOUT_S = 180.0
# A command line has a limit of its own (2 MB with the environment on Linux, execve(2)).
FILES_AT_ONCE = 2_000
# hardcoded_password_string, _funcarg, _default.
QUOTES_A_PASSWORD = ("B105", "B106", "B107")


class Unparsed(Foreign, of="bandit's report"):
    """A file that bandit did not look at, and why."""

    filename: str
    reason: str


class Issue(Foreign, of="bandit's report"):
    """One thing that bandit found."""

    filename: str
    line_number: int = Field(ge=0)
    test_id: str
    test_name: str
    issue_severity: str
    issue_text: str


class BanditReport(Foreign, of="bandit's report"):
    """`bandit -f json`: `metrics` has an entry for each file with its lines of code (`loc`), and `_totals`."""

    errors: list[Unparsed]
    metrics: dict[str, dict[str, float]]
    results: list[Issue]


def scan_code(subject: Subject) -> Check:
    """Run bandit over the commit's Python files. Safe to repeat; reads only."""
    tree, settings = Tree.at(subject.tree), subject.pipeline.scans
    parts = {"comments": lambda: silenced(tree, settings), "the Python files": lambda: look(subject, tree, settings)}
    return scan_parts("code", "bandit", parts)


def silenced(tree: Tree, settings: Scans) -> ScanOutcome:
    """Return how many comments silence a tool, against the limit, and which of the app's own settings were left out."""
    counts, skipped = tree.suppressions()
    notes = [in_words(counts)]
    if skipped:
        notes.append(f"not looked through for such comments, too large: {', '.join(skipped[:5])}")
    own = [file for file in tree.files if os.path.basename(file) in (".bandit", ".semgrepignore")]
    if own:
        notes.append(f"the app's own scanner settings were not used: {', '.join(own[:10])}")
    limit = Measure(
        name="comments that silence a tool",
        value=sum(counts.values()),
        bound=Bound.AT_MOST,
        limit=settings.max_suppressions,
    )
    return ScanOutcome(notes=tuple(notes), measures=(limit,))


def look(subject: Subject, tree: Tree, settings: Scans) -> ScanOutcome:
    """Run bandit and read what it says."""
    sources = tree.sources((".py", ".pyw"), settings.code_excludes)
    files = list(sources.files)
    if not files:
        raise ToolError("the commit has no Python file outside its tests")
    bandit = Scanner.of(subject, "code", "bandit", TIMEOUT_S)
    (bandit.scratch / "bandit.ini").write_text("[bandit]\n", encoding="utf-8")
    examined = (f"{len(files)} Python files", f"{sources.left_out} test files left out")
    outcome, lines = ScanOutcome(problems=sources.problems, examined=examined), 0
    for start in range(0, len(files), FILES_AT_ONCE):
        batch, batch_lines = _batch(bandit, tree, files[start : start + FILES_AT_ONCE], start)
        outcome, lines = outcome + batch, lines + batch_lines
    return outcome + ScanOutcome(examined=(f"{lines} lines",))


def _batch(bandit: Scanner, tree: Tree, files: list[str], number: int) -> tuple[ScanOutcome, int]:
    report = bandit.scratch / f"bandit-{number}.json"
    options = ("-f", "json", "-o", str(report), "-q", "--ini", str(bandit.scratch / "bandit.ini"), "-x", "")
    # "./": a file may be named like an option.
    done = bandit.run(*options, "--", *(f"./{file}" for file in files), cwd=tree.root)
    if done.returncode not in (0, 1):
        raise ToolError(f"bandit ended with exit code {done.returncode}")
    return read_bandit(read_json(report, done), files, tree)


def read_bandit(raw: Any, files: list[str], tree: Tree) -> tuple[ScanOutcome, int]:
    """Return what a report about `files` says, and the lines of code that it covers. Raises ToolError if it is not
    bandit's.
    """
    report = as_report(BanditReport, raw, "bandit")
    problems = [f"{_path(error.filename)}: {error.reason}" for error in report.errors]
    looked_at = {_path(name) for name in report.metrics}
    missing = [file for file in files if file not in looked_at]
    if missing:
        problems.append(f"bandit left out {len(missing)} of {len(files)} files: {', '.join(missing[:3])}")
    lines = int(report.metrics.get("_totals", {}).get("loc", 0))
    if lines <= 0:
        problems.append("bandit looked at no line of code")
    return ScanOutcome(distinguish_repeats(_finding(issue, tree) for issue in report.results), tuple(problems)), lines


def _finding(issue: Issue, tree: Tree) -> Finding:
    file = _path(issue.filename)
    line = tree.line(file, issue.line_number)
    # Bandit quotes a hard-coded password, and nothing else after the colon.
    text = issue.issue_text.partition(":")[0] if issue.test_id in QUOTES_A_PASSWORD else issue.issue_text
    severity, message = severity_of(issue.issue_severity.lower()), f"{issue.test_name}: {text}"
    key = (issue.test_id, file, line)
    return make_finding("bandit", issue.test_id, severity, message, file, line=issue.line_number, key=key)


def _path(name: str) -> str:
    return os.path.normpath(name)


def _reads(subject: Subject) -> Reads:
    """Every file: the comments that silence a tool are counted in all of them."""
    settings = subject.pipeline.scans
    parts = (settings.code_excludes, settings.max_suppressions, our_program("bandit"))
    return Reads(list(subject.workspace.source.files), parts)


SCAN = Scan("code", scan_code, _reads)
