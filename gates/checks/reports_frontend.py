"""Read the reports of eslint, tsc and vitest, as Slipway calls them (tasks/checks/tool_commands.py)."""

import posixpath
import re
from typing import Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from gates.checks.reports import Found, Report, ToolRun, last_words, lines, one_line, unread
from gates.findings import Severity

TSC_LINE = re.compile(r"^(.+)\((\d+),\d+\): error (TS\d+): (.*)$")
TSC_GLOBAL = re.compile(r"^error (TS\d+): (.*)$")
TSC_SETTINGS = re.compile(r"^TS5\d{3}$")
TSC_GRAMMAR = re.compile(r"^TS1\d{3}$")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class _Message(BaseModel):
    rule: str | None = Field(None, alias="ruleId")
    severity: Literal[1, 2]
    message: str
    line: int = 0
    fatal: bool = False


class _File(BaseModel):
    path: str = Field(alias="filePath")
    messages: list[_Message]


ESLINT = TypeAdapter(list[_File])


def read_eslint(run: ToolRun) -> Report:
    """Read eslint's JSON file. What it could not parse is `fatal`; a file that it was told to ignore is no look at it.

    Warnings are findings, low ones; whether they fail is the tool's own setting (`--max-warnings`), told by its exit.
    """
    if run.report is None:
        return unread(f"eslint left no report: {last_words(run)}")
    try:
        files = ESLINT.validate_json(run.report)
    except ValidationError as error:
        return unread(f"eslint's report is not its JSON: {one_line(str(error.errors()[0]['msg']), 100)}")
    errors, warnings, blind, looked = list[Found](), list[Found](), "", set[str]()
    for file in files:
        path = run.local(file.path)
        if any(one.rule is None and one.message.startswith("File ignored") for one in file.messages):
            continue
        looked.add(path)
        for one in file.messages:
            severity = Severity.MEDIUM if one.severity == 2 else Severity.LOW
            found = Found(path, max(one.line, 0), one.rule or "eslint", one_line(one.message), severity)
            (errors if one.severity == 2 else warnings).append(found)
            if one.fatal:
                blind = blind or f"{path}:{one.line}: {one_line(one.message)}"
    if run.returncode == 1 and not errors:
        return Report(tuple(warnings), files=frozenset(looked), blind=blind)
    return Report(tuple(errors), tuple(warnings), files=frozenset(looked), blind=blind)


def read_tsc(run: ToolRun) -> Report:
    """Read `tsc --pretty false --listFiles`: text only. An error without a file is one of its settings, as is TS5xxx.

    After those it has not looked at everything.
    """
    found, looked, blind = list[Found](), set[str](), ""
    for line in lines(run.stdout):
        if match := TSC_LINE.match(line):
            found.append(Found(run.local(match[1]), int(match[2]), match[3], one_line(match[4])))
            if TSC_SETTINGS.match(match[3]):
                blind = blind or f"{run.local(match[1])}:{match[2]}: {match[3]}: {one_line(match[4])}"
        elif match := TSC_GLOBAL.match(line):
            blind = blind or one_line(f"{match[1]}: {match[2]}".replace(f"{run.source}/", ""))
        elif line.startswith(f"{run.source}/") and "/node_modules/" not in line:
            looked.add(run.local(line))
    grammar = any(TSC_GRAMMAR.match(one.rule) for one in found)
    notes = ("tsc does not check types while there are syntax errors: there may be more",) if grammar else ()
    if run.returncode and not found and not blind:
        return unread(f"exit code {run.returncode} without an error that can be read: {last_words(run)}")
    return Report(tuple(found), files=frozenset(looked), blind=blind, notes=notes)


class _Test(BaseModel):
    name: str = Field(alias="fullName")
    status: str
    messages: list[str] = Field(default_factory=list, alias="failureMessages")


class _TestFile(BaseModel):
    path: str = Field(alias="name")
    status: str
    message: str = ""
    tests: list[_Test] = Field(alias="assertionResults")


class _Tests(BaseModel):
    success: bool
    total: int = Field(alias="numTotalTests", ge=0)
    files: list[_TestFile] = Field(alias="testResults")


def read_vitest(run: ToolRun) -> Report:
    """Read vitest's JSON file: every failed test is a finding, and so is a test file that could not be loaded."""
    if run.report is None:
        return unread(f"vitest left no report: {last_words(run)}")
    try:
        report = _Tests.model_validate_json(run.report)
    except ValidationError as error:
        return unread(f"vitest's report is not its JSON: {one_line(str(error.errors()[0]['msg']), 100)}")
    tests = [test for file in report.files for test in file.tests]
    if len(tests) != report.total:
        return unread(f"vitest's report counts {report.total} tests and holds {len(tests)}")
    found = tuple(one for file in report.files for one in _failures(file, run))
    ran = sum(test.status in ("passed", "failed") for test in tests)
    if not ran and not found:
        return unread(f"ran no test (exit code {run.returncode}): {last_words(run)}")
    if not report.success and not found:
        return unread("vitest's report says that it failed, and names no failure")
    left = len(tests) - ran
    notes = (f"{left} of {len(tests)} tests were skipped",) if left else ()
    return Report(found, files=frozenset(run.local(file.path) for file in report.files), tests=ran, notes=notes)


def _failures(file: _TestFile, run: ToolRun) -> list[Found]:
    path = run.local(file.path)
    if file.status == "failed" and not any(test.status == "failed" for test in file.tests):
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
    match = re.search(rf"{re.escape(posixpath.basename(path))}:(\d+)", stack[:50_000])
    return int(match[1]) if match else 0
