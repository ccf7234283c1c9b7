"""Read SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/), from whichever tool."""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from gates.checks.reports import Found, Report, ToolRun, one_line, unread
from gates.checks.sarif_parts import LOG, ArtifactLocation, Descriptor, Invocation, Log, Message, Physical, Result, Run
from gates.checks.sarif_rules import Rules
from gates.findings import Severity
from gates.strict_json import JsonError, read

LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW, "none": Severity.LOW}
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
    told = all(one.artifacts is not None for one in log.runs)
    return Report(
        found=tuple(found for one in said for found in one.found),
        tolerated=tuple(found for one in said for found in one.tolerated),
        files=frozenset(file for one in said for file in one.files) if told else None,
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
    files: set[str]
    blind: str
    notes: list[str]


def _said(one: Run, run: ToolRun) -> _Said:
    """Return what one run of a report comes to."""
    said = _Said([], [], {path for part in one.artifacts or () if (path := _path(part.location, one, run))}, "", [])
    rules, undecided = Rules(one), ""
    for result in one.results:
        if _hidden(result):
            continue
        level = rules.level(result)
        found = _found(result, level, rules.of(result), one, run)
        if result.kind in UNDECIDED:
            undecided = undecided or one_line(f"{found.file} {found.rule}: {UNDECIDED[result.kind]}: {found.message}")
        elif level in ("error", "warning"):
            said.found.append(found)
        elif result.kind == "fail":
            said.tolerated.append(found)
    faults, warnings = _of_itself(one, rules)
    notes = [one_line(f"the tool warns of its own run ({len(warnings)}): {warning}") for warning in warnings[:1]]
    return _Said(said.found, said.tolerated, said.files, next(iter(faults), undecided), notes)


def _hidden(result: Result) -> bool:
    suppressed = bool(result.suppressions) and all(one.status == "accepted" for one in result.suppressions)
    return suppressed or result.baseline == "absent"


def _of_itself(one: Run, rules: Rules) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings that a tool tells of its own run; also of the program that converted them."""
    failures, faults, warnings = list[str](), list[str](), list[str]()
    converted = [one.conversion.invocation] if one.conversion and one.conversion.invocation else []
    for invocation in (*one.invocations, *converted):
        said = [(rules.level_of(note), _text(note.message, ())) for note in invocation.notifications]
        faults += [text or "an error of its own run, without a word" for level, text in said if level == "error"]
        warnings += [text for level, text in said if level == "warning"]
        if not _successful(invocation):
            failures.append(next((text for _, text in said if text), "the tool says that it did not succeed"))
    return [one_line(fault) for fault in (*failures, *faults)], warnings


def _successful(invocation: Invocation) -> bool:
    return invocation.successful and not invocation.start_failure and not invocation.signal


def _found(result: Result, level: str, rules: Sequence[Descriptor], one: Run, run: ToolRun) -> Found:
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
