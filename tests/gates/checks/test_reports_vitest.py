import json
from typing import Any

import pytest

from gates.checks.reports import ToolRun
from gates.checks.reports_vitest import read_vitest
from gates.findings import Severity

SOURCE = "/source/frontend"


def ran(returncode: int, report: Any = None, stdout: str = "") -> ToolRun:
    text = report if report is None or isinstance(report, str) else json.dumps(report)
    return ToolRun("x", returncode, stdout, "last words", text, directory="frontend")


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


def test_a_test_file_that_failed_beside_its_tests_is_told_once() -> None:
    report = read_vitest(ran(1, outcome_of("passed", "failed", success=False, status="failed", message="Error: late")))
    assert [(one.rule, one.message) for one in report.found] == [("test", "test 1: Error: no")]
    late = read_vitest(ran(1, outcome_of("passed", success=False, status="failed", message="Error: late")))
    assert [(one.rule, one.message, one.severity) for one in late.found] == [
        ("test file", "Error: late", Severity.HIGH)
    ]


def test_a_failure_without_a_word_is_told_too() -> None:
    silent = outcome_of("failed", success=False)
    silent["testResults"][0]["assertionResults"][0]["failureMessages"] = []
    assert [(one.message, one.line) for one in read_vitest(ran(1, silent)).found] == [("test 0: failed", 0)]
    file = outcome_of(success=False, status="failed", message="\x1b[31m\x1b[0m")
    assert [(one.message, one.line) for one in read_vitest(ran(1, file)).found] == [("it failed without a test", 0)]


def test_the_line_of_a_test_file_is_read_from_its_stack_even_without_a_test() -> None:
    stack = f"Error: no\n at {SOURCE}/src/b.ts:9:1\n at {SOURCE}/src/a.test.ts:21:3\n at {SOURCE}/src/a.test.ts:30:3"
    report = read_vitest(ran(1, outcome_of(success=False, status="failed", message=stack)))
    assert [one.line for one in report.found] == [21]


def test_a_stack_is_searched_for_50000_characters() -> None:
    place = "a.test.ts:7"
    for before, line in ((50_000 - len(place), 7), (50_000 - len(place) + 1, 0)):
        message = "x" * before + place
        report = read_vitest(ran(1, outcome_of(success=False, status="failed", message=message)))
        assert [one.line for one in report.found] == [line]


def test_a_failures_first_line_is_looked_for_in_10000_characters() -> None:
    for before, said in ((9_999, "w"), (10_000, "failed")):
        failure = outcome_of("failed", success=False)
        failure["testResults"][0]["assertionResults"][0]["failureMessages"] = ["\n" * before + "word"]
        assert [one.message for one in read_vitest(ran(1, failure)).found] == [f"test 0: {said}"]


@pytest.mark.parametrize(
    ("states", "notes"),
    [
        (("passed",), ()),
        (("passed", "failed"), ()),
        (("passed", "todo"), ("1 of 2 tests were skipped",)),
        (("failed", "skipped", "pending"), ("2 of 3 tests were skipped",)),
    ],
)
def test_tests_that_did_not_run_are_told(states: tuple[str, ...], notes: tuple[str, ...]) -> None:
    report = read_vitest(ran(1, outcome_of(*states, success="failed" not in states)))
    assert (report.notes, report.unread) == (notes, "")


def test_why_a_vitest_report_is_not_believed_is_told() -> None:
    assert read_vitest(ran(1, outcome_of())).unread == "ran no test (exit code 1): last words"
    assert read_vitest(ran(1, {**outcome_of("passed"), "numTotalTests": 2})).unread == (
        "vitest's report counts 2 tests and holds 1"
    )
    assert read_vitest(ran(1, outcome_of("passed", success=False))).unread == (
        "vitest's report says that it failed, and names no failure"
    )


def test_no_test_at_all_beside_a_file_that_could_not_be_loaded_is_a_finding() -> None:
    report = read_vitest(ran(1, outcome_of("skipped", success=False, status="failed", message="SyntaxError: x")))
    assert (report.unread, len(report.found), report.tests) == ("", 1, 0)


def test_a_report_that_is_not_there_is_told_with_the_tools_last_words() -> None:
    assert read_vitest(ran(2)).unread == "vitest left no report: last words"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"success": "perhaps"}, "success: Input should be a valid boolean"),
        ({**outcome_of("passed"), "numTotalTests": True}, "numTotalTests: Input should be a valid integer"),
        ({**outcome_of("passed"), "wasInterrupted": True}, "wasInterrupted: a key that Slipway does not know"),
        (outcome_of("exploded"), "testResults.0.assertionResults.0.status: Input should be 'passed', 'failed', "),
        (outcome_of("passed", status="maybe"), "testResults.0.status: Input should be 'passed', 'failed', "),
        (
            {"files": [{"filepath": "a.bench.ts", "groups": []}]},
            "files: a key that Slipway does not know",
        ),  # vitest bench
        ("é" * 300, "Invalid JSON: Expecting value at line 1 column 1"),
    ],
)
def test_what_is_not_known_is_refused_by_name(given: Any, why: str) -> None:
    assert read_vitest(ran(0, given)).unread.startswith(f"vitest's report is not its JSON: {why}")


def files_of(*files: dict[str, Any], success: bool = True) -> dict[str, Any]:
    total = sum(len(file["assertionResults"]) for file in files)
    return {"success": success, "numTotalTests": total, "testResults": list(files)}


def file_of(name: str, *states: str, **more: Any) -> dict[str, Any]:
    file: dict[str, Any] = outcome_of(*states)["testResults"][0]
    return {**file, "name": f"{SOURCE}/src/{name}", **more}


SKIPPED = ("passed", "skipped")


@pytest.mark.parametrize(
    ("report", "code", "outcome"),
    [
        (files_of(file_of("a.test.ts", *SKIPPED, status="failed")), 0, "clean"),
        (files_of(file_of("a.test.ts", "passed", "todo", status="failed")), 0, "clean"),
        (files_of(file_of("a.test.ts", "passed", "pending", status="failed", message=" ")), 0, "clean"),
        (files_of(file_of("a.test.ts", "passed"), file_of("b.test.ts", "skipped", status="failed")), 0, "clean"),
        (files_of(file_of("a.test.ts", "passed"), file_of("b.test.ts", "skipped", status="skipped")), 0, "clean"),
        (files_of(file_of("a.test.ts", "passed"), file_of("b.test.ts", status="skipped")), 0, "clean"),
        (files_of(file_of("a.test.ts", *SKIPPED, status="failed")), 1, "found"),
        (files_of(file_of("a.test.ts", *SKIPPED, status="failed"), success=False), 0, "found"),
        (files_of(file_of("a.test.ts", *SKIPPED, status="failed", message="Error: in afterAll")), 0, "found"),
        (files_of(file_of("a.test.ts", "passed", status="failed")), 0, "found"),
        (files_of(file_of("a.test.ts", "passed"), file_of("b.test.ts", status="failed")), 0, "found"),
        (
            files_of(file_of("a.test.ts", "passed"), file_of("b.test.ts", status="failed", message="no suite")),
            1,
            "found",
        ),
        (files_of(file_of("a.test.ts", "passed"), file_of("b.test.ts")), 0, "blind"),
        (files_of(file_of("a.test.ts", "skipped", status="failed")), 0, "unread"),
        (files_of(file_of("a.test.ts", "todo")), 0, "unread"),
        (files_of(file_of("a.test.ts")), 0, "unread"),
        (files_of(), 0, "unread"),
        (files_of(file_of("a.test.ts", "passed", message="Error: in afterAll")), 0, "found"),
        (files_of(file_of("a.test.ts", "passed", message="Error: in afterAll"), success=False), 1, "found"),
        (files_of(file_of("a.test.ts", "passed", message=" ")), 0, "clean"),
        ({**files_of(file_of("a.test.ts", "passed")), "numFailedTests": 1}, 0, "unread"),
        ({**files_of(file_of("a.test.ts", "passed")), "numFailedTests": 0, "snapshot": {"failure": True}}, 0, "clean"),
    ],
)
def test_a_file_that_is_called_failed_for_a_skipped_test_is_none(report: Any, code: int, outcome: str) -> None:
    read = read_vitest(ran(code, report))
    told = {"unread": bool(read.unread), "blind": bool(read.blind), "found": bool(read.found)}
    assert next((name for name, true in told.items() if true), "clean") == outcome


def test_a_file_without_a_test_that_ran_was_not_looked_at() -> None:
    report = files_of(file_of("a.test.ts", "passed"), file_of("b.test.ts", "skipped"), file_of("c.test.ts", "failed"))
    assert read_vitest(ran(1, report)).files == {"frontend/src/a.test.ts", "frontend/src/c.test.ts"}


def test_a_test_that_passed_when_it_was_repeated_is_told() -> None:
    report = outcome_of("passed", "passed")
    report["testResults"][0]["assertionResults"][1].update(failureMessages=["Error: first try"], duration=1.5, meta={})
    read = read_vitest(ran(0, report))
    assert read.notes == ("1 of 2 tests passed only when they were repeated: test 1",) and not read.found


AGAIN = files_of(file_of("a.test.ts", "passed"))
AGAIN["testResults"][0]["assertionResults"][0]["failureMessages"] = ["Error: first try"]


@pytest.mark.parametrize(
    ("report", "counters", "why"),
    [
        (outcome_of("passed", "passed"), {"numFailedTestSuites": 1}, "counts 1 failed suites and says that it succ"),
        (outcome_of("passed", "passed"), {"numFailedTestSuites": 0, "numPassedTests": 2, "numPendingTests": 0}, ""),
        (outcome_of("passed", "failed", success=False), {"numFailedTestSuites": 1, "numPassedTests": 1}, ""),
        (outcome_of("passed", "passed"), {"numPassedTests": 1}, "counts 1 passed tests and holds 2"),
        (outcome_of("passed", "failed", success=False), {"numPassedTests": 2}, "counts 2 passed tests and holds 1"),
        (outcome_of("passed", "skipped"), {"numPassedTests": 1}, ""),
        (outcome_of("passed", "skipped"), {"numPassedTests": 2}, ""),  # older ones
        (outcome_of("passed", "skipped"), {"numPassedTests": 3}, "counts 3 passed tests and holds 1"),
        (outcome_of("passed"), {"snapshot": {"unmatched": 1}}, "counts 1 unmatched snapshots and says that it succ"),
        (outcome_of("passed"), {"snapshot": {"unmatched": 0, "unchecked": 3, "failure": True}}, ""),
        (AGAIN, {"snapshot": {"unmatched": 1}}, ""),
        (outcome_of("passed", "failed", success=False), {"snapshot": {"unmatched": 1}}, ""),
        (outcome_of("passed"), {"snapshot": {"odd": 1}}, "is not its JSON: snapshot.odd: a key that Slipway does not"),
    ],
)
def test_counters_that_are_at_odds_with_the_tests_are_not_believed(report: Any, counters: Any, why: str) -> None:
    unread = read_vitest(ran(0 if report["success"] else 1, {**report, **counters})).unread
    assert unread.startswith(f"vitest's report {why}") if why else not unread
