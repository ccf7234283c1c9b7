"""Whatever a tool's report holds: no error but our own, and no pass from a report that tells a failure."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.check import Outcome
from gates.checks.quality import judge_tool
from gates.checks.reports import Reads, ToolRun
from tests.mutants import VALUES, changed, mutants, part_at, places

TRACKED = {"src/a.py": 10, "src/b.py": 20, "src/a.test.ts": 5, "src/a.ts": 5}
PLACE = {"physicalLocation": {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 3}}}
SARIF = {
    "$schema": "x",
    "version": "2.1.0",
    "runs": [
        {
            "tool": {"driver": {"name": "t", "rules": [{"id": "X1", "defaultConfiguration": {"level": "error"}}]}},
            "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [{"message": {"text": "m"}}]}],
            "results": [
                {"ruleId": "X1", "ruleIndex": 0, "level": "error", "message": {"text": "bad"}, "locations": [PLACE]}
            ],
        }
    ],
}
ESLINT = [
    {
        "filePath": "/source/src/a.ts",
        "messages": [{"ruleId": "no-var", "severity": 2, "message": "Unexpected var.", "line": 2, "column": 3}],
        "errorCount": 1,
    }
]
TEST = {"fullName": "adds", "status": "failed", "failureMessages": ["Error: no\n at /source/src/a.test.ts:9:1"]}
TEST_FILE = {"name": "/source/src/a.test.ts", "status": "failed", "message": "", "assertionResults": [TEST]}
VITEST = {"success": False, "numTotalTests": 1, "numFailedTests": 1, "testResults": [TEST_FILE]}
RUFF = [
    {
        "cell": None,
        "code": "F401",
        "filename": "/source/src/a.py",
        "fix": None,
        "location": {"column": 8, "row": 1},
        "message": "`os` imported but unused",
        "noqa_row": 1,
    }
]
LINT = {
    "type": "error",
    "symbol": "no-member",
    "message": "no",
    "messageId": "E1101",
    "line": 1,
    "column": 0,
    "path": "src/a.py",
}
PYLINT = {
    "messages": [LINT],
    "statistics": {"messageTypeCount": {"fatal": 0, "error": 1}, "modulesLinted": 4, "score": 1.0},
}
AT = {"start": {"line": 7, "character": 6}, "end": {"line": 7, "character": 9}}
PYRIGHT = {
    "version": "1.1.414",
    "time": "1",
    "generalDiagnostics": [
        {"file": "/source/src/a.py", "severity": "error", "message": "no", "range": AT, "rule": "reportX"}
    ],
    "summary": {"filesAnalyzed": 2, "errorCount": 1, "warningCount": 0, "informationCount": 0, "timeInSec": 0.4},
}
TY = [
    {
        "check_name": "unresolved-import",
        "description": "no",
        "severity": "major",
        "fingerprint": "f",
        "location": {"path": "src/a.py", "positions": {"begin": {"line": 3, "column": 1}}},
    }
]
LOOKED = "".join(f"[x][DEBUG] Checking: /source/{file}\n" for file in TRACKED) + "INFO Indexed 4 file(s) in 0.1s\n"
# By how each is read: what its report is, and whether that is a file.
JSON_REPORTS: dict[Reads, tuple[Any, bool]] = {
    Reads.SARIF: (SARIF, False),
    Reads.ESLINT: (ESLINT, True),
    Reads.VITEST: (VITEST, True),
    Reads.RUFF: (RUFF, False),
    Reads.PYLINT: (PYLINT, True),
    Reads.PYRIGHT: (PYRIGHT, False),
    Reads.TY: (TY, False),
}


def run_of(reads: Reads, text: str, code: int) -> ToolRun:
    as_file = JSON_REPORTS[reads][1]
    printed = "Linting 2 modules.\n" if as_file else text
    return ToolRun("x", code, printed, LOOKED, text if as_file else None, tracked=TRACKED)


@pytest.mark.parametrize("reads", list(JSON_REPORTS))
def test_the_samples_themselves_fail(reads: Reads) -> None:
    for code in (0, 1):
        assert (
            judge_tool(reads, run_of(reads, json.dumps(JSON_REPORTS[reads][0]), code)).check.outcome is Outcome.FAILED
        )


@pytest.mark.fuzz
@pytest.mark.parametrize("reads", list(JSON_REPORTS))
@given(data=st.data())
def test_no_mutant_of_a_report_is_an_error_and_none_passes_where_the_tool_fails(
    reads: Reads, data: st.DataObject
) -> None:
    sample = JSON_REPORTS[reads][0]
    text = json.dumps(data.draw(mutants(sample)))
    cut = data.draw(st.integers(0, 3))
    run = run_of(reads, text[: len(text) * cut // 3] if cut else text, data.draw(st.sampled_from([0, 1, 2, 101])))
    check = judge_tool(reads, run).check
    check.model_dump_json()
    if run.returncode:
        assert check.outcome is not Outcome.PASSED, check.reason


@pytest.mark.fuzz
@pytest.mark.parametrize("reads", list(JSON_REPORTS))
@given(data=st.data())
def test_no_key_that_is_added_makes_a_pass_of_a_failure(reads: Reads, data: st.DataObject) -> None:
    sample = JSON_REPORTS[reads][0]
    parts = [path for path in places(sample) if isinstance(part_at(sample, path), dict)]
    path, key, value = data.draw(st.sampled_from(parts)), data.draw(st.text(max_size=8)), data.draw(VALUES)
    if key in part_at(sample, path):
        return
    text = json.dumps(changed(sample, path, {**part_at(sample, path), key: value}))
    assert judge_tool(reads, run_of(reads, text, 0)).check.outcome is not Outcome.PASSED


@pytest.mark.fuzz
@pytest.mark.parametrize("reads", list(Reads))
@given(
    text=st.text(max_size=300)
    | st.sampled_from(["[]", "{}", "null", "[[[[", '{"a": 1, "a": 2}', "[NaN]", '["\\ud800"]'])
)
def test_no_text_is_an_error_and_none_passes_after_a_failure(reads: Reads, text: str) -> None:
    for run in (
        ToolRun("x", 1, text, text, text, tracked=TRACKED),
        ToolRun("x", 1, text, text, None, tracked=TRACKED),
        ToolRun("x", 1, "", text, text, tracked={}),
    ):
        check = judge_tool(reads, run).check
        check.model_dump_json()
        assert check.outcome is not Outcome.PASSED, check.reason
        judge_tool(reads, replace(run, returncode=0)).check.model_dump_json()


LINES = {
    Reads.BLACK: "would reformat src/a.py\nsrc/b.py already well formatted, good job.\n"
    "1 file would be reformatted, 1 file would be left unchanged.\n",
    Reads.MYPY: "src/a.py:1:2: error: no  [misc]\nFound 1 error in 1 file (checked 2 source files)\n",
    Reads.RUFF_FORMAT: "--- src/a.py\n+++ src/a.py\n@@ -1 +1 @@\n-x  = 1\n+x = 1\n"
    "1 file would be reformatted, 1 file already formatted\n",
    Reads.CODESPELL: "src/a.py:3: teh ==> the\n1\n",
    Reads.VULTURE: "Scanning: src/a.py\nScanning: src/b.py\nsrc/a.py:1: unused import 'os' (90% confidence)\n",
    Reads.TSC: "src/a.ts(1,2): error TS2322: no\n/source/src/a.ts\n",
    Reads.LINES: "src/a.py:3:7: E501 line too long\n",
}  # fmt: skip


@pytest.mark.fuzz
@pytest.mark.parametrize("reads", list(LINES))
@given(data=st.data())
def test_no_lines_shuffled_cut_or_added_pass_after_a_failure(reads: Reads, data: st.DataObject) -> None:
    lines = data.draw(st.permutations(LINES[reads].splitlines()))
    kept = data.draw(st.lists(st.sampled_from(lines), max_size=6))
    noise = data.draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=3))
    text = "\n".join([*kept, *noise])
    check = judge_tool(reads, ToolRun("x", 1, text, text, None, tracked=TRACKED)).check
    check.model_dump_json()
    assert check.outcome is not Outcome.PASSED, check.reason
