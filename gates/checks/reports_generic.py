"""Read the reports of any other tool: SARIF, or lines that name a file."""

import re
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from gates.checks.reports import Found, Report, ToolRun, last_words, lines, one_line, unread
from gates.findings import Severity

LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.LOW}
LINE = re.compile(r"^([^:\n]+):(\d+)(?::\d+)?(?::|\s-)?\s+(.+)$")
# In this order: `E501 ...`, `[E501] ...`, `error[no-any]: ...`, `... [no-any]`, `... (no-any)`.
RULE = (
    re.compile(r"^\[?([A-Z]+[0-9]+)\]?[:\s]"),
    re.compile(r"^(?:error|warning)\[([\w-]+)\]"),
    re.compile(r"[\[(]([\w-]+)[\])]$"),
)


class _Text(BaseModel):
    text: str = ""


class _Artifact(BaseModel):
    uri: str = ""


class _Region(BaseModel):
    line: int = Field(0, alias="startLine", ge=0)


class _Physical(BaseModel):
    artifact: _Artifact = Field(default_factory=_Artifact, alias="artifactLocation")
    region: _Region = Field(default_factory=_Region)


class _Location(BaseModel):
    physical: _Physical = Field(default_factory=_Physical, alias="physicalLocation")


class _Result(BaseModel):
    rule: str = Field("", alias="ruleId")
    level: Literal["error", "warning", "note", "none"] = "warning"
    message: _Text = Field(default_factory=_Text)
    locations: list[_Location] = Field(default_factory=list)
    suppressions: list[object] = Field(default_factory=list)


class _Notification(BaseModel):
    message: _Text = Field(default_factory=_Text)


class _Invocation(BaseModel):
    successful: bool = Field(alias="executionSuccessful")
    notifications: list[_Notification] = Field(default_factory=list, alias="toolExecutionNotifications")


class _Examined(BaseModel):
    location: _Artifact = Field(default_factory=_Artifact)


class _Run(BaseModel):
    results: list[_Result]
    invocations: list[_Invocation] = Field(default_factory=list)
    artifacts: list[_Examined] | None = None


class _Sarif(BaseModel):
    version: Literal["2.1.0"]
    runs: list[_Run] = Field(min_length=1)


def read_sarif(run: ToolRun) -> Report:
    """Read SARIF 2.1.0 from `{report}`, else from standard output. A note alone does not fail; suppressed results do
    not count.
    """
    text = run.stdout if run.report is None else run.report
    try:
        sarif = _Sarif.model_validate_json(text)
    except ValidationError as error:
        return unread(f"the report is not SARIF 2.1.0: {one_line(str(error.errors()[0]['msg']), 100)}")
    found, notes, blind, looked = list[Found](), list[Found](), "", set[str]()
    for one in sarif.runs:
        for result in one.results:
            if not result.suppressions:
                (found if result.level in ("error", "warning") else notes).append(_found(result, run))
        looked |= {run.local(file.location.uri) for file in one.artifacts or [] if file.location.uri}
        for invocation in one.invocations:
            if not invocation.successful:
                said = [note.message.text for note in invocation.notifications]
                blind = blind or one_line(said[0] if said else "the tool says that it did not succeed")
    told = all(one.artifacts is not None for one in sarif.runs)
    return Report(tuple(found), tuple(notes), files=frozenset(looked) if told else None, blind=blind)


def _found(result: _Result, run: ToolRun) -> Found:
    place = result.locations[0].physical if result.locations else _Physical()
    file = run.local(place.artifact.uri) if place.artifact.uri else ""
    rule = one_line(result.rule, 100) or "finding"
    return Found(file, place.region.line, rule, one_line(result.message.text), LEVELS[result.level])


def read_lines(run: ToolRun) -> Report:
    """Read lines `path:line[:column]: message` that name a file which the commit tracks; others say nothing.

    Exit code 0 is clean and 1 means findings, when both the exit and the lines say so.
    """
    text = run.report if run.report is not None else f"{run.stdout}\n{run.stderr}"
    found = []
    for line in lines(text):
        match = LINE.match(line)
        if match and (path := run.local(match[1].strip())) in run.tracked:
            found.append(Found(path, int(match[2]), _rule(match[3]), one_line(match[3])))
    if run.returncode == 1 and not found:
        return unread(f"exit code 1 without a line that names a file: {last_words(run)}")
    return Report(tuple(found))


def _rule(message: str) -> str:
    matches = (pattern.search(message) for pattern in RULE)
    return next((match[1] for match in matches if match), "finding")
