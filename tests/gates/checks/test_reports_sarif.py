import json
from typing import Any

import pytest

from gates.checks.reports import Report, ToolRun
from gates.checks.reports_sarif import read_sarif
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
    assert sarif(artifacts=artifacts).files == frozenset({"a.py", "b.py"})
    assert sarif(artifacts=[]).files == frozenset() and "or leave the list out" in sarif(artifacts=[]).none


@pytest.mark.parametrize(
    ("listed", "files"),
    [(["src/a.py"], None), (["src/a.py", "b.py"], {"src/a.py", "b.py"}), (["b.py"], {"b.py"}), ([], frozenset())],
)
def test_a_list_of_the_files_with_results_says_nothing_of_the_others(listed: list[str], files: set[str] | None) -> None:
    artifacts = [{"location": {"uri": uri}} for uri in listed]
    for hidden in ({}, {"baselineState": "absent"}):
        assert sarif(result("note", **hidden), artifacts=artifacts).files == files


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
    assert read_sarif(ToolRun("x", 0, "{}")).unread == "the report is not SARIF 2.1.0: version: Field required"
    assert read_sarif(ToolRun("x", 0, long)).unread == (
        "the report is not SARIF 2.1.0: runs.0.results.0.level: Input should be 'error', 'warning', 'note' or 'none'"
    )
    broken = read_sarif(ToolRun("x", 0, '{"version": "' + "2" * 9 + '", "runs": ')).unread
    assert len(broken) <= len("the report is not SARIF 2.1.0: ") + 100


RULES = [
    {"id": "N1", "defaultConfiguration": {"level": "note"}},
    {"id": "E1", "defaultConfiguration": {"level": "error"}},
    {"id": "W1"},
]
TOOL = {"driver": {"name": "t", "version": "1", "rules": RULES}}
PLAIN = {"message": {"text": "bad"}}
OVERRIDE = {
    "executionSuccessful": True,
    "ruleConfigurationOverrides": [
        {"descriptor": {"id": "E1"}, "configuration": {"level": "note"}},
        {"descriptor": {"index": 0}, "configuration": {"level": "error"}},
    ],
}


@pytest.mark.parametrize(
    ("given", "severity"),
    [
        ({"ruleId": "N1"}, None),
        ({"ruleId": "E1"}, Severity.HIGH),
        ({"ruleId": "W1"}, Severity.MEDIUM),
        ({"ruleId": "unknown"}, Severity.MEDIUM),
        ({}, Severity.MEDIUM),
        ({"ruleIndex": 1}, Severity.HIGH),
        ({"ruleIndex": 0}, None),
        ({"ruleIndex": 99}, Severity.MEDIUM),
        ({"ruleIndex": -1, "ruleId": "N1"}, None),
        ({"rule": {"id": "E1"}}, Severity.HIGH),
        ({"rule": {"index": 0}}, None),
        ({"ruleId": "E1/finer/name"}, Severity.HIGH),
        ({"ruleId": "N1/finer"}, None),
        ({"ruleId": "N1", "ruleIndex": 1}, Severity.HIGH),  # two rules: the worse counts
        ({"ruleId": "N1", "level": "error"}, Severity.HIGH),
        ({"ruleId": "E1", "level": "note"}, None),
        ({"ruleId": "E1", "level": "none"}, None),
        ({"ruleId": "E1", "level": None}, Severity.HIGH),
    ],
)
def test_a_level_that_a_result_does_not_have_is_its_rules(given: dict[str, Any], severity: Severity | None) -> None:
    report = sarif({**PLAIN, **given}, tool=TOOL)
    assert [one.severity for one in report.found] == ([severity] if severity else [])
    assert len(report.tolerated) == (severity is None)


def test_an_invocation_can_set_the_level_of_a_rule_and_an_extension_can_hold_it() -> None:
    given = ({**PLAIN, "ruleId": "E1"}, {**PLAIN, "ruleId": "N1", "ruleIndex": 0})
    report = sarif(*given, tool=TOOL, invocations=[OVERRIDE])
    assert [one.rule for one in report.found] == ["N1"] and [one.rule for one in report.tolerated] == ["E1"]
    extended = {"driver": {}, "extensions": [{"name": "x", "rules": RULES}]}
    by_number = {**PLAIN, "rule": {"index": 0, "toolComponent": {"index": 0}}}
    assert [one.rule for one in sarif(by_number, {**PLAIN, "ruleId": "E1"}, tool=extended).found] == ["E1"]
    assert [one.rule for one in sarif(by_number, tool=extended).tolerated] == ["N1"]


GUID = "11111111-1111-1111-8888-111111111111"
IN_EXTENSION = {"toolComponent": {"index": 0}}
NOTE = {"id": "A", "guid": GUID, "defaultConfiguration": {"level": "note"}}
ERROR = {"id": "A", "guid": GUID, "defaultConfiguration": {"level": "error"}}
OTHER = {"id": "B", "defaultConfiguration": {"level": "error"}}
MINE, THEIRS = {"ruleIndex": 0}, {"rule": {"index": 0, "toolComponent": {"index": 0}}}


@pytest.mark.parametrize(
    ("driver", "extension", "given", "override", "level", "found"),
    [
        # For a rule of another component.
        ([ERROR], [OTHER], MINE, {"index": 0, **IN_EXTENSION}, "note", True),
        ([ERROR], [OTHER], THEIRS, {"index": 0, **IN_EXTENSION}, "note", False),
        ([ERROR], [ERROR], {"ruleId": "A"}, {"id": "A", **IN_EXTENSION}, "note", True),
        ([ERROR], [ERROR], THEIRS, {"id": "A", **IN_EXTENSION}, "note", False),
        ([ERROR], [ERROR], THEIRS, {"id": "A"}, "note", True),
        ([ERROR], [OTHER], MINE, {"index": 0, "toolComponent": {"name": "plugin"}}, "note", True),
        ([ERROR], [OTHER], {"ruleId": "B"}, {"id": "B"}, "note", False),
        # By another of its names than the result has.
        ([NOTE], [], MINE, {"guid": GUID}, "error", True),
        ([NOTE], [], {"ruleId": "A"}, {"guid": GUID.upper()}, "error", True),
        ([NOTE], [], {"ruleId": "A"}, {"index": 0}, "error", True),
        ([NOTE], [], {"ruleId": "A/finer"}, {"index": 0}, "error", True),
        ([NOTE], [], MINE, {"id": "A"}, "error", True),
        ([NOTE], [], {"rule": {"guid": GUID}}, {"id": "A"}, "error", True),
        ([NOTE], [], {"rule": {"guid": GUID}}, {"id": "B"}, "error", False),
        ([], [NOTE], {"ruleId": "A"}, {"guid": GUID}, "error", True),
        ([ERROR], [], {"ruleId": "A"}, {"index": 0}, "note", False),
        # For a rule that is not listed.
        ([], [], {"ruleId": "A"}, {"id": "A"}, "note", False),
        ([], [], {"ruleId": "A/finer"}, {"id": "A"}, "note", False),
        ([], [], {"ruleIndex": 3}, {"index": 3}, "note", False),
        ([], [], {"rule": {"guid": GUID}}, {"guid": GUID}, "note", False),
        ([], [], {"ruleId": "A"}, {"id": "B"}, "note", True),
        # Two rules could be meant, of which one is silenced.
        ([ERROR, OTHER], [], {"ruleIndex": 1, "ruleId": "A"}, {"id": "A"}, "note", True),
    ],
)
def test_what_an_invocation_sets_is_for_the_rule_that_it_names(
    driver: list[Any], extension: list[Any], given: Any, override: Any, level: str, found: bool
) -> None:
    tool = {"driver": {"rules": driver}, "extensions": [{"name": "plugin", "rules": extension}]}
    change = {"descriptor": override, "configuration": {"level": level}}
    invocation = {"executionSuccessful": True, "ruleConfigurationOverrides": [change]}
    report = sarif({**PLAIN, **given}, tool=tool, invocations=[invocation])
    assert (bool(report.found), report.blind) == (found, "")


@pytest.mark.parametrize("component", [{"index": 1}, {"name": "gone"}, {"guid": GUID}])
@pytest.mark.parametrize("key", ["ruleConfigurationOverrides", "notificationConfigurationOverrides"])
def test_a_level_for_a_component_that_the_report_lacks_is_no_look(component: dict[str, Any], key: str) -> None:
    change = {"descriptor": {"id": "A", "toolComponent": component}, "configuration": {"level": "error"}}
    tool = {"driver": {"name": "t", "rules": [NOTE]}, "extensions": [{"name": "plugin"}]}
    report = sarif({**PLAIN, "ruleId": "A"}, tool=tool, invocations=[{"executionSuccessful": True, key: [change]}])
    [named] = component.values()
    assert report.blind == f"it sets a level for {named}, a component that it does not hold"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"suppressions": []}, 1),
        ({"suppressions": None}, 1),
        ({"suppressions": [{"kind": "external"}]}, 0),
        ({"suppressions": [{"kind": "external", "status": "accepted", "justification": "x"}]}, 0),
        ({"suppressions": [{"kind": "external", "status": "rejected"}]}, 1),
        ({"suppressions": [{"kind": "inSource", "status": "underReview"}]}, 1),
        ({"suppressions": [{"kind": "inSource"}, {"kind": "external", "status": "rejected"}]}, 1),
        ({"baselineState": "absent"}, 0),
        ({"baselineState": "unchanged"}, 1),
        ({"baselineState": "updated"}, 1),
        ({"baselineState": "new"}, 1),
        ({"kind": "fail"}, 1),
        ({"kind": "pass", "level": None}, 0),
        ({"kind": "notApplicable", "level": "none"}, 0),
        ({"kind": "informational", "level": "note"}, 0),
        ({"kind": "pass", "level": "error"}, 1),  # it says both: it counts
        (
            {"rank": 0.1, "occurrenceCount": 3, "partialFingerprints": {"a": "b"}, "fixes": [], "properties": {"x": 1}},
            1,
        ),
    ],
)
def test_a_result_is_hidden_only_by_what_hides_it(given: dict[str, Any], found: int) -> None:
    report = sarif({**result("error"), **given})
    assert len(report.found) == found and not report.blind and not report.unread


@pytest.mark.parametrize(("kind", "said"), [("open", "could not decide"), ("review", "asks a person to decide")])
def test_what_nobody_decided_is_no_look(kind: str, said: str) -> None:
    report = sarif({"ruleId": "X", "kind": kind, "message": {"text": "hm"}})
    assert said in report.blind and not report.found
    assert not sarif({"ruleId": "X", "kind": kind, "baselineState": "absent"}).blind


@pytest.mark.parametrize(
    ("run", "blind"),
    [
        ({"invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [
            {"level": "error", "message": {"text": "a.py could not be parsed"}}]}]}, "a.py could not be parsed"),
        ({"invocations": [{"executionSuccessful": True, "toolConfigurationNotifications": [
            {"level": "error", "message": {"text": "rule X not found"}}]}]}, "rule X not found"),
        ({"invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [
            {"level": "error", "message": {}}]}]}, "an error of its own run, without a word"),
        ({"invocations": [{"executionSuccessful": True, "toolExecutionNotifications": [
            {"descriptor": {"id": "P"}, "message": {"text": "by its kind"}}]}],
          "tool": {"driver": {"notifications": [{"id": "P", "defaultConfiguration": {"level": "error"}}]}}},
         "by its kind"),
        ({"invocations": [{"executionSuccessful": True, "processStartFailureMessage": "no such program"}]},
         "the tool says that it did not succeed"),
        ({"invocations": [{"executionSuccessful": True, "exitSignalName": "SIGKILL"}]},
         "the tool says that it did not succeed"),
        ({"conversion": {"tool": {"driver": {"name": "c"}}, "invocation": {"executionSuccessful": False}}},
         "the tool says that it did not succeed"),
        ({"invocations": [{"executionSuccessful": True}, {"executionSuccessful": False}]},
         "the tool says that it did not succeed"),
        ({"invocations": [{"executionSuccessful": True, "exitSignalNumber": 9}]},
         "the tool says that it did not succeed"),
        ({"invocations": [{"executionSuccessful": True, "exitCode": 2}]},
         "it says that it ended with exit code 2, and has no result"),
        ({"invocations": [{"executionSuccessful": True, "exitCode": 0, "exitSignalNumber": None,
                           "toolExecutionNotifications": [{"level": "note", "message": {"text": "took 3 s"}}]}]}, ""),
        ({"results": [{"level": "note"}], "invocations": [{"executionSuccessful": True, "exitCode": 1}]}, ""),
        ({"results": [{"baselineState": "absent"}], "invocations": [{"executionSuccessful": True, "exitCode": 1}]}, ""),
    ],
)  # fmt: skip
def test_an_error_that_the_tool_tells_of_its_own_run_is_no_look(run: dict[str, Any], blind: str) -> None:
    assert sarif(**run).blind == blind


def notified(descriptor: dict[str, Any], *overrides: tuple[dict[str, Any], str]) -> dict[str, Any]:
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [{"message": {"text": "not parsed"}, "descriptor": descriptor}],
        "notificationConfigurationOverrides": [
            {"descriptor": meant, "configuration": {"level": level}} for meant, level in overrides
        ],
    }


LOUD = {"id": "N", "guid": GUID, "defaultConfiguration": {"level": "error"}}
QUIET = {**LOUD, "defaultConfiguration": {"level": "note"}}


@pytest.mark.parametrize(
    ("driver", "extension", "invocation", "blind"),
    [
        ([], [LOUD], notified({"id": "N", **IN_EXTENSION}), True),
        ([], [LOUD], notified({"index": 0, "toolComponent": {"name": "plugin"}}), True),
        ([], [LOUD], notified({"id": "N"}), True),
        ([QUIET], [LOUD], notified({"id": "N"}), False),
        ([QUIET], [LOUD], notified({"index": 0, **IN_EXTENSION}), True),
        ([LOUD], [QUIET], notified({"index": 0, **IN_EXTENSION}), False),
        ([QUIET], [], notified({"id": "N"}, ({"id": "N"}, "error")), True),
        ([QUIET], [], notified({"index": 0}, ({"guid": GUID.upper()}, "error")), True),
        ([QUIET], [], notified({"id": "N"}, ({"index": 0}, "error")), True),
        ([], [], notified({"id": "N"}, ({"id": "N"}, "error")), True),
        ([LOUD], [], notified({"id": "N"}, ({"index": 0}, "note")), False),
        ([LOUD], [QUIET], notified({"id": "N"}, ({"index": 0, **IN_EXTENSION}, "note")), True),
    ],
)
def test_an_error_of_its_own_run_may_be_one_by_its_kind(
    driver: list[Any], extension: list[Any], invocation: dict[str, Any], blind: bool
) -> None:
    tool = {"driver": {"notifications": driver}, "extensions": [{"name": "plugin", "notifications": extension}]}
    assert sarif(tool=tool, invocations=[invocation]).blind == ("not parsed" if blind else "")
    # What converted a report has kinds of its own.
    assert sarif(conversion={"tool": tool, "invocation": invocation}).blind == ("not parsed" if blind else "")


def test_a_warning_that_the_tool_tells_of_its_own_run_is_a_note() -> None:
    told = [{"message": {"text": text}} for text in ("slow", "old")]
    report = sarif(invocations=[{"executionSuccessful": True, "toolExecutionNotifications": told}])
    assert report.notes == ("the tool warns of its own run (2): slow",) and not report.blind


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ({"version": "2.0.0"}, "version: Input should be '2.1.0'"),
        ({"version": "2.2"}, "version: Input should be '2.1.0'"),
        ({"version": 2.1}, "version: Input should be '2.1.0'"),
        ({"verdict": "clean"}, "verdict: a key that Slipway does not know"),
        ({"runs": [{"results": None}]}, "runs.0.results: Field required"),
        ({"runs": [{"results": [{"level": "fatal"}]}]},
         "runs.0.results.0.level: Input should be 'error', 'warning', 'note' or 'none'"),
        ({"runs": [{"results": [{"kind": "maybe"}]}]}, "runs.0.results.0.kind: Input should be 'notApplicable', "),
        ({"runs": [{"results": [{"suppressed": True}]}]}, "runs.0.results.0.suppressed: a key that Slipway does not"),
        ({"runs": [{"results": [{"suppressions": [{"kind": "external", "status": "wish"}]}]}]},
         "runs.0.results.0.suppressions.0.status: Input should be 'accepted', 'underReview' or 'rejected'"),
        ({"runs": [{"results": [{"baselineState": "gone"}]}]}, "runs.0.results.0.baselineState: Input should be 'new'"),
        ({"runs": [{"results": [], "invocations": [{}]}]}, "runs.0.invocations.0.executionSuccessful: Field required"),
        ({"runs": [{"results": [], "resultsAreElsewhere": True}]}, "runs.0.resultsAreElsewhere: a key that Slipway"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_by_name(log: dict[str, Any], why: str) -> None:
    text = json.dumps({"$schema": "x", "version": "2.1.0", "runs": [{"results": []}], **log})
    assert read_sarif(ToolRun("x", 0, text)).unread.startswith(f"the report is not SARIF 2.1.0: {why}")


@pytest.mark.parametrize(
    ("log", "named"),
    [
        ({"inlineExternalProperties": [{"results": []}]}, "inlineExternalProperties"),
        ({"runs": [{"results": [], "externalPropertyFileReferences": {"results": [{"itemCount": 3}]}}]},
         "runs.0.externalPropertyFileReferences"),
        ({"runs": [{"results": []}, {"results": [], "policies": [{"name": "p", "rules": []}]}]}, "runs.1.policies"),
    ],
)  # fmt: skip
def test_parts_that_lie_elsewhere_are_refused_by_name(log: dict[str, Any], named: str) -> None:
    report = read_sarif(ToolRun("x", 0, json.dumps({"version": "2.1.0", "runs": [{"results": []}], **log})))
    assert report.unread == f"the report has {named}, which Slipway does not read: let the tool write one whole file"


@pytest.mark.parametrize(
    ("location", "file", "line"),
    [
        ({"artifactLocation": {"uri": "app/a%20b.py"}, "region": {"startLine": 2}}, "app/a b.py", 2),
        ({"artifactLocation": {"uri": "file:///source/a.py"}, "region": None}, "a.py", 0),
        ({"artifactLocation": {"uri": "a.py", "uriBaseId": "%SRCROOT%"}}, "lib/a.py", 0),
        ({"artifactLocation": {"uri": "a.py", "uriBaseId": "unknown"}}, "a.py", 0),
        ({"artifactLocation": {"index": 0}}, "b.py", 0),
        ({"artifactLocation": {"index": 7}}, "", 0),
        ({"artifactLocation": {"uri": "file:///etc/passwd"}}, "passwd", 0),
    ],
)
def test_where_a_result_is(location: dict[str, Any], file: str, line: int) -> None:
    bases = {"%SRCROOT%": {"uri": "file:///source/lib/"}}
    report = sarif(
        result(locations=[{"physicalLocation": location}]),
        artifacts=[{"location": {"uri": "b.py"}}],
        originalUriBaseIds=bases,
    )
    assert [(one.file, one.line) for one in report.found] == [(file, line)]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"markdown": "**x**"}, "**x**"),
        ({"text": "{0} is not {1}{2}", "arguments": ["a", "b"]}, "a is not b{2}"),
        ({"id": "default", "arguments": ["x"]}, "no x here"),
        ({"id": "other"}, "other"),
        ({}, ""),
    ],
)
def test_what_a_result_says(message: dict[str, Any], said: str) -> None:
    tool = {"driver": {"rules": [{"id": "X1", "messageStrings": {"default": {"text": "no {0} here"}}}]}}
    assert [one.message for one in sarif(result(message=message), tool=tool).found] == [said]


def test_findings_of_several_runs_are_all_told() -> None:
    runs = [{"results": [result("error")]}, {"results": [result("note")]}, {"results": [result("warning")]}]
    report = read_sarif(ToolRun("x", 1, json.dumps({"version": "2.1.0", "runs": runs})))
    assert (len(report.found), len(report.tolerated)) == (2, 1)


def test_a_report_with_many_rules_and_results_is_read_in_steps_that_grow_with_it() -> None:
    many = [{"id": "X", "defaultConfiguration": {"level": "error"}} for _ in range(3_000)]
    given = [{"ruleId": "X" + "/y" * 50, "message": {"text": "m"}} for _ in range(3_000)]
    assert len(sarif(*given, tool={"driver": {"rules": many}}).found) == 3_000
    deep = [{"ruleId": "/".join("a" * 90), "message": {"text": "m"}} for _ in range(3_000)]
    tool = {"driver": {}, "extensions": [{"name": "e", "rules": [{"id": "a"}]} for _ in range(3_000)]}
    assert len(sarif(*deep, tool=tool).found) == 3_000
