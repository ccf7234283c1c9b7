import json
from typing import Any

import pytest

from gates.checks.reports import Report, ToolRun
from gates.checks.reports_generic import read_lines, read_sarif
from gates.findings import Severity


def result(level: str = "warning", **more: Any) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": 3}}
    return {
        "ruleId": "X1",
        "level": level,
        "message": {"text": "bad"},
        "locations": [{"physicalLocation": place}],
        **more,
    }


def sarif(*results: dict[str, Any], **run: Any) -> Report:
    text = json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {}}, "results": list(results), **run}]})
    return read_sarif(ToolRun("x", 0, text))


def test_sarif_gives_rule_place_and_severity() -> None:
    report = sarif(result("error"), result(), result("note"), result("none"))
    told = [(one.file, one.line, one.rule, one.message, one.severity) for one in report.found]
    assert told == [("src/a.py", 3, "X1", "bad", Severity.HIGH), ("src/a.py", 3, "X1", "bad", Severity.MEDIUM)]
    assert [one.severity for one in report.tolerated] == [Severity.LOW] * 2
    assert report.files is None


def test_sarif_says_what_it_looked_at_when_it_can() -> None:
    artifacts = [{"location": {"uri": "file:///source/a.py"}}, {"location": {"uri": "b.py"}}]
    assert sarif(artifacts=artifacts).files == {"a.py", "b.py"}
    assert sarif(artifacts=[]).files == frozenset()


def test_suppressed_results_do_not_count_and_a_result_may_have_no_place() -> None:
    assert not sarif(result(suppressions=[{"kind": "inSource"}])).found
    [one] = sarif({"message": {"text": "x"}}).found
    assert (one.file, one.line, one.rule, one.severity) == ("", 0, "finding", Severity.MEDIUM)


def test_a_tool_that_says_it_did_not_succeed_has_not_looked() -> None:
    told = [{"message": {"text": "no rules"}}]
    assert sarif(invocations=[{"executionSuccessful": False, "toolExecutionNotifications": told}]).blind == "no rules"
    assert sarif(invocations=[{"executionSuccessful": False}]).blind
    assert not sarif(invocations=[{"executionSuccessful": True}]).blind


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"version": "2.1.0"}', '{"version": "2.1.0", "runs": []}', '{"version": "2.1.0", "runs": [{}]}']
    + ['{"version": "2.0.0", "runs": [{"results": []}]}', '{"version": "2.1.0", "runs": [{"results": [], ', "{" * 9000],
)
def test_what_is_not_sarif_is_not_believed(text: str) -> None:
    assert read_sarif(ToolRun("x", 0, text)).unread
    assert read_sarif(ToolRun("x", 0, '{"version": "2.1.0", "runs": [{"results": []}]}', report=text)).unread


def lines(text: str, returncode: int = 1) -> Report:
    return read_lines(ToolRun("x", returncode, "", text, tracked={"src/a.py": 9, "a b.sh": 2}))


@pytest.mark.parametrize(
    ("line", "file", "number", "rule"),
    [
        ("src/a.py:3:7: E501 line too long", "src/a.py", 3, "E501"),
        ("./src/a.py:3: [W0611] unused", "src/a.py", 3, "W0611"),
        ("/source/src/a.py:3:7: error[no-any]: bad", "src/a.py", 3, "no-any"),
        ("src/a.py:3: warning: bad [no-any]", "src/a.py", 3, "no-any"),
        ("src/a.py:3:1 - bad (no-any)", "src/a.py", 3, "no-any"),
        ("a b.sh:2:1: note: quote this", "a b.sh", 2, "finding"),
        ("src/a.py:3: just text", "src/a.py", 3, "finding"),
    ],
)
def test_a_line_that_names_a_file_is_a_finding(line: str, file: str, number: int, rule: str) -> None:
    [one] = lines(f"starting\n{line}\nFound 1 error.\n").found
    assert (one.file, one.line, one.rule) == (file, number, rule)


@pytest.mark.parametrize(
    "text", ["", "12:30:45: started", "gone.py:1: x", "https://x:80: y", "Traceback (most recent call last):", "a.py:1"]
)
def test_other_lines_say_nothing_and_exit_one_alone_is_no_verdict(text: str) -> None:
    assert not lines(text, 0).found and not lines(text, 0).unread
    assert "exit code 1 without a line that names a file" in lines(text, 1).unread


def test_a_result_without_a_place_or_a_line_and_files_without_a_name_are_told_as_far_as_they_go() -> None:
    place = {"artifactLocation": {"uri": "src/a.py"}}
    report = sarif(result(locations=[{"physicalLocation": place}]), result(locations=[{"physicalLocation": {}}]))
    assert [(one.file, one.line) for one in report.found] == [("src/a.py", 0), ("", 0)]
    assert sarif(artifacts=[{"location": {}}, {}, {"location": {"uri": "a.py"}}]).files == {"a.py"}


def test_of_several_places_the_first_is_told() -> None:
    places = [
        {"physicalLocation": {"artifactLocation": {"uri": file}, "region": {"startLine": line}}}
        for file, line in (("a.py", 1), ("b.py", 2))
    ]
    assert [(one.file, one.line) for one in sarif(result(locations=places)).found] == [("a.py", 1)]


@pytest.mark.parametrize("line", [0, -1])
def test_a_line_before_the_first_is_no_sarif_of_ours(line: int) -> None:
    place = {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": line}}
    assert bool(sarif(result(locations=[{"physicalLocation": place}])).unread) is (line < 0)


@pytest.mark.parametrize(("length", "kept"), [(100, 100), (101, 100)])
def test_a_rules_name_is_cut_at_100_characters(length: int, kept: int) -> None:
    assert [one.rule for one in sarif(result(ruleId="r" * length)).found] == ["r" * kept]


def test_the_first_reason_of_the_first_invocation_that_did_not_succeed_is_told() -> None:
    told = [{"message": {"text": text}} for text in ("first", "second")]
    failures = [
        {"executionSuccessful": False, "toolExecutionNotifications": told},
        {"executionSuccessful": False},
    ]
    assert sarif(invocations=failures).blind == "first"
    assert sarif(invocations=failures[1:]).blind == "the tool says that it did not succeed"


def test_files_are_told_only_when_every_run_tells_them() -> None:
    runs: list[dict[str, Any]] = [{"results": [], "artifacts": [{"location": {"uri": "a.py"}}]}, {"results": []}]
    for given, files in ((runs, None), (runs[:1], {"a.py"})):
        assert read_sarif(ToolRun("x", 0, json.dumps({"version": "2.1.0", "runs": given}))).files == files


def test_why_it_is_no_sarif_is_told_in_short() -> None:
    long = json.dumps({"version": "2.1.0", "runs": [{"results": [result("l" * 300)]}]})
    assert read_sarif(ToolRun("x", 0, "{}")).unread == "the report is not SARIF 2.1.0: Field required"
    assert read_sarif(ToolRun("x", 0, long)).unread == (
        "the report is not SARIF 2.1.0: Input should be 'error', 'warning', 'note' or 'none'"
    )
    broken = read_sarif(ToolRun("x", 0, '{"version": "' + "2" * 9 + '", "runs": ')).unread
    assert len(broken) <= len("the report is not SARIF 2.1.0: ") + 100


def test_lines_are_read_from_the_report_file_when_there_is_one() -> None:
    run = ToolRun(
        "x", 1, "src/a.py:1: printed", "src/a.py:2: told", "src/a.py:3: E501 reported", tracked={"src/a.py": 9}
    )
    assert [(one.line, one.rule, one.message) for one in read_lines(run).found] == [(3, "E501", "E501 reported")]
    assert not read_lines(ToolRun("x", 0, "src/a.py:1: printed", report="", tracked={"src/a.py": 9})).found
    both = ToolRun("x", 1, "src/a.py:1: printed", "src/a.py:2: told", tracked={"src/a.py": 9})
    assert [one.line for one in read_lines(both).found] == [1, 2]


@pytest.mark.parametrize(("code", "doubted"), [(0, False), (1, True), (2, False), (-9, False)])
def test_only_exit_code_1_promises_findings(code: int, doubted: bool) -> None:
    assert bool(lines("nothing to see", code).unread) is doubted
