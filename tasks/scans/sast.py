"""Scan `sast`: semgrep with our own rules (config/semgrep), each of which is tested (tests/semgrep).

The app's .semgrepignore has no say. semgrep passes over what it cannot parse, so every Python file is parsed first, by
a Python in the sandbox, and its report must cover every file that was asked for.
"""

import json
import re
import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import Field

from gates.check import Check
from gates.documents import Foreign
from gates.findings import Finding, make_finding
from gates.scans.outcome import ScanOutcome, distinguish_repeats, severity_of
from host.errors import ToolError
from host.home import CHECKOUT
from settings.pipeline import Scans
from tasks.scans import Reads, Scan, Subject
from tasks.scans.keys import our_program
from tasks.scans.routes import OPEN_ROUTE, behind_guards
from tasks.scans.tools import Scanner, as_report, read_json, scan_parts
from tasks.scans.tree import Tree, left_out

RULES = CHECKOUT / "config" / "semgrep"
TIMEOUT_S = 240.0
RULE_TIMEOUT_S = 30
PYTHON = (".py", ".pyw")
TEMPLATES = (".html", ".htm", ".jinja", ".jinja2", ".j2")
# A command line has a limit of its own (2 MB with the environment on Linux, execve(2)).
LONGEST_COMMAND = 1_000_000
DEFINED = re.compile(r"\bdef\s+(\w+)")
PARSE = """
import ast, json, sys
bad = {}
for name in json.load(open(sys.argv[1])):
    try:
        with open(name, "rb") as file:
            ast.parse(file.read(), name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        bad[name] = f"{type(error).__name__}: {error}"[:200]
json.dump(bad, open(sys.argv[2], "w"))
"""


class Position(Foreign, of="semgrep's report"):
    """Where in a file, 1-based."""

    line: int = Field(ge=0)


class Extra(Foreign, of="semgrep's report"):
    """What a rule says of a match."""

    message: str
    severity: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)


class Match(Foreign, of="semgrep's report"):
    """One match of a rule; `check_id` is the rule's id behind the names of the directories that it lies in."""

    check_id: str
    path: str
    start: Position
    end: Position
    extra: Extra


class Trouble(Foreign, of="semgrep's report"):
    """Something that semgrep could not do."""

    message: str = ""
    path: str = ""


class Paths(Foreign, of="semgrep's report"):
    """The files that semgrep looked at."""

    scanned: list[str]


class SemgrepReport(Foreign, of="semgrep's report"):
    """`semgrep scan --json`."""

    results: list[Match]
    errors: list[Trouble]
    paths: Paths


def scan_sast(subject: Subject) -> Check:
    """Run our semgrep rules over the commit's Python files and templates. Safe to repeat; reads only."""
    parts = {"the source": lambda: look(subject, Tree.at(subject.tree), subject.pipeline.scans)}
    return scan_parts("sast", "semgrep", parts)


def look(subject: Subject, tree: Tree, settings: Scans) -> ScanOutcome:
    """Parse, run semgrep and read what it says."""
    sources = tree.sources((*PYTHON, *TEMPLATES), settings.code_excludes)
    files = list(sources.files)
    if not files:
        raise ToolError("the commit has no Python file or template outside its tests")
    python = [file for file in files if file.lower().endswith(PYTHON)]
    problems = list(sources.problems)
    semgrep = Scanner.of(subject, "sast", "semgrep", TIMEOUT_S)
    # Before anything runs that could lay links.
    rules = shutil.copytree(RULES, semgrep.scratch / "rules", dirs_exist_ok=True)
    problems += unparsable(semgrep, tree, python)
    report = semgrep.scratch / "semgrep.json"
    done = semgrep.run(*arguments(report, rules, files), cwd=tree.root)
    if done.returncode not in (0, 1):
        problems.append(f"semgrep ended with exit code {done.returncode}")
    outcome = read_semgrep(read_json(report, done), files, tree, settings.open_routes)
    outcome = behind_guards(semgrep, tree, python, outcome, subject.pipeline.app.directory)
    examined = (
        f"{len(files)} files by {len(list(RULES.glob('*.yaml')))} rule sets",
        f"{sources.left_out} test files left out",
    )
    return ScanOutcome(problems=tuple(problems), examined=examined) + outcome


def arguments(report: Path, rules: Path, files: list[str]) -> list[str]:
    """Return semgrep's arguments for these files. Raises ToolError if there are too many for one command."""
    options = ["scan", "--metrics=off", "--disable-version-check", "--error", "--json", "--quiet", "-j1"]
    options += ["--config", str(rules), "--output", str(report), "--timeout", str(RULE_TIMEOUT_S)]
    # What is scanned is ours to say: neither the app's .gitignore nor its .semgrepignore.
    options += ["--no-git-ignore", "--x-ignore-semgrepignore-files", "--max-target-bytes", "0"]
    # "./": a file may be named like an option.
    named = [f"./{file}" for file in files]
    if sum(len(name.encode()) + 1 for name in named) > LONGEST_COMMAND:
        raise ToolError(f"{len(files)} files are too many for one scan")
    return [*options, *named]


def unparsable(semgrep: Scanner, tree: Tree, files: list[str]) -> list[str]:
    """Return why each file that is not Python cannot be parsed; parsed in the sandbox, as a file can crash a parser."""
    asked, answer = semgrep.scratch / "asked.json", semgrep.scratch / "unparsable.json"
    asked.write_text(json.dumps(files), encoding="utf-8")
    done = semgrep.python().run("-I", "-S", "-W", "ignore", "-c", PARSE, str(asked), str(answer), cwd=tree.root)
    if done.returncode:
        raise ToolError(f"parsing the Python files ended with exit code {done.returncode}")
    bad = read_json(answer, done)
    if not isinstance(bad, dict):
        raise ToolError("parsing the Python files gave no answer that can be read")
    return [f"{file}: {reason}" for file, reason in bad.items()]


def read_semgrep(raw: Any, files: list[str], tree: Tree, open_routes: tuple[str, ...] = ()) -> ScanOutcome:
    """Return what a report about `files` says. Raises ToolError if it is not semgrep's."""
    report = as_report(SemgrepReport, raw, "semgrep")
    problems = [
        f"{_path(error.path) or 'semgrep'}: {error.message.splitlines()[0][:200]}"
        for error in report.errors
        if error.message
    ]
    problems += ["semgrep reports an error without a message"] * any(not error.message for error in report.errors)
    scanned = {_path(name) for name in report.paths.scanned}
    missing = [file for file in files if file not in scanned]
    if missing:
        problems.append(f"semgrep left out {len(missing)} of {len(files)} files: {', '.join(missing[:3])}")
    routes = [(match, _route(match, tree)) for match in report.results]
    allowed = [route for _, route in routes if route and any(fnmatchcase(route, glob) for glob in open_routes)]
    findings = (_finding(match, tree) for match, route in routes if route not in allowed)
    notes = [f"open by [scans] open_routes: {route}" for route in allowed]
    return ScanOutcome(distinguish_repeats(findings), tuple(problems), notes=tuple(notes))


def _route(match: Match, tree: Tree) -> str:
    """Return file::function of a route that was found open; "" for every other match."""
    if not match.check_id.endswith(OPEN_ROUTE):
        return ""
    file = _path(match.path)
    for number in range(match.start.line, min(match.end.line, match.start.line + 40) + 1):
        if defined := DEFINED.search(tree.line(file, number)):
            return f"{file}::{defined[1]}"
    return ""


def _finding(match: Match, tree: Tree) -> Finding:
    file, rule = _path(match.path), match.check_id.rsplit(".", 1)[-1]
    line = tree.line(file, match.start.line)
    severity = severity_of(str(match.extra.metadata.get("slipway-severity")))
    message = " ".join(match.extra.message.split())
    return make_finding("semgrep", rule, severity, message, file, line=match.start.line, key=(rule, file, line))


def _path(name: str) -> str:
    return str(Path(name)) if name else ""


def _reads(subject: Subject) -> Reads:
    settings = subject.pipeline.scans
    files = [file for file in subject.workspace.source.files if file.lower().endswith((*PYTHON, *TEMPLATES))]
    out = left_out(files, settings.code_excludes)
    # How many were left out is told with the result.
    directory = subject.pipeline.app.directory
    parts = (settings.code_excludes, settings.open_routes, len(out), our_program("semgrep"), directory)
    return Reads([file for file in files if file not in out], parts)


SCAN = Scan("sast", scan_sast, _reads)
