import json
from typing import Any

import pytest

from gates.checks.reports import Report, ToolRun
from gates.checks.reports_frontend import read_eslint, read_tsc, read_vitest
from gates.findings import Severity

SOURCE = "/source/frontend"


def ran(returncode: int, report: Any = None, stdout: str = "") -> ToolRun:
    text = report if report is None or isinstance(report, str) else json.dumps(report)
    return ToolRun("x", returncode, stdout, "last words", text, directory="frontend")


def linted(*messages: dict[str, Any], path: str = f"{SOURCE}/src/a.ts") -> dict[str, Any]:
    return {"filePath": path, "messages": list(messages), "errorCount": 0, "usedDeprecatedRules": []}


ERROR = {"ruleId": "no-var", "severity": 2, "message": "Unexpected var.", "line": 2, "column": 3}
WARNING = {**ERROR, "severity": 1}


def test_eslint_gives_rule_place_and_the_files() -> None:
    report = read_eslint(ran(1, [linted(ERROR, WARNING), linted(path=f"{SOURCE}/eslint.config.js")]))
    assert report.files == {"frontend/src/a.ts", "frontend/eslint.config.js"} and not report.unread
    [one] = report.found
    assert (one.file, one.line, one.rule, one.severity) == ("frontend/src/a.ts", 2, "no-var", Severity.MEDIUM)
    assert [one.severity for one in report.tolerated] == [Severity.LOW]


def test_warnings_fail_when_eslint_says_so() -> None:
    assert [len(read_eslint(ran(code, [linted(WARNING)])).found) for code in (0, 1)] == [0, 1]


def test_what_eslint_cannot_parse_and_what_it_ignores_it_has_not_seen() -> None:
    fatal = {"ruleId": None, "fatal": True, "severity": 2, "message": "Parsing error: no", "line": 1}
    report = read_eslint(ran(1, [linted(fatal)]))
    assert report.blind == "frontend/src/a.ts:1: Parsing error: no" and len(report.found) == 1
    ignored = {"ruleId": None, "severity": 1, "message": "File ignored because of a matching ignore pattern."}
    assert read_eslint(ran(0, [linted(ignored)])).files == frozenset()


@pytest.mark.parametrize(
    "report",
    [
        None,
        "",
        "null",
        "{}",
        "[1]",
        "[{}]",
        '[{"filePath": "a"}]',
        [linted({"severity": 3, "message": "x"})],
        "[" * 9000,
    ],
)
def test_an_eslint_report_that_is_none_is_not_believed(report: Any) -> None:
    assert read_eslint(ran(0, report)).unread


def tsc(stdout: str, returncode: int = 2) -> Report:
    return read_tsc(ran(returncode, stdout=stdout))


FILES = f"/elsewhere/node_modules/typescript/lib/lib.d.ts\n{SOURCE}/node_modules/x/index.d.ts\n{SOURCE}/src/a.ts\n"


def test_tsc_gives_code_place_and_the_files() -> None:
    report = tsc(f"src/a.ts(4,9): error TS2322: Type 'x' (1,2): no.\n  More about it.\n{FILES}")
    assert report.files == {"frontend/src/a.ts"} and not report.blind and not report.notes
    [one] = report.found
    assert (one.file, one.line, one.rule) == ("frontend/src/a.ts", 4, "TS2322")
    assert one.message == "Type 'x' (1,2): no."
    assert tsc(FILES, 0).files == {"frontend/src/a.ts"} and tsc("", 0).files == frozenset()


def test_tsc_says_that_a_syntax_error_hides_others() -> None:
    report = tsc(f"src/a.ts(1,2): error TS1109: Expression expected.\n{FILES}")
    assert len(report.found) == 1 and "there may be more" in report.notes[0]


def test_an_error_of_its_configuration_is_not_one_of_the_code() -> None:
    report = tsc(f"error TS18003: No inputs were found in config file '{SOURCE}/tsconfig.json'.\n")
    assert report.blind == "TS18003: No inputs were found in config file 'frontend/tsconfig.json'."
    assert tsc("Out of memory\n").unread == "exit code 2 without an error that can be read: last words"


def outcome_of(*states: str, success: bool = True, **file: Any) -> dict[str, Any]:
    tests = [
        {
            "fullName": f"test {number}",
            "status": state,
            "failureMessages": [f"\x1b[31mError: no\n at {SOURCE}/src/a.test.ts:{number + 7}:3"] * (state == "failed"),
        }
        for number, state in enumerate(states)
    ]
    name = {"name": f"{SOURCE}/src/a.test.ts", "status": "passed", "message": "", "assertionResults": tests}
    return {"success": success, "numTotalTests": len(states), "testResults": [{**name, **file}]}


def test_vitest_gives_each_failure_and_where_it_is() -> None:
    report = read_vitest(ran(1, outcome_of("passed", "failed", "skipped", success=False)))
    assert report.tests == 2 and report.files == {"frontend/src/a.test.ts"} and not report.unread
    [one] = report.found
    assert (one.file, one.line, one.rule, one.severity) == ("frontend/src/a.test.ts", 8, "test", Severity.HIGH)
    assert one.message == "test 1: Error: no"
    assert report.notes == ("1 of 3 tests were skipped",)
    assert not read_vitest(ran(0, outcome_of("passed"))).found


def test_a_test_file_that_cannot_be_loaded_is_a_finding() -> None:
    report = read_vitest(ran(1, outcome_of(success=False, status="failed", message="SyntaxError: x")))
    assert [(one.rule, one.message) for one in report.found] == [("test file", "SyntaxError: x")]


@pytest.mark.parametrize(
    "report",
    [
        None,
        "",
        "{}",
        "[]",
        "{" * 9000,
        outcome_of(),  # no test at all
        outcome_of("skipped", "todo", "pending"),
        {**outcome_of("passed"), "numTotalTests": 2},
        {**outcome_of("passed"), "numTotalTests": -1},
        outcome_of("passed", success=False),  # it failed and names no failure
    ],
)
def test_a_vitest_report_that_is_none_is_not_believed(report: Any) -> None:
    assert read_vitest(ran(1, report)).unread
