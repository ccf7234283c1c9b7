"""The reports are as the manuals of pyright and ty have them."""

import json
from typing import Any

import pytest

from gates.check import Outcome
from gates.checks.quality import judge_tool
from gates.checks.reports import Reads, ToolRun
from gates.findings import Severity

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT


def run(code: int, out: Any = "", err: str = "") -> ToolRun:
    text = out if isinstance(out, str) else json.dumps(out)
    return ToolRun("types", code, text, err, tracked={"src/a.py": 10, "src/b.pyi": 20})


def diagnostic(severity: str = "error", **more: Any) -> dict[str, Any]:
    at = {"line": 7, "character": 6}
    return {
        "file": "/source/src/a.py",
        "severity": severity,
        "message": 'Import "x" could not be resolved\n  or so',
        "range": {"start": at, "end": at},
        "rule": "reportMissingImports",
        **more,
    }


def pyright(*diagnostics: dict[str, Any], files: Any = 2, **more: Any) -> dict[str, Any]:
    count = {kind: sum(one["severity"] == kind for one in diagnostics) for kind in ("error", "warning", "information")}
    figures = {f"{kind}Count": number for kind, number in count.items()}
    summary = {"filesAnalyzed": files, **figures, "timeInSec": 0.4, **more}
    told = {"version": "1.1.414", "time": "1790187993411", "generalDiagnostics": list(diagnostics)}
    return {**told, "summary": summary}


@pytest.mark.parametrize("reads", [Reads.PYRIGHT, Reads.BASEDPYRIGHT])
@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (run(0, pyright()), PASSED, "clean"),
        (run(1, pyright(diagnostic())), FAILED, "1 finding, the first: src/a.py:8 reportMissingImports Import"),
        (run(0, pyright(diagnostic())), FAILED, "1 finding"),
        (run(0, pyright(diagnostic("warning"), diagnostic("information"))), PASSED, "clean, but for 1 warning"),
        (run(1, pyright(diagnostic("warning"))), FAILED, "1 finding"),  # --warnings
        (run(1, pyright({"severity": "error", "file": "", "message": "no place"})), FAILED, "pyright no place"),
        (run(0, pyright(files=0)), BLIND, "looked at no file"),
        (run(1, pyright(diagnostic("information"))), BLIND, "exit code 1 although its report is clean"),
        (run(1, "No source files found.\n"), BLIND, "pyright printed no report of its own"),
        (run(3, pyright()), BLIND, "exit code 3"),
        (run(4, "", "Unknown option: --nope\n"), BLIND, "Unknown option: --nope"),
        (run(0, pyright(errorCount=2)), BLIND, "counts 2 errors, and its report holds 0"),
        (run(1, pyright(diagnostic(), errorCount=0)), BLIND, "counts 0 errors, and its report holds 1"),
        (run(0, pyright(diagnostic("warning"), warningCount=0)), BLIND, "counts 0 warnings, and its report holds 1"),
        (run(0, pyright(diagnostic("information"), informationCount=0)), BLIND, "counts 0 informations, and its rep"),
        (run(0, pyright(diagnostic("warning"), warningCount=None)), PASSED, "clean, but for 1 warning"),
        (run(0, pyright(files=-1)), BLIND, "summary.filesAnalyzed"),
        (run(0, pyright(files="2")), BLIND, "summary.filesAnalyzed: Input should be a valid integer"),
        (run(1, pyright(diagnostic("deadly"))), BLIND, "generalDiagnostics.0.severity: Input should be"),
        (run(0, {**pyright(), "typeCompleteness": {}}), BLIND, "typeCompleteness: a key that Slipway does not know"),
        (run(0, {**pyright(), "summary": None}), BLIND, "summary: Field required"),
        (run(1, pyright(diagnostic(range={"start": {"line": 10**400}}))), BLIND, "generalDiagnostics.0.range.start"),
    ],
)
def test_pyright_is_judged(reads: Reads, given: ToolRun, outcome: Outcome, said: str) -> None:
    check = judge_tool(reads, given).check
    assert check.outcome is outcome and said in check.reason, check.reason


@pytest.mark.parametrize(
    ("given", "notes"),
    [
        (pyright(diagnostic("warning")), ()),
        (pyright(warningCount=5), ("pyright counts 5 warnings and lists 0: its command leaves the others out",)),
        (
            pyright(diagnostic("warning"), warningCount=3, informationCount=1),
            (
                "pyright counts 3 warnings and lists 1: its command leaves the others out",
                "pyright counts 1 informations and lists 0: its command leaves the others out",
            ),
        ),
    ],
)
def test_what_the_level_of_pyrights_command_leaves_out_is_told(given: Any, notes: tuple[str, ...]) -> None:
    check = judge_tool(Reads.PYRIGHT, run(0, given)).check
    assert (check.outcome, check.notes) == (PASSED, notes)


INDEXED = "INFO Python version: Python 3.11, platform: linux\nINFO Indexed 2 file(s) in 0.002s\n"


def told(severity: str = "major", rule: str = "unresolved-import", **more: Any) -> dict[str, Any]:
    at = {"line": 3, "column": 13}
    return {
        "check_name": rule,
        "description": f"{rule}: Cannot resolve imported module `x`",
        "severity": severity,
        "fingerprint": "979dad1e810c03b2",
        "location": {"path": "src/a.py", "positions": {"begin": at, "end": at}},
        **more,
    }


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (run(0, [], INDEXED), PASSED, "clean"),
        (run(1, [told()], INDEXED), FAILED, "1 finding, the first: src/a.py:3 unresolved-import unresolved-import"),
        (run(1, [told("critical")], INDEXED), FAILED, "1 finding"),
        (run(0, [told()], INDEXED), FAILED, "1 finding"),  # --exit-zero
        (run(0, [told("minor"), told("info")], INDEXED), PASSED, "clean, but for 2 warnings"),
        (run(1, [told("minor")], INDEXED), FAILED, "1 finding"),  # error-on-warning
        (run(1, [told(location={"path": "src/a.py"})], INDEXED), FAILED, "src/a.py unresolved-import"),
        (run(1, [told(rule="io")], INDEXED), BLIND, "could not look at everything: src/a.py"),
        (run(1, [told("blocker")], INDEXED), BLIND, "could not look at everything"),
        (run(0, [], "WARN No python files found under the given path(s)\n"), BLIND, "ty does not say how many files"),
        (run(0, [], "INFO Indexed 0 file(s) in 0.001s\n"), BLIND, "looked at no file"),
        (run(0, "All checks passed!\n", INDEXED), BLIND, "ty printed no report of its own"),
        (run(2, "", "ty failed\n  Cause: no such rule\n"), BLIND, "Cause: no such rule"),
        (run(101, "", "thread panicked\n"), BLIND, "thread panicked"),
        (run(1, [], INDEXED), BLIND, "exit code 1 although its report is clean"),
        (run(1, [told("deadly")], INDEXED), BLIND, "0.severity: Input should be"),
        (run(1, [told(hidden=True)], INDEXED), BLIND, "0.hidden: a key that Slipway does not know"),
    ],
)
def test_ty_is_judged(given: ToolRun, outcome: Outcome, said: str) -> None:
    check = judge_tool(Reads.TY, given).check
    assert check.outcome is outcome and said in check.reason, check.reason


def test_errors_are_told_before_warnings() -> None:
    judged = judge_tool(Reads.TY, run(1, [told("minor"), told()], INDEXED))
    assert [one.severity for one in judged.found] == [Severity.MEDIUM, Severity.LOW]
    judged = judge_tool(Reads.PYRIGHT, run(1, pyright(diagnostic("warning"), diagnostic())))
    assert [one.severity for one in judged.found] == [Severity.MEDIUM, Severity.LOW]
