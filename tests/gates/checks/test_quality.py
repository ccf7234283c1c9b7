import json
from dataclasses import replace
from datetime import date

import pytest

from gates.baseline import Baseline, DueDays, Entry, spoken
from gates.check import Check, Outcome, no_verdict
from gates.checks.quality import (
    LOOKED,
    MOST_FINDINGS,
    READERS,
    held_back,
    judge_tool,
    lines_examined,
    with_findings,
)
from gates.checks.reports import KIND, Reads, ToolRun
from gates.findings import Finding, Severity
from tests.gates.findings import issue

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT
CLEAN = ToolRun(
    name="types",
    returncode=0,
    stdout="Success: no issues found in 4 source files\n",
    tool="mypy 1.0 (the app's)",
    seconds=1.5,
    timeout_s=60,
    tracked={f"{letter}.py": 10 for letter in "abcd"} | {"notes.txt": 5},
)
BAD = replace(
    CLEAN, returncode=1, stdout="a.py:1:2: error: no  [misc]\nFound 1 error in 1 file (checked 4 source files)\n"
)


def found_in(files: int) -> str:
    return f"Success: no issues found in {files} source file{'s' * (files != 1)}\n"


@pytest.mark.parametrize(
    ("run", "outcome", "said"),
    [
        (CLEAN, PASSED, "clean"),
        (BAD, FAILED, "1 finding, the first: a.py:1 misc no"),
        (replace(BAD, returncode=0), FAILED, "1 finding"),  # the report outranks an exit code that says all is well
        (replace(CLEAN, returncode=1), BLIND, "exit code 1 although its report is clean"),
        (replace(CLEAN, exceeded="used more than 256 MB of memory"), FAILED, "used more than 256 MB of memory"),
        (replace(CLEAN, timed_out=True), BLIND, "did not end within 60 s"),
        (replace(BAD, timed_out=True), BLIND, "did not end within 60 s"),
        (replace(CLEAN, returncode=-9), BLIND, "killed by signal 9"),
        (replace(CLEAN, returncode=137, stderr="Killed"), BLIND, "killed by signal 9: Killed"),
        (replace(BAD, returncode=139), BLIND, "killed by signal 11"),
        (replace(BAD, returncode=128), BLIND, "killed by signal 0"),
        (replace(BAD, returncode=127), BLIND, "exit code 127"),
        (replace(BAD, returncode=3), BLIND, "exit code 3"),
        (replace(CLEAN, returncode=2, stderr="usage: mypy"), BLIND, "usage: mypy"),
        (replace(CLEAN, problem="too big"), BLIND, "too big"),
        (replace(BAD, problem="too big"), BLIND, "too big"),
        (replace(CLEAN, stdout=""), BLIND, "printed no summary"),
        (replace(CLEAN, stdout="\x00\ufffd\x07" * 500), BLIND, "printed no summary"),
        (replace(CLEAN, stdout=found_in(0)), BLIND, "looked at no file"),
        (replace(CLEAN, stdout=found_in(1)), BLIND, "looked at only 1 of the 4 files"),
        (replace(CLEAN, stdout=found_in(2)), PASSED, "clean"),
        (replace(CLEAN, stdout=found_in(9)), PASSED, "clean"),
        (replace(CLEAN, tracked={}), PASSED, "clean"),
    ],
)
def test_a_tool_is_judged(run: ToolRun, outcome: Outcome, said: str) -> None:
    check = judge_tool(Reads.MYPY, run).check
    assert check.outcome is outcome and said in check.reason, check.reason
    assert (check.name, check.tool, check.seconds) == ("types", "mypy 1.0 (the app's)", 1.5)


@pytest.mark.parametrize(
    ("run", "crashed"),
    [
        (CLEAN, False),
        (BAD, False),
        (replace(CLEAN, timed_out=True), True),
        (replace(CLEAN, exceeded="used more than 256 MB of memory"), False),
        (replace(CLEAN, returncode=137), True),
        (replace(CLEAN, stdout="garbage"), True),
        (replace(CLEAN, stdout="garbage", problem="too big"), False),
        (replace(CLEAN, stdout=found_in(1)), False),
        (replace(CLEAN, returncode=2, stdout="a.py:1: error: x  [syntax]\n"), False),
    ],
)
def test_only_a_crash_is_worth_another_attempt(run: ToolRun, crashed: bool) -> None:
    assert judge_tool(Reads.MYPY, run).crashed is crashed


def test_what_was_examined_is_what_the_tool_says_and_not_what_it_was_given() -> None:
    assert judge_tool(Reads.MYPY, CLEAN).check.examined == "4 files, 40 lines"
    few = judge_tool(Reads.MYPY, replace(CLEAN, stdout=found_in(3))).check
    assert few.examined == "3 files, 30 lines"
    assert few.notes == ("did not look at 1 of the 4 files that the commit tracks for it",)
    assert judge_tool(Reads.MYPY, replace(CLEAN, stdout="")).check.examined == ""


TREE = {"app/a.py": 5, "app/b.py": 5, "app/c.py": 5, "web/x.vue": 9, "web/y.vue": 9, "eslint.config.js": 3}


@pytest.mark.parametrize(
    ("reads", "looked", "outcome", "said"),
    [
        (Reads.VULTURE, ["/source/.venv/lib/a.py", "/source/.venv/lib/b.py"], BLIND, "no file that the commit tracks"),
        (Reads.VULTURE, ["/source/.venv/lib/a.py"] * 9 + ["app/a.py"], BLIND, "only 1 of the 3 files"),
        (Reads.VULTURE, ["/source/.venv/lib/a.py", "app/a.py", "app/b.py"], PASSED, "clean"),
        (Reads.RUFF, ["/usr/lib/python3/os.py", "build/app/a.py", "build/app/b.py"], BLIND, "no file that the commit"),
        (Reads.RUFF, ["app/a.py", "app/b.py"], PASSED, "clean"),
        (Reads.SARIF, ["node_modules/a.js", "file:///usr/b.js", "c.js"], BLIND, "no file that the commit tracks"),
        (
            Reads.SARIF,
            ["app/a.py"],
            BLIND,
            "only 1 of the 6 files that the commit tracks for it; name in `inputs` what",
        ),
        (Reads.SARIF, ["app/a.py", "app/b.py", "web/x.vue"], PASSED, "clean"),
        (Reads.ESLINT, ["web/x.vue", "web/y.vue"], PASSED, "clean"),  # of another kind than its usual one
        (Reads.ESLINT, ["dist/x.js", "dist/y.js"], BLIND, "no file that the commit tracks"),
    ],
)
def test_only_files_that_the_commit_tracks_are_looked_at(
    reads: Reads, looked: list[str], outcome: Outcome, said: str
) -> None:
    sarif = {"version": "2.1.0", "runs": [{"results": [], "artifacts": [{"location": {"uri": one}} for one in looked]}]}
    reports = {Reads.SARIF: sarif, Reads.ESLINT: [{"filePath": one, "messages": []} for one in looked]}
    run = ToolRun(
        "x",
        0,
        stdout="[]" if reads is Reads.RUFF else "".join(f"Scanning: {one}\n" for one in looked),
        stderr="".join(f"[DEBUG] Checking: {one}\n" for one in looked),
        report=json.dumps(reports[reads]) if reads in reports else None,
        tracked=TREE,
    )
    check = judge_tool(reads, run).check
    assert check.outcome is outcome and said in check.reason, check.reason


def test_files_left_out_are_named() -> None:
    printed = "".join(f"{letter}.py already well formatted, good job.\n" for letter in "abc")
    run = replace(CLEAN, stdout="", stderr=f"{printed}3 files would be left unchanged.\n")
    tracked = {f"{letter}.py": 1 for letter in "abcd"}
    check = judge_tool(Reads.BLACK, replace(run, tracked=tracked)).check
    assert (check.outcome, check.examined) == (PASSED, "3 files, 3 lines")
    assert check.notes == ("did not look at 1 of the 4 files that the commit tracks for it: d.py",)
    assert (
        judge_tool(Reads.BLACK, replace(run, tracked=tracked | {f"{n}.py": 1 for n in range(2)})).check.outcome
        is PASSED
    )
    many = judge_tool(Reads.BLACK, replace(run, tracked=tracked | {f"{n}.py": 1 for n in range(3)})).check
    assert many.outcome is BLIND and "3 of the 7" in many.reason


@pytest.mark.parametrize("reads", list(Reads))
def test_every_reading_takes_any_garbage_for_no_verdict(reads: Reads) -> None:
    assert reads in READERS and reads in KIND
    tracked = {"a.py": 1, "a.ts": 1, "a.test.ts": 1}
    for garbage in ("", "\x00" * 100, "\ufffd" * 10_000, "[" * 100_000, "{}", "[]", "null", '{"a": 1}', "Traceback: x"):
        for code in (1, 2, 3, 101, 137, -11):
            run = ToolRun("x", code, garbage, garbage, garbage, tracked=tracked)
            assert judge_tool(reads, run).check.outcome is BLIND, (garbage[:20], code)
        if reads is not Reads.LINES:  # whose silence is a pass: it has nothing else to say
            run = ToolRun("x", 0, garbage, garbage, garbage, tracked=tracked)
            assert judge_tool(reads, run).check.outcome is BLIND, garbage[:20]


def test_a_long_line_does_not_take_long() -> None:
    for reads in Reads:
        for text in ("a" * 3_000_000, "(" * 3_000_000, "a: " * 1_000_000, "[[" * 1_000_000 + "]"):
            judge_tool(reads, ToolRun("x", 1, text, text, text))


def test_warnings_that_the_tool_tolerates_are_shown_and_pass() -> None:
    message = '{"ruleId": "x", "severity": 1, "message": "m", "line": 3}'
    report = f'[{{"filePath": "/source/a.ts", "messages": [{message}]}}]'
    run = ToolRun("eslint", 0, report=report, tracked={"a.ts": 4})
    judged = judge_tool(Reads.ESLINT, run)
    assert judged.check.outcome is PASSED and judged.check.reason == "clean, but for 1 warning"
    assert [one.severity for one in judged.found] == [Severity.LOW]
    assert judge_tool(Reads.ESLINT, replace(run, returncode=1)).check.outcome is FAILED


def test_findings_are_capped_and_the_rest_is_counted() -> None:
    one = Finding(tool="t", rule="r", severity=Severity.LOW, message="m", fingerprint="f")
    check = Check(name="t", outcome=FAILED, reason="r", notes=("first",))
    assert with_findings(check, (one,) * MOST_FINDINGS).notes == ("first",)
    capped = with_findings(check, (one,) * (MOST_FINDINGS + 2))
    assert len(capped.findings) == MOST_FINDINGS and capped.notes == ("first", "2 more findings are not listed")


@pytest.mark.parametrize(
    ("examined", "lines"),
    [
        ("1 file, 1 line", 1),
        ("42 files, 3210 lines", 3210),
        ("9 tests in 1 file, 117 lines", 117),
        ("3 files given, 5 lines", 5),
        ("", None),
        ("61 tests", None),
        ("42 files", None),
        ("some 42 files, 3210 lines", None),
    ],
)
def test_lines_examined_are_read_back(examined: str, lines: int | None) -> None:
    assert lines_examined(Check(name="x", outcome=PASSED, reason="", examined=examined)) == lines


def test_the_exit_codes_of_one_tool_are_not_those_of_another() -> None:
    assert set(LOOKED) == {Reads.TSC, Reads.PYLINT, Reads.CODESPELL, Reads.VULTURE, Reads.LINES}
    text = "a.ts(1,2): error TS2322: no\n/source/a.ts\n"
    run = ToolRun("tsc", 2, text, tracked={"a.ts": 1})
    assert judge_tool(Reads.TSC, run).check.outcome is FAILED
    assert judge_tool(Reads.TSC, replace(run, returncode=3)).check.outcome is BLIND


TODAY = date(2026, 3, 1)


def typed(line: int) -> Finding:
    return issue("arg-type", Severity.MEDIUM, line, tool="mypy")


def failed(*found: Finding) -> Check:
    return Check(name="mypy", outcome=FAILED, reason=f"{len(found)} findings", findings=found)


def of_two(due: date = TODAY, trouble: str = "") -> Baseline:
    known = {"check": "mypy", "fingerprint": spoken(typed(1)), "severity": "medium", "first_seen": TODAY, "count": 2}
    return Baseline("Robin", TODAY, "a" * 40, DueDays(), (Entry.model_validate({**known, "due": due}),), trouble)


@pytest.mark.parametrize(
    ("found", "baseline", "outcome", "said"),
    [
        pytest.param(2, of_two(), PASSED, "nothing new: 2 in the baseline, the first due 2026-03-01", id="known"),
        pytest.param(3, of_two(), FAILED, "1 finding not in the baseline: the first: app.py:3 arg-type", id="grown"),
        pytest.param(
            2, of_two(date(2026, 2, 28)), FAILED, "2 findings overdue by the baseline: the first", id="overdue"
        ),
        pytest.param(2, Baseline(), FAILED, "2 findings", id="no baseline"),
        pytest.param(2, of_two(trouble="unsigned"), FAILED, "baseline.toml does not count: unsigned; 2", id="refused"),
    ],
)
def test_a_tools_findings_are_held_against_the_baseline(
    found: int, baseline: Baseline, outcome: Outcome, said: str
) -> None:
    all_ = [typed(line) for line in range(1, found + 1)]
    got = held_back(failed(*all_), all_, all_, baseline, TODAY)
    assert got.outcome is outcome and said in got.reason


def test_what_is_gone_is_told_and_what_failed_otherwise_still_fails() -> None:
    got = held_back(failed(typed(1)), [typed(1)], [typed(1)], of_two(), TODAY)
    assert got.outcome is PASSED and got.notes[1].startswith("1 finding of the baseline gone")
    stopped = Check(name="mypy", outcome=FAILED, reason="used more than 256 MB")
    assert held_back(stopped, [], [], of_two(), TODAY) == stopped
    blind = no_verdict("mypy", "it crashed")
    assert held_back(blind, [], [], of_two(), TODAY) == blind
