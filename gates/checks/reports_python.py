"""Read the reports of black, isort, flake8 and mypy, as Slipway calls them (tasks/checks/tool_commands.py)."""

import re

from gates.checks.reports import Found, Report, ToolRun, diff_starts, last_words, lines, one_line, unread

BLACK_LOOKED = re.compile(r"^(.+?)(?: already well formatted, good job\.| wasn't modified on disk since last run\.)$")
BLACK_WOULD = re.compile(r"^would reformat (.+)$")
BLACK_ERROR = re.compile(r"^error: (?:cannot format (.+?): (.*)|cannot parse:? (.+?):(\d+):.*)$")
BLACK_COUNTS = re.compile(r"(\d+) files? would (be reformatted|be left unchanged|fail to reformat)")

ISORT_GOOD = re.compile(r"^SUCCESS: (.+) Everything Looks Good!$")
ISORT_BAD = re.compile(r"^ERROR: (.+) Imports are incorrectly sorted and/or formatted\.$")
ISORT_BLIND = re.compile(
    r"Unable to parse file (.+)|Encoding not supported for (.+)|(.+ was broken path.*)|(No valid encodings.*)"
    r"|^ERROR: (.+)$"
)

# Slipway asks flake8 for this; the unit separator stands in no path and no message.
FLAKE8_FORMAT = "\x1f".join(("%(path)s", "%(row)d", "%(col)d", "%(code)s", "%(text)s"))
FLAKE8_LINE = re.compile("^(.+)\x1f(\\d+)\x1f(\\d+)\x1f([A-Z]+[0-9]*)\x1f(.*)$")
FLAKE8_FILES = re.compile(r"^(\d+)\s+(?:total )?files processed$")
FLAKE8_FIGURE = re.compile(r"^[\d.]+\s+(?:seconds elapsed|[a-z ]+ processed(?: per second)?)$")
FLAKE8_BLIND = ("E902", "E999")

MYPY_LINE = re.compile(r"^(.+?):(?:(\d+):)?(?:(\d+):)? error: (.*?)(?:  \[([a-z0-9-]+)\])?$")
MYPY_CLEAN = re.compile(r"^Success: no issues found in (\d+) source files?$")
MYPY_FOUND = re.compile(r"^Found (\d+) errors? in \d+ files? \((?:checked (\d+) source files?|errors prevented .*)\)$")


def read_black(run: ToolRun) -> Report:
    """Read `black --check --diff -v`: a line for each file and a summary, which must agree."""
    looked, would, blind, counts = set[str](), list[str](), "", dict[str, int]()
    for line in lines(run.stderr):
        if match := BLACK_LOOKED.match(line):
            looked.add(run.local(match[1]))
        elif match := BLACK_WOULD.match(line):
            would.append(run.local(match[1]))
        elif match := BLACK_ERROR.match(line):
            where = f"{run.local(match[1])}: {match[2]}" if match[1] else f"{run.local(match[3])}:{match[4]}: bad input"
            blind = blind or one_line(where)
        elif found := BLACK_COUNTS.findall(line):
            counts = {what: int(number) for number, what in found}
        elif "No Python files are present" in line:
            return Report(files=frozenset())
    if not blind and not counts:
        return unread(f"black printed no summary: {last_words(run)}")
    if counts.get("be reformatted", 0) != len(would) or (
        not blind and counts.get("be left unchanged", 0) != len(looked)
    ):
        return unread("black's summary and the files that it names do not agree")
    starts = diff_starts(run.stdout, run)
    message = "black would reformat this file; its first change is here"
    found_ = tuple(Found(file, starts.get(file, 0), "reformat", message) for file in would)
    return Report(found_, files=frozenset(looked | set(would)), blind=blind)


def read_isort(run: ToolRun) -> Report:
    """Read `isort --check-only --diff --atomic -v`: a line for each file. Without `--atomic` it passes what it
    cannot parse.
    """
    good = {run.local(match[1]) for line in lines(run.stdout) if (match := ISORT_GOOD.match(line))}
    bad, blind = list[str](), ""
    for line in lines(run.stderr):
        if match := ISORT_BAD.match(line):
            bad.append(run.local(match[1]))
        elif match := ISORT_BLIND.search(line):
            said = next(group for group in match.groups() if group)
            blind = blind or one_line(said.replace(f"{run.source}/", ""))
    starts = diff_starts(run.stdout, run, ":before")
    message = "imports are not sorted; the first change is here"
    found = tuple(Found(file, starts.get(file, 0), "imports", message) for file in bad)
    return Report(found, files=frozenset(good | set(bad)), blind=blind)


def read_flake8(run: ToolRun) -> Report:
    """Read flake8's report file in Slipway's format, with its own count of files at the end (`--benchmark`)."""
    if run.report is None:
        return unread(f"flake8 left no report: {last_words(run)}")
    found, count, blind = list[Found](), None, ""
    for line in lines(run.report):
        if match := FLAKE8_LINE.match(line):
            found.append(Found(run.local(match[1]), int(match[2]), match[4], one_line(match[5])))
            if match[4] in FLAKE8_BLIND:
                blind = blind or one_line(f"{run.local(match[1])}:{match[2]}: {match[5]}")
        elif match := FLAKE8_FILES.match(line):
            count = int(match[1])
        elif line and not FLAKE8_FIGURE.match(line):
            return unread(f"flake8's report has a line that is none: {one_line(line, 100)}")
    if count is None:
        return unread(f"flake8's report is cut short: {last_words(run)}")
    return Report(tuple(found), count=count, blind=blind)


def read_mypy(run: ToolRun) -> Report:
    """Read mypy's lines and its summary, which must agree on the number of errors."""
    found, count, told, prevented = list[Found](), None, None, False
    for line in lines(run.stdout):
        if match := MYPY_CLEAN.match(line):
            count, told = int(match[1]), 0
        elif match := MYPY_FOUND.match(line):
            told, prevented = int(match[1]), match[2] is None
            count = int(match[2] or 0)
        elif match := MYPY_LINE.match(line):
            found.append(Found(run.local(match[1]), int(match[2] or 0), match[5] or "error", one_line(match[4])))
    if prevented or run.returncode == 2:
        first = f"{found[0].file}:{found[0].line}: {found[0].message}" if found else last_words(run)
        return Report(tuple(found), count=count, blind=first)
    if told is None:
        return unread(f"mypy printed no summary: {last_words(run)}")
    if told != len(found):
        return unread(f"mypy's summary counts {told} errors, and {len(found)} can be read")
    return Report(tuple(found), count=count)
