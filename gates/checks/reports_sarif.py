"""Read SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), from whichever tool."""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from gates.checks.reports import Found, Report, ToolRun, one_line, unread
from gates.checks.sarif_parts import (
    LOG,
    ArtifactLocation,
    Descriptor,
    Invocation,
    Level,
    Log,
    Message,
    Physical,
    Result,
    Run,
    Tool,
)
from gates.checks.sarif_rules import Kinds, Rules
from gates.findings import Severity
from gates.strict_json import JsonError, read

LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.LOW}
NO_ARTIFACT = (
    "its report's `artifacts` name none: let it list what it looks at, or leave the list out, "
    'or print lines instead, with reads = "lines"'
)
UNDECIDED = {"open": "the tool could not decide", "review": "the tool asks a person to decide"}
PLACEHOLDER = re.compile(r"\{(\d{1,3})\}")
LONGEST_TEXT = 2_000


def read_sarif(run: ToolRun) -> Report:
    """Read SARIF from `{report}`, else from standard output.

    Errors and warnings are findings, notes do not fail. A result is hidden only by suppressions that are all accepted,
    by `baselineState: absent`, or by a kind that says so (pass, not applicable, informational). After an error that the
    tool tells of its own run, and where it could not decide, it has not looked at everything.
    """
    try:
        log = read(LOG, run.stdout if run.report is None else run.report)
    except JsonError as error:
        return unread(f"the report is not SARIF 2.1.0: {one_line(str(error))}")
    elsewhere = _elsewhere(log)
    if elsewhere:
        return unread(f"the report has {elsewhere}, which Slipway does not read: let the tool write one whole file")
    said = [_said(one, run) for one in log.runs]
    files = [one.files for one in said if one.files is not None]
    return Report(
        found=tuple(found for one in said for found in one.found),
        tolerated=tuple(found for one in said for found in one.tolerated),
        files=frozenset[str]().union(*files) if len(files) == len(said) else None,
        none=NO_ARTIFACT,
        blind=next((one.blind for one in said if one.blind), ""),
        notes=tuple(note for one in said for note in one.notes),
    )


def _elsewhere(log: Log) -> str:
    """Return the part that lies in another file, or that changes what the other parts mean; "" without one."""
    if log.elsewhere:
        return "inlineExternalProperties"
    for number, one in enumerate(log.runs):
        if one.elsewhere:
            return f"runs.{number}.externalPropertyFileReferences"
        if one.policies:
            return f"runs.{number}.policies"
    return ""


@dataclass(frozen=True)
class _Said:
    found: list[Found]
    tolerated: list[Found]
    files: frozenset[str] | None
    blind: str
    notes: list[str]


def _said(one: Run, run: ToolRun) -> _Said:
    """Return what one run of a report comes to."""
    found, tolerated, named, undecided = list[Found](), list[Found](), set[str](), ""
    rules = Rules(one)
    for result in one.results:
        meant = rules.of(result)
        told = _found(result, meant.level, meant.descriptors, one, run)
        named.add(told.file)
        if _hidden(result):
            continue
        if result.kind in UNDECIDED:
            undecided = undecided or one_line(f"{told.file} {told.rule}: {UNDECIDED[result.kind]}: {told.message}")
        elif meant.level in ("error", "warning"):
            found.append(told)
        elif result.kind == "fail":
            tolerated.append(told)
    faults, warnings = _of_itself(one)
    notes = [one_line(f"the tool warns of its own run ({len(warnings)}): {warning}") for warning in warnings[:1]]
    blind = next((fault for fault in (*faults, one_line(_lost(rules.lost)), undecided) if fault), "")
    return _Said(found, tolerated, _looked_at(one, run, named), blind, notes)


def _looked_at(one: Run, run: ToolRun, named: Iterable[str]) -> frozenset[str] | None:
    """Return the files that a run lists. None without a list, and where it lists only files that its results name
    (`named`): many tools list no others, so that it says nothing of these.
    """
    if one.artifacts is None:
        return None
    listed = frozenset(path for part in one.artifacts if (path := _path(part.location, one, run)))
    return None if listed and listed.issubset(named) else listed


def _hidden(result: Result) -> bool:
    suppressed = bool(result.suppressions) and all(one.status == "accepted" for one in result.suppressions)
    return suppressed or result.baseline == "absent"


def _of_itself(one: Run) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings that a tool tells of its own run; also of the program that converted them."""
    faults, warnings = _told(one.tool, one.invocations, one)
    if one.conversion and one.conversion.invocation:
        more = _told(one.conversion.tool, [one.conversion.invocation], one)
        return faults + more[0], warnings + more[1]
    return faults, warnings


def _told(tool: Tool, invocations: Sequence[Invocation], one: Run) -> tuple[list[str], list[str]]:
    kinds = Kinds(tool, [change for invocation in invocations for change in invocation.kinds])
    said = [[(kinds.level(note), _text(note.message, ())) for note in each.notifications] for each in invocations]
    failures = [_failure(each, words, one) for each, words in zip(invocations, said, strict=True)]
    told = [each for words in said for each in words]
    errors = [text or "an error of its own run, without a word" for level, text in told if level == "error"]
    faults = [*failures, *errors, _lost(kinds.lost)]
    return [one_line(fault) for fault in faults if fault], [text for level, text in told if level == "warning"]


def _lost(component: str) -> str:
    return component and f"it sets a level for {component}, a component that it does not hold"


def _failure(invocation: Invocation, said: Sequence[tuple[Level, str]], one: Run) -> str:
    """Return why an invocation cannot have come to its end, "" when it may have."""
    broken = invocation.start_failure or invocation.signal or invocation.signal_number
    if broken or not invocation.successful:
        return next((text for _, text in said if text), "the tool says that it did not succeed")
    if invocation.exit_code and not one.results:
        return f"it says that it ended with exit code {invocation.exit_code}, and has no result"
    return ""


def _found(result: Result, level: Level, rules: Sequence[Descriptor], one: Run, run: ToolRun) -> Found:
    place = result.locations[0].physical if result.locations else Physical()
    name = result.rule_id or (result.rule.id if result.rule else "") or next((rule.id for rule in rules), "")
    rule, message = one_line(name, 100) or "finding", one_line(_text(result.message, rules))
    return Found(_path(place.artifact, one, run), place.region.line, rule, message, LEVELS[level])


def _text(message: Message, rules: Sequence[Descriptor]) -> str:
    """Return a message's text; one that is named stands with the rule, and has places for the result's own words."""
    text = message.text or message.markdown
    if not text and message.id:
        strings = (rule.strings.get(message.id) for rule in rules)
        text = next((string.text for string in strings if string), message.id)
    words = message.arguments
    return PLACEHOLDER.sub(lambda at: words[int(at[1])] if int(at[1]) < len(words) else at[0], text[:LONGEST_TEXT])


def _path(location: ArtifactLocation, one: Run, run: ToolRun) -> str:
    """Return an artifact's path in the source, "" without one."""
    artifacts = one.artifacts or []
    if not location.uri and 0 <= location.index < len(artifacts):
        location = artifacts[location.index].location
    if not location.uri:
        return ""
    base = one.bases.get(location.base)
    uri = posixpath.join(base.uri, location.uri) if base and base.uri.startswith("file://") else location.uri
    return run.local(unquote(uri.removeprefix("file://localhost").removeprefix("file://")))
