"""Read the reports of pyright, basedpyright and ty, as Slipway calls them (tasks/checks/tool_commands.py)."""

import re
from collections import Counter
from typing import ClassVar, Literal

from pydantic import Field, TypeAdapter

from gates.checks.reports import ANSI, LARGEST, Found, Report, ToolRun, last_words, one_line, unread
from gates.findings import Severity
from gates.strict_json import JsonError, Part, read

TY_INDEXED = re.compile(r"\bIndexed (\d{1,9}) file\(s\)")
TY_BLIND = ("io", "panic")


class _Start(Part):
    MEANS_NOTHING: ClassVar = frozenset({"character", "column"})
    line: int = Field(ge=0, le=LARGEST)


class _Range(Part):
    MEANS_NOTHING: ClassVar = frozenset({"end"})
    start: _Start


class _Diagnostic(Part):
    MEANS_NOTHING: ClassVar = frozenset({"uri"})
    file: str = ""
    severity: Literal["error", "warning", "information"]
    message: str
    range: _Range | None = None
    rule: str = ""


class _Summary(Part):
    MEANS_NOTHING: ClassVar = frozenset({"timeInSec"})
    files: int = Field(alias="filesAnalyzed", ge=0)
    errors: int = Field(alias="errorCount", ge=0)
    warnings: int | None = Field(None, alias="warningCount", ge=0)
    informations: int | None = Field(None, alias="informationCount", ge=0)


class _Pyright(Part):
    MEANS_NOTHING: ClassVar = frozenset({"version", "time"})
    diagnostics: list[_Diagnostic] = Field(alias="generalDiagnostics")
    summary: _Summary

    @property
    def counted(self) -> list[tuple[str, int, int]]:
        """Return for each severity how many the summary counts, and how many the report holds."""
        held = Counter[str](one.severity for one in self.diagnostics)
        said = {
            "error": self.summary.errors,
            "warning": self.summary.warnings,
            "information": self.summary.informations,
        }
        return [(one, held[one] if number is None else number, held[one]) for one, number in said.items()]


PYRIGHT = TypeAdapter(_Pyright)
SEVERITIES = {"error": Severity.MEDIUM, "warning": Severity.LOW, "information": Severity.LOW}


def read_pyright(run: ToolRun) -> Report:
    """Read `pyright --outputjson`. Whether warnings fail is the tool's own setting (`--warnings`), told by its exit.
    Whether they are listed is too (`--level error`); its summary counts them always.
    """
    try:
        given = read(PYRIGHT, run.stdout)
    except JsonError as error:
        return unread(f"pyright printed no report of its own ({one_line(str(error), 100)}): {last_words(run)}")
    errors = [_of_pyright(one, run) for one in given.diagnostics if one.severity == "error"]
    warnings = [_of_pyright(one, run) for one in given.diagnostics if one.severity == "warning"]
    notes = list[str]()
    for severity, told, held in given.counted:
        if told < held or (severity == "error" and told > held):
            return unread(f"pyright's summary counts {told} {severity}s, and its report holds {held}")
        if told > held:
            notes.append(f"pyright counts {told} {severity}s and lists {held}: its command leaves the others out")
    if run.returncode == 1 and not errors:
        return Report(tuple(warnings), count=given.summary.files, notes=tuple(notes))
    return Report(tuple(errors), tuple(warnings), count=given.summary.files, notes=tuple(notes))


def _of_pyright(one: _Diagnostic, run: ToolRun) -> Found:
    line = one.range.start.line + 1 if one.range else 0
    rule, file = one_line(one.rule, 100) or "pyright", run.local(one.file) if one.file else ""
    return Found(file, line, rule, one_line(one.message), SEVERITIES[one.severity])


class _Positions(Part):
    MEANS_NOTHING: ClassVar = frozenset({"end"})
    begin: _Start


class _Where(Part):
    path: str
    positions: _Positions | None = None


class _Ty(Part):
    MEANS_NOTHING: ClassVar = frozenset({"fingerprint"})
    rule: str = Field(alias="check_name")
    message: str = Field(alias="description")
    severity: Literal["info", "minor", "major", "critical", "blocker"]
    where: _Where = Field(alias="location")


TY = TypeAdapter(list[_Ty])


def read_ty(run: ToolRun) -> Report:
    """Read `ty check --output-format=gitlab -v`. Whether warnings fail is the tool's own setting (`error-on-warning`),
    told by its exit.
    """
    try:
        given = read(TY, run.stdout)
    except JsonError as error:
        return unread(f"ty printed no report of its own ({one_line(str(error), 100)}): {last_words(run)}")
    errors, warnings, blind = list[Found](), list[Found](), ""
    for one in given:
        grave = one.severity not in ("info", "minor")
        line = one.where.positions.begin.line if one.where.positions else 0
        severity, rule = Severity.MEDIUM if grave else Severity.LOW, one_line(one.rule, 100) or "ty"
        found = Found(run.local(one.where.path), line, rule, one_line(one.message), severity)
        (errors if grave else warnings).append(found)
        if one.rule in TY_BLIND or one.severity == "blocker":
            blind = blind or one_line(f"{found.file}: {found.message}")
    indexed = TY_INDEXED.findall(ANSI.sub("", run.stderr))
    if not indexed:
        return unread(f"ty does not say how many files it looked at: {last_words(run)}")
    if run.returncode == 1 and not errors:
        errors, warnings = warnings, []
    return Report(tuple(errors), tuple(warnings), count=int(indexed[-1]), blind=blind)
