from dataclasses import replace

import pytest

from gates.check import Outcome
from gates.checks.suites import Case, Ending, SuiteRun, judge_suite, missing_note, missing_tests, slowest, to_repeat

PASSED, FAILED, BLIND = Outcome.PASSED, Outcome.FAILED, Outcome.NO_VERDICT


def good(number: int) -> Case:
    return Case(f"t.py::test_{number}", Ending.PASSED, number / 10)


TESTS = tuple(good(number) for number in range(10))
BAD = Case("t.py::test_bad", Ending.FAILED, 1, "no\n  <b>", "t.py", 7)
SKIP = Case("t.py::test_skip", Ending.SKIPPED)
SUITE = SuiteRun("unit", 0, timed_out=False, seconds=2.0, cases=TESTS, counted=10, last_line="the end", limit_s=60)
ONE_BAD = replace(SUITE, cases=(*TESTS, BAD), counted=11, failures=1, returncode=1)


@pytest.mark.parametrize(
    ("run", "outcome", "said"),
    [
        (SUITE, PASSED, "10 passed"),
        (replace(SUITE, cases=TESTS[:1], counted=1), PASSED, "1 passed"),
        (replace(SUITE, cases=(SKIP, good(1)), counted=2), PASSED, "1 passed"),
        (replace(SUITE, cases=(SKIP,), counted=1), BLIND, "ran no test"),
        (replace(SUITE, cases=(), counted=0), BLIND, "ran no test"),
        (replace(SUITE, cases=(), counted=9), BLIND, "ran no test"),
        (replace(SUITE, cases=(), counted=0, returncode=5), BLIND, "ran no test (exit code 5): the end"),
        (replace(SUITE, counted=9), BLIND, "ended early (exit code 0): its report names 10 tests and counts 9"),
        (replace(SUITE, cases=(*TESTS, good(1))), PASSED, "10 passed"),  # one test of two names is one test
        (replace(SUITE, cases=None), BLIND, "left no readable report (exit code 0): the end"),
        (replace(SUITE, cases=None, returncode=2), BLIND, "exit code 2"),
        (replace(SUITE, cases=None, returncode=137), BLIND, "was killed by signal KILL"),
        (replace(SUITE, cases=None, returncode=134), BLIND, "was killed by signal ABRT"),
        (replace(SUITE, cases=None, returncode=150), BLIND, "was killed by signal 22"),
        (ONE_BAD, FAILED, "1 of 11 failed: t.py::test_bad: no <b>"),
        (replace(ONE_BAD, returncode=0), FAILED, "1 of 11"),  # the report outranks an exit code that says all is well
        (replace(SUITE, failures=2), FAILED, "its report counts 2 failures and names none"),
        (replace(SUITE, unknown="<x> in <y>"), BLIND, "its report has <x> in <y>, which pytest does not write"),
        (replace(ONE_BAD, unknown="<x> in <y>"), FAILED, "1 of 11"),
        (replace(SUITE, returncode=1), BLIND, "exit code 1 although no test failed: the end"),
        (replace(SUITE, exceeded="used more than 64 processes"), FAILED, "used more than 64 processes and was"),
        (replace(SUITE, exceeded="used more than 64 processes", cancelled=True), BLIND, "was cancelled"),
        (replace(SUITE, timed_out=True), BLIND, "did not end within 60 s; its last line: the end"),
        (replace(ONE_BAD, timed_out=True, last_line=""), BLIND, "its last line: none"),
        (replace(ONE_BAD, cancelled=True), BLIND, "was cancelled"),
    ],
)
def test_a_suite_is_judged(run: SuiteRun, outcome: Outcome, said: str) -> None:
    check = judge_suite(run)
    assert check.outcome is outcome and said in check.reason, check.reason


def test_each_failure_is_a_finding_once() -> None:
    again = replace(BAD, message="in its teardown too")
    check = judge_suite(replace(ONE_BAD, cases=(*TESTS, BAD, again), failures=2))
    (finding,) = check.findings
    assert (finding.rule, finding.file, finding.line, finding.message) == ("t.py::test_bad", "t.py", 7, "no\n  <b>")
    assert check.examined == "11 tests"


def test_a_test_that_passed_and_broke_its_teardown_failed() -> None:
    check = judge_suite(replace(SUITE, cases=(good(1), replace(good(1), ending=Ending.FAILED)), counted=2, failures=1))
    assert check.outcome is FAILED


def test_very_many_failures_are_counted_and_not_all_listed() -> None:
    many = tuple(replace(BAD, name=f"test_{number}") for number in range(101))
    check = judge_suite(replace(ONE_BAD, cases=many, counted=101, failures=101))
    assert (len(check.findings), check.notes) == (100, ("101 failures, the first 100 are listed",))
    check = judge_suite(replace(ONE_BAD, cases=many[:100], counted=100, failures=100))
    assert (len(check.findings), check.notes) == (100, ())


def test_a_flaky_failure_is_told_and_the_others_stay() -> None:
    check = judge_suite(ONE_BAD, {BAD.name: 2})
    assert (check.outcome, check.reason) == (PASSED, "11 passed, 1 of them only on a retry")
    assert check.notes == ("flaky: t.py::test_bad failed, then passed on retry 2: no <b>",)
    assert check.findings == ()
    other = replace(BAD, name="t.py::test_other")
    both = replace(ONE_BAD, cases=(*TESTS, BAD, other), counted=12, failures=2)
    check = judge_suite(both, {BAD.name: 1})
    assert (check.outcome, [one.rule for one in check.findings]) == (FAILED, ["t.py::test_other"])


def test_a_flaky_failure_explains_exit_code_1_and_no_other() -> None:
    assert judge_suite(replace(ONE_BAD, returncode=3), {BAD.name: 1}).outcome is BLIND


def test_skipped_tests_are_counted_among_the_examined() -> None:
    assert judge_suite(SUITE).examined == "10 tests"
    assert judge_suite(replace(SUITE, cases=(*TESTS, SKIP), counted=11)).examined == "11 tests, 1 skipped"
    assert judge_suite(replace(SUITE, cases=None)).examined == "0 tests"


def test_only_known_failures_are_repeated() -> None:
    bad = [replace(BAD, name=name) for name in ("t.py::a[1]", "t.py::a[2]", "t.py::ab", "t.py::b")]
    assert to_repeat((*bad, good(1)), ["t.py::a"]) == ["t.py::a[1]", "t.py::a[2]"]
    assert to_repeat((*bad, good(1)), ["t.py::a[2]", "t.py::b", "t.py::test_1"]) == ["t.py::a[2]", "t.py::b"]
    assert to_repeat(bad, []) == []


def test_the_slowest_come_first() -> None:
    assert [case.name for case in slowest(TESTS, 3)] == ["t.py::test_9", "t.py::test_8", "t.py::test_7"]
    assert len(slowest((*TESTS, BAD))) == 10


@pytest.mark.parametrize(
    ("before", "now", "gone"),
    [(["a", "b"], ["a", "b"], ()), (["b", "a"], ["c"], ("a", "b")), ([], ["a"], ()), (["a"], [], ("a",))],
)
def test_tests_that_are_gone(before: list[str], now: list[str], gone: tuple[str, ...]) -> None:
    assert missing_tests(before, now) == gone


def test_the_note_of_gone_tests_is_short() -> None:
    assert missing_note(None, ["a"]) == missing_note(["a"], ["a", "b"]) == ()
    assert missing_note(["a", "b"], ["b", "c"]) == ("2 tests last time, 2 now; no longer there: a",)
    (note,) = missing_note([f"t{number:02}" for number in range(12)], [])
    assert note.endswith("t09 and 2 more")
