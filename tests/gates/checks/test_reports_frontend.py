import json
from typing import Any

import pytest

from gates.checks.reports import Report, ToolRun
from gates.checks.reports_frontend import read_eslint, read_tsc
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


def test_a_report_that_is_not_there_is_told_with_the_tools_last_words() -> None:
    assert read_eslint(ran(2)).unread == "eslint left no report: last words"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([{"filePath": 1, "messages": [{"severity": 3}]}], "0.filePath: Input should be a valid string"),
        (
            [{**linted(ERROR), "messages": [{**ERROR, "severity": "2"}]}],
            "0.messages.0.severity: Input should be 1 or 2",
        ),
        ([{**linted(), "verdict": "ignore me"}], "0.verdict: a key that Slipway does not know"),
        ("é" * 300, "Invalid JSON: Expecting value at line 1 column 1"),
        ('[{"filePath": "a.js", "messages": [], "messages": []}]', "the key messages stands twice in one object"),
        ("[" * 100_000, "Invalid JSON: nested too deeply"),
        ('[{"filePath": "a.js", "messages": [{"severity": NaN}]}]', "Invalid JSON: NaN is no number of it"),
    ],
)
def test_why_a_report_is_none_is_told_with_its_first_fault_in_short(given: Any, why: str) -> None:
    assert read_eslint(ran(0, given)).unread == f"eslint's report is not its JSON: {why}"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"errorCount": 2}, "eslint's report counts 2 errors and holds 1 for frontend/src/a.ts"),
        ({"fatalErrorCount": 1}, "eslint's report counts 1 fatal errors and holds 0 for frontend/src/a.ts"),
        ({"warningCount": 1}, "eslint's report counts 1 warnings and holds 0 for frontend/src/a.ts"),
        (
            {"output": "let x;"},
            "eslint's report tells changes (take out `--fix`) instead of what is wrong for frontend/src/a.ts",
        ),
        ({"errorCount": 1, "fixableErrorCount": 1, "source": "var x", "suppressedMessages": [], "stats": {}}, ""),
    ],
)
def test_eslint_tells_all_that_it_counts_and_changes_nothing(more: dict[str, Any], why: str) -> None:
    assert read_eslint(ran(1, [{**linted(ERROR), **more}])).unread == why


def test_what_eslint_says_without_a_rule_or_a_line_is_a_finding_of_its_own() -> None:
    own = {"ruleId": None, "severity": 2, "message": "Definition for rule 'x' was not found."}
    report = read_eslint(ran(1, [linted(own, {**ERROR, "line": -1})]))
    assert [(one.line, one.rule) for one in report.found] == [(0, "eslint"), (0, "no-var")]
    assert report.blind == ""


def test_a_rule_whose_message_speaks_of_ignored_files_is_no_ignored_file() -> None:
    message = {**ERROR, "message": "File ignored: not a module"}
    report = read_eslint(ran(1, [linted(message)]))
    assert report.files == {"frontend/src/a.ts"} and len(report.found) == 1


def test_of_several_files_that_cannot_be_parsed_the_first_is_told() -> None:
    fatal = [{"ruleId": None, "fatal": True, "severity": 2, "message": f"no {n}", "line": n} for n in (4, 7)]
    assert read_eslint(ran(1, [linted(*fatal)])).blind == "frontend/src/a.ts:4: no 4"


def test_an_error_of_tscs_settings_that_names_a_file_is_told_as_such() -> None:
    first = "tsconfig.json(12,5): error TS5023: Unknown compiler option 'x'."
    report = tsc(f"{first}\ntsconfig.json(13,5): error TS5024: Another.\nerror TS18003: A third.\n{FILES}")
    assert report.blind == "frontend/tsconfig.json:12: TS5023: Unknown compiler option 'x'."
    assert [one.rule for one in report.found] == ["TS5023", "TS5024"]


@pytest.mark.parametrize(
    ("rule", "blind", "noted"),
    [
        ("TS5023", True, False),
        ("TS502", False, False),
        ("TS50233", False, False),
        ("TS1109", False, True),
        ("TS110", False, False),
        ("TS11099", False, False),
        ("TS2322", False, False),
    ],
)
def test_the_kind_of_an_error_of_tsc_is_told_by_its_number(rule: str, blind: bool, noted: bool) -> None:
    report = tsc(f"src/a.ts(1,2): error {rule}: no\n{FILES}")
    assert (bool(report.blind), bool(report.notes), len(report.found)) == (blind, noted, 1)


def test_of_several_errors_of_tscs_configuration_the_first_is_told() -> None:
    assert tsc("error TS18003: first\nerror TS18004: second\n").blind == "TS18003: first"


@pytest.mark.parametrize("code", [0, 1, 2])
def test_tsc_that_fails_without_an_error_is_not_believed(code: int) -> None:
    assert bool(tsc(FILES, code).unread) is (code > 0)
