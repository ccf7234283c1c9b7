"""What a test suite's run comes to. An exit code alone is never a verdict, and neither is a report alone."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gates.check import Check, Outcome
from gates.findings import Finding, Severity, fingerprint

SHOWN_FINDINGS = 100
SHOWN_NAMES = 10
SLOWEST = 10
SIGNALS = {4: "ILL", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 11: "SEGV", 15: "TERM"}


class Ending(StrEnum):
    """How one test ended, best first. An error outside of the test's own body is a failure too."""

    PASSED = "passed"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Case:
    """One test. `name` is pytest's own id ("tests/test_a.py::TestB::test_c[1]"); `file` and `line` (1-based, 0 when not
    known) say where it failed, else where it stands.
    """

    name: str
    ending: Ending
    seconds: float = 0
    message: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class SuiteRun:
    """How a suite ended. `returncode` is 128+n after signal n. `cases` come from its JUnit report, None: there is none
    that can be read; `counted` and `failures` are how many tests and failures the report itself counts, `unknown`
    is a part of it that Slipway does not know. `limit_s` is its time-out, `exceeded` the limit that it passed ("used
    more than 512 processes"). "" is for none.
    """

    name: str
    returncode: int
    timed_out: bool
    seconds: float
    cases: tuple[Case, ...] | None = None
    counted: int = 0
    failures: int = 0
    unknown: str = ""
    last_line: str = ""
    limit_s: float = 0
    cancelled: bool = False
    exceeded: str = ""


def judge_suite(run: SuiteRun, flaky: Mapping[str, int] | None = None, notes: Sequence[str] = ()) -> Check:
    """Return the check. No report, no test, or an exit code that contradicts the report is `no verdict`.

    `flaky` gives for each test that failed and then passed on a retry the number of that retry (1 is the first); all
    other failures stay failures. Flaky tests are told in the notes, never hidden.
    """
    flaky = flaky or {}
    tests = by_name(run.cases or ())
    failed = [case for case in tests.values() if case.ending is Ending.FAILED and case.name not in flaky]
    skipped = sum(case.ending is Ending.SKIPPED for case in tests.values())
    outcome, reason = _outcome(run, len(tests), failed, skipped, len(flaky))
    told = [
        f"flaky: {name} failed, then passed on retry {retry}: {_short(tests[name])}" for name, retry in flaky.items()
    ]
    if len(failed) > SHOWN_FINDINGS:
        told.append(f"{len(failed)} failures, the first {SHOWN_FINDINGS} are listed")
    return Check(
        name=run.name,
        outcome=outcome,
        reason=reason,
        examined=f"{len(tests)} tests" + (f", {skipped} skipped" if skipped else ""),
        tool="pytest",
        seconds=run.seconds,
        findings=tuple(_finding(case) for case in failed[:SHOWN_FINDINGS]),
        notes=(*told, *notes),
    )


def _outcome(run: SuiteRun, tests: int, failed: Sequence[Case], skipped: int, flaky: int) -> tuple[Outcome, str]:
    if run.exceeded and not run.cancelled:
        return Outcome.FAILED, f"{run.exceeded} and was stopped; its last line: {run.last_line or 'none'}"
    if stopped := _stopped(run):
        return Outcome.NO_VERDICT, stopped
    if failed:
        return Outcome.FAILED, f"{len(failed)} of {tests} failed: {failed[0].name}: {_short(failed[0])}"
    if run.failures and not flaky:
        return Outcome.FAILED, f"its report counts {run.failures} failures and names none"
    if run.unknown:
        known = "which pytest does not write and Slipway does not know: take out what adds it"
        return Outcome.NO_VERDICT, f"its report has {run.unknown}, {known}"
    if tests > run.counted:  # a test that was left without an end looks like one that passed
        told = f"its report names {tests} tests and counts {run.counted}"
        return Outcome.NO_VERDICT, f"ended early (exit code {run.returncode}): {told}"
    if tests - skipped <= 0:
        return Outcome.NO_VERDICT, f"ran no test (exit code {run.returncode}): {run.last_line}"
    if run.returncode and not (flaky and run.returncode == 1):
        return Outcome.NO_VERDICT, f"exit code {run.returncode} although no test failed: {run.last_line}"
    return Outcome.PASSED, f"{tests - skipped} passed" + (f", {flaky} of them only on a retry" if flaky else "")


def _stopped(run: SuiteRun) -> str:
    """Return why the suite came to no end of its own, or without a report; "" when it did."""
    if run.cancelled:
        return "was cancelled"
    if run.timed_out:
        return f"did not end within {run.limit_s:g} s; its last line: {run.last_line or 'none'}"
    if run.returncode > 128:
        number = run.returncode - 128
        return f"was killed by signal {SIGNALS.get(number, number)}; its last line: {run.last_line or 'none'}"
    if run.cases is None:
        return f"left no readable report (exit code {run.returncode}): {run.last_line}"
    return ""


def by_name(cases: Iterable[Case]) -> dict[str, Case]:
    """Return each test once: one that failed and then also broke its teardown is one test, with its first trouble."""
    found: dict[str, Case] = {}
    for case in cases:
        known = found.get(case.name)
        if known is None or (known.ending is not Ending.FAILED and case.ending is Ending.FAILED):
            found[case.name] = case
    return found


def to_repeat(cases: Iterable[Case], known_flaky: Collection[str]) -> list[str]:
    """Return the failed tests that are known to be flaky; "a::b" in `known_flaky` stands for all its parameters too."""
    failed = [case.name for case in by_name(cases).values() if case.ending is Ending.FAILED]
    return [name for name in failed if name in known_flaky or name.split("[", 1)[0] in known_flaky]


def slowest(cases: Iterable[Case], most: int = SLOWEST) -> list[Case]:
    """Return the slowest tests, the slowest first."""
    return sorted(by_name(cases).values(), key=lambda case: -case.seconds)[:most]


def missing_tests(before: Collection[str], now: Collection[str]) -> tuple[str, ...]:
    """Return the tests that an earlier run had and this one has not, sorted."""
    return tuple(sorted(set(before) - set(now)))


def missing_note(before: Collection[str] | None, now: Collection[str]) -> tuple[str, ...]:
    """Return what to point out of a changed test list: nothing, or one note."""
    gone = missing_tests(before or (), now)
    if not gone:
        return ()
    more = f" and {len(gone) - SHOWN_NAMES} more" if len(gone) > SHOWN_NAMES else ""
    counts = f"{len(set(before or ()))} tests last time, {len(set(now))} now"
    return (f"{counts}; no longer there: {', '.join(gone[:SHOWN_NAMES])}{more}",)


def _finding(case: Case) -> Finding:
    return Finding(
        tool="pytest",
        rule=case.name,
        severity=Severity.MEDIUM,
        message=case.message or "failed without a message",
        file=case.file,
        line=case.line,
        fingerprint=fingerprint("pytest", case.name),
    )


def _short(case: Case) -> str:
    return " ".join(case.message.split())[:200] or "no message"
