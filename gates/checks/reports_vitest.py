"""Read the report of vitest, as Slipway calls it (tasks/checks/tool_commands.py)."""

import posixpath
import re
from collections import Counter
from typing import ClassVar, Literal

from pydantic import Field, TypeAdapter

from gates.checks.reports import ANSI, Found, Report, ToolRun, last_words, one_line, unread
from gates.findings import Severity
from gates.strict_json import JsonError, Part, read

NAMED = 3
NOT_RUN = ("skipped", "pending", "todo", "disabled")


class _Test(Part):
    MEANS_NOTHING: ClassVar = frozenset(
        "ancestorTitles title duration location meta tags benchmark numPassingAsserts retryReasons invocations".split()
    )
    name: str = Field(alias="fullName")
    status: Literal["passed", "failed", "skipped", "pending", "todo", "disabled"]
    messages: list[str] = Field(default_factory=list, alias="failureMessages")


class _TestFile(Part):
    MEANS_NOTHING: ClassVar = frozenset({"startTime", "endTime", "summary", "meta"})
    path: str = Field(alias="name")
    status: Literal["passed", "failed", "skipped", "pending", "todo"]
    message: str = ""
    tests: list[_Test] = Field(alias="assertionResults")

    def has(self, *status: str) -> bool:
        """Return whether a test of the file came to one of these."""
        return any(test.status in status for test in self.tests)


class _Snapshots(Part):
    # Old ones that nobody uses fail nothing (`failure`).
    MEANS_NOTHING: ClassVar = frozenset(
        "added didUpdate failure filesAdded filesRemoved filesRemovedList filesUnmatched filesUpdated matched total "
        "unchecked uncheckedKeysByFile updated".split()
    )
    unmatched: int = Field(0, ge=0)


class _Tests(Part):
    MEANS_NOTHING: ClassVar = frozenset(
        "numTotalTestSuites numPassedTestSuites numPendingTestSuites numPendingTests numTodoTests startTime "
        "coverageMap".split()
    )
    success: bool
    total: int = Field(alias="numTotalTests", ge=0)
    failed: int | None = Field(None, alias="numFailedTests", ge=0)
    failed_suites: int = Field(0, alias="numFailedTestSuites", ge=0)
    passed: int | None = Field(None, alias="numPassedTests", ge=0)
    snapshot: _Snapshots = Field(default_factory=_Snapshots)
    files: list[_TestFile] = Field(alias="testResults")

    @property
    def contradiction(self) -> str:
        """Return what the report's counters say against its tests, "" when they agree."""
        tests = [test for file in self.files for test in file.tests]
        if len(tests) != self.total:
            return f"counts {self.total} tests and holds {len(tests)}"
        held = Counter(test.status for test in tests)
        if self.failed not in (None, held["failed"]):
            return f"counts {self.failed} failed tests and holds {held['failed']}"
        # Older ones count what did not run among those that passed.
        if self.passed is not None and not held["passed"] <= self.passed <= self.total - held["failed"]:
            return f"counts {self.passed} passed tests and holds {held['passed']}"
        return self._against_success(tests) if self.success else ""

    def _against_success(self, tests: list[_Test]) -> str:
        if self.failed_suites:
            return f"counts {self.failed_suites} failed suites and says that it succeeded"
        repeated = any(test.messages for test in tests)  # the snapshot may have matched the second time
        if self.snapshot.unmatched and not repeated:
            return f"counts {self.snapshot.unmatched} unmatched snapshots and says that it succeeded"
        return ""


TESTS = TypeAdapter(_Tests)


def read_vitest(run: ToolRun) -> Report:
    """Read vitest's JSON file: every failed test is a finding, and so is a test file that could not be loaded.

    A file without a test that ran was not looked at; one that says it passed without a test makes the whole no verdict.
    """
    if run.report is None:
        return unread(f"vitest left no report: {last_words(run)}")
    try:
        report = read(TESTS, run.report)
    except JsonError as error:
        return unread(f"vitest's report is not its JSON: {one_line(str(error))}")
    if report.contradiction:
        return unread(f"vitest's report {report.contradiction}")
    clean = report.success and not run.returncode
    found = tuple(one for file in report.files for one in _failures(file, run, clean))
    tests = [test for file in report.files for test in file.tests]
    ran = sum(test.status not in NOT_RUN for test in tests)
    if not ran and not found:
        return unread(f"ran no test (exit code {run.returncode}): {last_words(run)}")
    if not report.success and not found:
        return unread("vitest's report says that it failed, and names no failure")
    empty = [run.local(file.path) for file in report.files if file.status == "passed" and not file.tests]
    return Report(
        found,
        files=frozenset(run.local(file.path) for file in report.files if file.has("passed", "failed") or file.message),
        tests=ran,
        blind=one_line(f"{empty[0]} has no test") if empty else "",
        notes=_notes(tests, ran),
    )


def _notes(tests: list[_Test], ran: int) -> tuple[str, ...]:
    left = len(tests) - ran
    repeated = [one_line(test.name, 100) for test in tests if test.status == "passed" and test.messages]
    named = ", ".join(repeated[:NAMED]) + (", ..." if len(repeated) > NAMED else "")
    return (
        *([f"{left} of {len(tests)} tests were skipped"] if left else []),
        *([f"{len(repeated)} of {len(tests)} tests passed only when they were repeated: {named}"] if repeated else []),
    )


def _failures(file: _TestFile, run: ToolRun, clean: bool) -> list[Found]:
    """Return what failed in a file: its tests, else what it says of itself (a broken `afterAll`).

    In a `clean` run a file without a word may be called failed for a skipped test.
    """
    path = run.local(file.path)
    if (file.status == "failed" or file.message.strip()) and not file.has("failed"):
        if clean and not file.message.strip() and file.has(*NOT_RUN):
            return []
        message = one_line(ANSI.sub("", file.message)) or "it failed without a test"
        return [Found(path, _stack_line(file.message, path), "test file", message, Severity.HIGH)]
    failed = [test for test in file.tests if test.status == "failed"]
    return [
        Found(path, _stack_line(said, path), "test", one_line(f"{test.name}: {_first(said)}"), Severity.HIGH)
        for test in failed
        for said in ["\n".join(test.messages)]
    ]


def _first(message: str) -> str:
    lines = ANSI.sub("", message[:10_000]).strip().splitlines()
    return lines[0] if lines else "failed"


def _stack_line(stack: str, path: str) -> int:
    """Return the line of the test file in a stack trace, 0 when it does not stand in it."""
    match = re.search(rf"{re.escape(posixpath.basename(path))}:(\d{{1,9}})", stack[:50_000])
    return int(match[1]) if match else 0
