"""Read the reports of ruff, pylint, codespell and vulture, as Slipway calls them (tasks/checks/tool_commands.py)."""

import re
from collections import Counter
from typing import ClassVar, Literal

from pydantic import Field, TypeAdapter

from gates.checks.no_files import said_no_files
from gates.checks.reports import (
    ANSI,
    LARGEST,
    Found,
    Report,
    ToolRun,
    diff_starts,
    last_words,
    lines,
    one_line,
    unread,
)
from gates.findings import Severity
from gates.strict_json import JsonError, Part, read

RUFF_LOOKED = re.compile(r"\[DEBUG\] Checking: (.+)$")
RUFF_BLIND = ("", "E902", "E999", "invalid-syntax", "io")
RUFF_COUNTS = re.compile(r"(\d{1,9}) files? (would be reformatted|already formatted|left unchanged)")
RUFF_SUMMARY = re.compile(rf"^{RUFF_COUNTS.pattern}(?:, {RUFF_COUNTS.pattern})*$")
# What ruff says of a file, or of itself, instead of what it found there; with `-v` behind the level in brackets.
RUFF_FAULT = re.compile(
    r"^(?:error: |(?:\[[^\]]*\])*\[ERROR\] )(.+)$"
    r"|^(?:warning: |(?:\[[^\]]*\])*\[WARN\] )((?:Failed to|Could not|Cannot|Unable to|Encountered|Panicked) .+)$"
)
CELL = re.compile(r":cell \d+$")

PYLINT_RATED = "Your code has been rated at "
PYLINT_CHECKED = re.compile(r"^Checked (\d{1,9}) files\b")
PYLINT_BEGUN = re.compile(r"^Linting (\d{1,9}) modules?\b")
PYLINT_SETTINGS = 2
PYLINT_BLIND = ("astroid-error", "fatal", "parse-error", "syntax-error")

CODESPELL_LINE = re.compile(r"^(.+?):(\d{1,9}): (.+? ==> .+)$")
CODESPELL_COUNT = re.compile(r"^\d{1,9}$")
CODESPELL_NAME = re.compile(r"^(.+?): (\S+ +==> .+)$")

CODESPELL_FAULT = re.compile(r"^(?:ERROR: (.+)|WARNING: ((?:Cannot|Could not|Unable to|Failed to) .+))$")
CODESPELL_NEXT = re.compile(r"^WARNING: Trying next encoding\b")

VULTURE_LOOKED = re.compile(r"^Scanning: (.+)$")
VULTURE_LINE = re.compile(r"^(.+?):(\d{1,9}): (.+) \((\d{1,3})% confidence(?:, \d+ lines?)?\)$")
VULTURE_WHITELIST = re.compile(r"^(?:\S[^#]*  )?# un[^()]+ \(.+:\d+\)$")
VULTURE_BLIND = re.compile(r"^(?:.+?:\d+: (?!\w*Warning: ).+|.+?: invalid source code .+|Error: .+)$")


class _Place(Part):
    MEANS_NOTHING: ClassVar = frozenset({"column"})
    row: int = Field(ge=0, le=LARGEST)


class _Ruff(Part):
    MEANS_NOTHING: ClassVar = frozenset({"cell", "end_location", "fix", "name", "noqa_row", "url"})
    code: str = ""
    file: str = Field(alias="filename")
    message: str
    place: _Place = Field(default_factory=lambda: _Place(row=0), alias="location")
    severity: Literal["fatal", "error", "warning", "info"] = "error"


RUFF = TypeAdapter(list[_Ruff])


def read_ruff(run: ToolRun) -> Report:
    """Read `ruff check --output-format=json -v`. What it could not parse or read is no look at it; all else fails."""
    try:
        given = read(RUFF, run.stdout)
    except JsonError as error:
        return unread(f"ruff printed no report of its own ({one_line(str(error), 100)}): {last_words(run)}")
    found, blind = list[Found](), ""
    for one in given:
        path, message = run.local(one.file), one_line(one.message)
        found.append(Found(path, one.place.row, one_line(one.code, 100) or "ruff", message))
        if one.code in RUFF_BLIND or one.severity == "fatal":
            blind = blind or one_line(f"{path}:{one.place.row}: {message}")
    looked = frozenset(run.local(match[1]) for line in lines(run.stderr) if (match := RUFF_LOOKED.search(line)))
    return Report(tuple(found), files=looked, blind=blind or _ruffs_fault(run))


def _ruffs_fault(run: ToolRun) -> str:
    """Return the first file that ruff says it failed at, "" for none: it may end with 0 all the same."""
    faults = (match[1] or match[2] for line in lines(run.stderr) if (match := RUFF_FAULT.match(line)))
    return one_line(next(faults, "").replace(f"{run.source}/", ""))


def read_ruff_format(run: ToolRun) -> Report:
    """Read `ruff format --diff`: the changes, and a summary of how many files there are, which must agree."""
    blind, counts = _ruffs_fault(run), Counter[str]()
    for line in lines(run.stderr):
        if RUFF_SUMMARY.match(line):
            counts = Counter({what: int(number) for number, what in RUFF_COUNTS.findall(line)})
    if not counts and not blind:
        none = said_no_files(run.stderr)
        return Report(files=frozenset(), none=none) if none else unread(f"ruff has no summary: {last_words(run)}")
    starts = {CELL.sub("", file): line for file, line in reversed(diff_starts(run.stdout, run).items())}
    if counts["would be reformatted"] != len(starts):
        return unread("ruff's summary and the files that it would change do not agree")
    message = "ruff would reformat this file; its first change is here"
    found = tuple(Found(file, line, "reformat", message) for file, line in sorted(starts.items()))
    return Report(found, count=counts.total(), blind=blind)


class _Lint(Part):
    MEANS_NOTHING: ClassVar = frozenset(
        "confidence module obj column endLine endColumn absolutePath".split(),
    )
    kind: Literal["fatal", "error", "warning", "refactor", "convention", "info"] = Field(alias="type")
    symbol: str
    message: str
    code: str = Field(alias="messageId")
    line: int = Field(0, ge=0, le=LARGEST)
    path: str


class _LintFigures(Part):
    MEANS_NOTHING: ClassVar = frozenset({"score"})
    modules: int = Field(alias="modulesLinted", ge=0)
    counts: dict[str, int] = Field(alias="messageTypeCount")


class _Pylint(Part):
    messages: list[_Lint]
    figures: _LintFigures = Field(alias="statistics")


PYLINT = TypeAdapter(_Pylint)
PYLINT_SEVERITIES = {"fatal": Severity.HIGH, "error": Severity.HIGH, "warning": Severity.MEDIUM}


def read_pylint(run: ToolRun) -> Report:
    """Read pylint's JSON file (`json2`), and from what it printed how many files it checked.

    Errors fail always. Which other messages do is the tool's own setting (`fail-under`, `fail-on`), told by its exit.
    """
    if not (run.report or "").strip():
        return unread(f"pylint left no report (Slipway needs pylint 3 or newer): {last_words(run)}")
    try:
        given = read(PYLINT, run.report or "")
    except JsonError as error:
        return unread(f"pylint's report is not its JSON: {one_line(str(error))}")
    held = Counter(str(one.kind) for one in given.messages)
    for kind, told in given.figures.counts.items():
        if told > held[kind]:
            return unread(f"pylint's report counts {told} messages of kind {one_line(kind, 20)} and holds {held[kind]}")
    failing, tolerated, blind = list[Found](), list[Found](), ""
    for one in given.messages:
        severity = PYLINT_SEVERITIES.get(one.kind, Severity.LOW)
        found = Found(run.local(one.path), one.line, one_line(one.code, 100), one_line(one.message), severity)
        fails = one.kind in ("fatal", "error") or (run.returncode > 0 and one.kind != "info")
        (failing if fails else tolerated).append(found)
        if one.kind == "fatal" or one.symbol in PYLINT_BLIND:
            blind = blind or one_line(f"{found.file}:{found.line}: {found.message}")
    return Report(tuple(failing), tuple(tolerated), count=_checked(run, given.figures.modules), blind=blind)


def _checked(run: ToolRun, modules: int) -> int | None:
    """Return how many files pylint says it checked: below its rating, else (`--errors-only`) before it begins.

    Of its settings it makes two `modules` or three; None when that leaves the number open.
    """
    texts = lines(run.stdout)
    below = [after for line, after in zip(texts, texts[1:], strict=False) if line.startswith(PYLINT_RATED)]
    begun = next((match for line in texts if (match := PYLINT_BEGUN.match(line))), None)
    match = (PYLINT_CHECKED.match(below[-1]) if below else None) or begun
    if match is None:
        return 0 if modules <= PYLINT_SETTINGS else None
    return int(match[1])


def read_codespell(run: ToolRun) -> Report:
    """Read `codespell --count`: lines `path:line: wrong ==> right`, and their number, which must agree.

    It does not say which files it looked at.
    """
    found, said = list[Found](), lines(ANSI.sub("", run.stderr.rstrip("\n")))
    for line in lines(ANSI.sub("", run.stdout)):
        if match := CODESPELL_LINE.match(line):
            found.append(Found(run.local(match[1]), int(match[2]), "spelling", one_line(match[3]), Severity.LOW))
        elif match := CODESPELL_NAME.match(line):
            found.append(Found(run.local(match[1]), 0, "spelling", one_line(match[2]), Severity.LOW))
    if any(line.startswith("FIXED:") for line in said):
        return unread("codespell changed files instead of telling what is wrong: take out `write-changes`")
    if not CODESPELL_COUNT.match(said[-1]):
        return unread(f"codespell has no count of what it found: {last_words(run)}")
    if int(said[-1]) != len(found):
        return unread(f"codespell counts {int(said[-1])} misspellings, and {len(found)} can be read")
    return Report(tuple(found), blind=_codespells_fault(said, run))


def _codespells_fault(said: list[str], run: ToolRun) -> str:
    """Return the first file that codespell could not read, "" for none. Of several encodings one may do."""
    for line, after in zip(said, [*said[1:], ""], strict=True):
        if (match := CODESPELL_FAULT.match(line)) and not CODESPELL_NEXT.match(after):
            return one_line((match[1] or match[2]).replace(f"{run.source}/", ""))
    return ""


def read_vulture(run: ToolRun) -> Report:
    """Read `vulture --verbose`: the files that it scanned, and lines `path:line: message (60% confidence)`."""
    found, looked = list[Found](), set[str]()
    for line in lines(run.stdout):
        if match := VULTURE_LINE.match(line):
            message = one_line(f"{match[3]} ({match[4]}% confidence)")
            found.append(Found(run.local(match[1]), int(match[2]), "dead code", message))
        elif match := VULTURE_LOOKED.match(line):
            looked.add(run.local(match[1]))
        elif VULTURE_WHITELIST.match(line):
            return unread("vulture writes a whitelist instead of what it found: take out `make_whitelist`")
    errors = [line for line in lines(run.stderr) if VULTURE_BLIND.match(line)]
    blind = one_line(errors[0].replace(f"{run.source}/", "")) if errors else ""
    return Report(tuple(found), files=frozenset(looked), blind=blind)
