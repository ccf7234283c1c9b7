"""Which routes that ask nobody stand behind a guard: middleware, or what their router or app depends on."""

import json
import re
from dataclasses import replace
from pathlib import Path

from pydantic import RootModel

from gates.findings import Finding, Severity
from gates.scans.outcome import ScanOutcome
from gates.scans.routes import Asks, Facts, Guard, Guards, counted_guards
from host.errors import ToolError
from tasks.scans.tools import Scanner, as_report, read_json
from tasks.scans.tree import Tree

OPEN_ROUTE = "route-without-authentication"
PROGRAM = Path(__file__).parent / "inside" / "slipway_guards.py"
_ROUTE = re.compile(r"\s*@\s*([\w.]+)\.(?:post|put|patch|delete)\s*\(")
_ASKING = re.compile(
    r"\s*@\s*(?![\w.]*require_(?:http|post|get|safe))[\w.]*"
    r"(?:login|auth|token|jwt|permission|role|admin|require|protected|secured|user_passes|logged)[\w.]*",
    re.IGNORECASE,
)
MOST_LINES = 40


class _Answer(RootModel[dict[str, Facts]]):
    pass


def behind_guards(semgrep: Scanner, tree: Tree, files: list[str], outcome: ScanOutcome, directory: str) -> ScanOutcome:
    """Leave out the open routes that something in front of them guards, with a note, and call those medium of which
    that cannot be told. The app's imports begin in `directory`. Runs in the sandbox. Raises ToolError if the files
    cannot be asked.
    """
    if not any(finding.rule == OPEN_ROUTE for finding in outcome.findings):
        return outcome
    guards = Guards(_asked(semgrep, tree, files), directory)
    kept: list[Finding] = []
    found: list[Guard] = []
    for finding in outcome.findings:
        guard = _guard(finding, tree, guards) if finding.rule == OPEN_ROUTE else None
        if guard is not None and guard.asks is Asks.YES:
            found.append(guard)
        elif guard is not None and guard.asks is Asks.PERHAPS:
            kept.append(_perhaps(finding, guard))
        else:
            kept.append(finding)
    return replace(outcome, findings=tuple(kept), notes=(*outcome.notes, *counted_guards(found)))


def _asked(semgrep: Scanner, tree: Tree, files: list[str]) -> dict[str, Facts]:
    asked, answer = semgrep.scratch / "guards.asked.json", semgrep.scratch / "guards.json"
    asked.write_text(json.dumps(files), encoding="utf-8")
    code = PROGRAM.read_text(encoding="utf-8")
    done = semgrep.python().run("-I", "-S", "-W", "ignore", "-c", code, str(asked), str(answer), cwd=tree.root)
    if done.returncode:
        raise ToolError(f"looking for what guards the routes ended with exit code {done.returncode}")
    return as_report(_Answer, read_json(answer, done), "the look at what guards the routes").root


def _guard(finding: Finding, tree: Tree, guards: Guards) -> Guard:
    """Return what stands before a route, its own decorators first."""
    first = finding.line
    while first > 1 and tree.line(finding.file, first - 1).lstrip().startswith("@"):
        first -= 1
    router = ""
    for number in range(first, finding.line + MOST_LINES):
        line = tree.line(finding.file, number)
        if re.match(r"\s*(async\s+)?def\s", line):
            break
        route = _ROUTE.match(line)
        if route:
            router = router or route[1]
        elif asking := _ASKING.match(line):
            return Guard(asking[0].strip(), finding.file, number, Asks.YES)
    return guards.of(finding.file, router)


def _perhaps(finding: Finding, guard: Guard) -> Finding:
    message = (
        f"Whether anyone can call this could not be told: {guard.name[:80]} ({guard.file}:{guard.line}) stands before "
        "it and may ask who calls. Give the route a dependency that knows the caller, or put it into [scans] "
        "open_routes."
    )
    return finding.model_copy(update={"severity": Severity.MEDIUM, "message": message[:500]})
