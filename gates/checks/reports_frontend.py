"""Read the reports of eslint and tsc, as Slipway calls them (tasks/checks/tool_commands.py)."""

import re
from typing import ClassVar, Literal

from pydantic import Field, TypeAdapter

from gates.checks.reports import LARGEST, Found, Report, ToolRun, last_words, lines, one_line, unread
from gates.findings import Severity
from gates.strict_json import JsonError, Part, read

TSC_LINE = re.compile(r"^(.+)\((\d+),\d+\): error (TS\d+): (.*)$")
TSC_GLOBAL = re.compile(r"^error (TS\d+): (.*)$")
TSC_SETTINGS = re.compile(r"^TS5\d{3}$")
TSC_GRAMMAR = re.compile(r"^TS1\d{3}$")


class _Message(Part):
    MEANS_NOTHING: ClassVar = frozenset(
        {"column", "endLine", "endColumn", "nodeType", "messageId", "fix", "suggestions", "source"}
    )
    rule: str = Field("", alias="ruleId")
    severity: Literal[1, 2]
    message: str
    line: int = Field(0, le=LARGEST)
    fatal: bool = False


class _File(Part):
    MEANS_NOTHING: ClassVar = frozenset(
        "suppressedMessages fixableErrorCount fixableWarningCount usedDeprecatedRules source stats".split()
    )
    path: str = Field(alias="filePath")
    messages: list[_Message]
    errors: int = Field(0, alias="errorCount")
    fatal: int = Field(0, alias="fatalErrorCount")
    warnings: int = Field(0, alias="warningCount")
    mended: str | None = Field(None, alias="output")

    @property
    def doubt(self) -> str:
        """Return why the messages cannot be all: the counters tell more, or the file was mended; "" for no doubt."""
        if self.mended is not None:
            return "tells changes (take out `--fix`) instead of what is wrong"
        held = (
            (self.errors, sum(one.severity == 2 for one in self.messages), "errors"),
            (self.fatal, sum(one.fatal for one in self.messages), "fatal errors"),
            (self.warnings, sum(one.severity == 1 for one in self.messages), "warnings"),
        )
        return next((f"counts {told} {what} and holds {count}" for told, count, what in held if told > count), "")


ESLINT = TypeAdapter(list[_File])


def read_eslint(run: ToolRun) -> Report:
    """Read eslint's JSON file. What it could not parse is `fatal`; a file that it was told to ignore is no look at it.

    Warnings are findings, low ones; whether they fail is the tool's own setting (`--max-warnings`), told by its exit.
    """
    if run.report is None:
        return unread(f"eslint left no report: {last_words(run)}")
    try:
        files = read(ESLINT, run.report)
    except JsonError as error:
        return unread(f"eslint's report is not its JSON: {one_line(str(error))}")
    errors, warnings, blind, looked = list[Found](), list[Found](), "", set[str]()
    for file in files:
        path = run.local(file.path)
        if file.doubt:
            return unread(f"eslint's report {file.doubt} for {one_line(path, 100)}")
        if any(not one.rule and one.message.startswith("File ignored") for one in file.messages):
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
