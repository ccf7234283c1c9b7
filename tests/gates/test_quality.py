from dataclasses import replace

import pytest

from gates.quality import SuiteRun, ToolRun, judge_suite, judge_tool, no_verdict
from gates.requirements import Outcome

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT
UNCHANGED = "All done!\n12 files would be left unchanged.\n"
SUCCESS = "Success: no issues found in 30 source files\n"


def ran(name: str, returncode: int, output: str, files: int = 5) -> ToolRun:
    return ToolRun(name, returncode, output, timed_out=False, files=files, seconds=1.5, version="1.0")


@pytest.mark.parametrize(
    ("run", "outcome"),
    [
        (ran("black", 0, UNCHANGED), PASSED),
        (ran("black", 0, "1 file would be left unchanged.\n"), PASSED),
        (
            ran("black", 1, "would reformat a.py\n1 file would be reformatted, 2 files would be left unchanged.\n"),
            FAILED,
        ),
        (ran("black", 123, "Oh no!\n"), BLIND),
        (ran("black", 123, "error: cannot format a.py: Cannot parse\n" + UNCHANGED), BLIND),
        (ran("black", 0, "No Python files are present to be formatted. Nothing to do\n"), BLIND),
        (ran("black", 0, ""), BLIND),  # it says how many files it read; when it says nothing it read none
        (ran("isort", 0, ""), PASSED),
        (ran("isort", 0, "", files=0), BLIND),
        (ran("isort", 0, "WARNING: unable to parse file a.py due to ...\n"), BLIND),
        (ran("isort", 1, "ERROR: a.py Imports are incorrectly sorted\n"), FAILED),
        (ran("isort", 0, "ERROR: a.py: unknown encoding: x\n"), BLIND),
        (ran("flake8", 0, ""), PASSED),
        (ran("flake8", 0, "", files=0), BLIND),
        (ran("flake8", 1, "a.py:1:1: F401 'os' imported but unused\n"), FAILED),
        (ran("flake8", 1, "gone.py:0:1: E902 FileNotFoundError\n"), BLIND),
        (ran("flake8", 2, "usage: flake8\n"), BLIND),
        (ran("mypy", 0, SUCCESS), PASSED),
        (ran("mypy", 0, "Success: no issues found in 0 source files\n"), BLIND),
        (ran("mypy", 0, "Success: no issues found in 1 source file\n"), PASSED),
        (ran("mypy", 1, "a.py:1: error: x\nFound 1 error in 1 file (checked 30 source files)\n"), FAILED),
        (ran("mypy", 2, "a.py:1: error: invalid syntax\n"), BLIND),
        (ran("mypy", 0, "mypy is up to date\n"), BLIND),
        (ran("ruff", 0, ""), PASSED),  # a tool that nobody knows: the usual meaning of 0 and 1
        (ran("ruff", 1, "F401"), FAILED),
        (ran("ruff", 2, "panic"), BLIND),
        (ran("ruff", -11, ""), BLIND),
        (ran("ruff", 137, ""), BLIND),
        (ran("ruff", 0, "", files=0), BLIND),
        (replace(ran("mypy", 0, SUCCESS), timed_out=True), BLIND),
        (replace(ran("mypy", 1, "error"), timed_out=True), BLIND),
    ],
)
def test_a_tool_is_judged(run: ToolRun, outcome: Outcome) -> None:
    check = judge_tool(run)
    assert check.outcome is outcome, check.reason
    assert check.reason and (check.name, check.tool, check.seconds) == (run.name, "1.0", 1.5)


def test_what_was_examined_is_what_the_tool_says_and_not_what_it_was_given() -> None:
    assert judge_tool(ran("mypy", 0, SUCCESS)).examined == "30 files"
    mixed = ran("black", 1, "1 file would be reformatted, 2 files would be left unchanged.\n")
    assert judge_tool(mixed).examined == "3 files"
    assert judge_tool(ran("flake8", 0, "", files=7)).examined == "7 files"


def test_the_reason_is_one_short_line_of_the_output() -> None:
    assert judge_tool(ran("ruff", 1, "first\n\n  last  \n\n")).reason == "last"
    assert judge_tool(ran("ruff", 1, "")).reason == "it printed nothing"
    assert len(judge_tool(ran("ruff", 1, "x" * 10_000)).reason) <= 200
    blind = judge_tool(ran("flake8", 1, "ok\ngone.py:0:1: E902 FileNotFoundError\nmore\n")).reason
    assert blind.endswith("gone.py:0:1: E902 FileNotFoundError")


SUITE = SuiteRun("unit", 0, timed_out=False, seconds=2.0, tests=10)


@pytest.mark.parametrize(
    ("run", "outcome", "said"),
    [
        (SUITE, PASSED, "10 passed"),
        (replace(SUITE, tests=1), PASSED, "1 passed"),
        (replace(SUITE, skipped=9), PASSED, "1 passed"),
        (replace(SUITE, skipped=10), BLIND, "ran no test"),
        (replace(SUITE, skipped=11), BLIND, "ran no test"),
        (replace(SUITE, tests=0), BLIND, "ran no test"),
        (replace(SUITE, tests=0, returncode=5), BLIND, "exit code 5"),
        (replace(SUITE, tests=None), BLIND, "no readable report"),
        (replace(SUITE, tests=None, returncode=2, last_line="boom"), BLIND, "boom"),
        (replace(SUITE, failed=1, returncode=1, first_failure="a.b: no"), FAILED, "1 of 10 failed: a.b: no"),
        (replace(SUITE, failed=1), FAILED, "1 of 10"),  # the report outranks an exit code that says all is well
        (replace(SUITE, returncode=1), BLIND, "although no test failed"),
        (replace(SUITE, returncode=-9), BLIND, "exit code -9"),
        (replace(SUITE, timed_out=True, last_line="test_x"), BLIND, "test_x"),
        (replace(SUITE, timed_out=True, failed=1), BLIND, "in time"),
    ],
)
def test_a_suite_is_judged(run: SuiteRun, outcome: Outcome, said: str) -> None:
    check = judge_suite(run)
    assert check.outcome is outcome and said in check.reason, check.reason


def test_what_a_suite_examined_counts_the_skipped_ones() -> None:
    assert judge_suite(SUITE).examined == "10 tests"
    assert judge_suite(replace(SUITE, skipped=3)).examined == "10 tests, 3 skipped"
    assert judge_suite(replace(SUITE, tests=None)).examined == "0 tests"


def test_what_could_not_run_has_no_verdict() -> None:
    check = no_verdict("mypy", "not in the lock")
    assert (check.outcome, check.reason, check.name) == (BLIND, "not in the lock", "mypy")
