"""What a code-quality tool's report says: one model for all of them, filled by a reader for each kind of report."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gates.findings import Severity
from gates.repository_paths import from_top

LONGEST_MESSAGE = 300
LARGEST = 2**31  # no file has a line of a greater number
LONGEST_LINE = 4_000  # of a report in text; what is longer is cut before any pattern sees it
PYTHON = re.compile(r"\.pyi?$")
MODULE = re.compile(r"\.py$")
SCRIPT = re.compile(r"\.[cm]?[jt]sx?$")
TYPESCRIPT = re.compile(r"\.[cm]?tsx?$")
BROWSER_TEST = re.compile(r"\.(test|spec)\.[cm]?[jt]sx?$")
ANYTHING = re.compile("")
ERROR = re.compile(r"\b(?:[A-Z]\w*)?[Ee]rror: ")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Reads(StrEnum):
    """How a tool's report is read: by that tool's own format, or for any other tool as `sarif` or `lines`."""

    BLACK = "black"
    ISORT = "isort"
    FLAKE8 = "flake8"
    MYPY = "mypy"
    ESLINT = "eslint"
    TSC = "tsc"
    VITEST = "vitest"
    RUFF = "ruff"
    RUFF_FORMAT = "ruff-format"
    PYLINT = "pylint"
    PYRIGHT = "pyright"
    BASEDPYRIGHT = "basedpyright"
    TY = "ty"
    CODESPELL = "codespell"
    VULTURE = "vulture"
    SARIF = "sarif"
    LINES = "lines"


# What each kind of tool should look at, of the files that the commit tracks.
KIND: Mapping[Reads, re.Pattern[str]] = {
    Reads.BLACK: PYTHON,
    Reads.ISORT: PYTHON,
    Reads.FLAKE8: MODULE,
    Reads.MYPY: PYTHON,
    Reads.ESLINT: SCRIPT,
    Reads.TSC: TYPESCRIPT,
    Reads.VITEST: BROWSER_TEST,
    Reads.RUFF: PYTHON,
    Reads.RUFF_FORMAT: PYTHON,
    Reads.PYLINT: MODULE,
    Reads.PYRIGHT: PYTHON,
    Reads.BASEDPYRIGHT: PYTHON,
    Reads.TY: PYTHON,
    Reads.CODESPELL: ANYTHING,
    Reads.VULTURE: MODULE,
    Reads.SARIF: ANYTHING,
    Reads.LINES: ANYTHING,
}


@dataclass(frozen=True)
class ToolRun:
    """How a tool ended and what it left. `tracked` gives the lines of each file that it should look at, by its path
    in the source; `source` is where that lay, `directory` where in it the tool ran.

    `report` is its report file's text, None without one. `problem` says why its verdict cannot count whatever it
    found: a report too big to be read, a limit that the app's settings turn off. `timeout_s` is what it was given,
    `exceeded` the limit that it passed ("used more than 512 processes"), "" for none.
    """

    name: str
    returncode: int
    stdout: str = ""
    stderr: str = ""
    report: str | None = None
    timed_out: bool = False
    timeout_s: float = 0
    exceeded: str = ""
    seconds: float = 0
    tool: str = ""
    source: str = "/source"
    directory: str = "."
    tracked: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    notes: tuple[str, ...] = ()

    def local(self, path: str) -> str:
        """Return a path that the tool printed as one in the source; only the file's name for one outside of it."""
        return from_top(path.removeprefix("file://"), self.directory, self.source)


@dataclass(frozen=True)
class Found:
    """One finding as the report has it; `file` is a path in the source, `line` is 1-based, 0 without one."""

    file: str
    line: int
    rule: str
    message: str
    severity: Severity = Severity.MEDIUM


@dataclass(frozen=True)
class Report:
    """What a report says. `tolerated` are findings that the tool's own settings let pass.

    `files` are the files that it looked at; None when it tells only their number (`count`), or not even that (None).
    `none` says why there is no file, where there is none. `blind` says what it could not look at, `unread` why the
    report cannot be trusted at all.
    """

    found: tuple[Found, ...] = ()
    tolerated: tuple[Found, ...] = ()
    files: frozenset[str] | None = None
    count: int | None = None
    tests: int | None = None
    none: str = ""
    blind: str = ""
    unread: str = ""
    notes: tuple[str, ...] = ()


Reader = Callable[[ToolRun], Report]


def unread(reason: str) -> Report:
    """Return the report of a tool whose report is absent, garbage, or contradicts itself."""
    return Report(unread=reason)


def lines(text: str) -> list[str]:
    """Return the lines of a report, each cut to 4,000 characters. Only a newline ends one."""
    return [line[:LONGEST_LINE].rstrip("\r") for line in text.split("\n")]


def one_line(text: str, most: int = LONGEST_MESSAGE) -> str:
    """Return text on one line, without control characters, cut to `most` characters."""
    return CONTROL.sub(" ", text[: 4 * most]).strip()[:most]


def last_line(text: str) -> str:
    """Return the last line that says something."""
    said = [line for line in text[-20_000:].splitlines() if line.strip()]
    return one_line(said[-1], 200) if said else "it printed nothing"


def last_words(run: ToolRun) -> str:
    """Return the last error that the tool told, else the last line that it printed."""
    text = run.stderr if run.stderr.strip() else run.stdout
    errors = [line for line in lines(text[-20_000:]) if ERROR.search(line)]
    return one_line(errors[-1], 200) if errors else last_line(text)


def diff_starts(diff: str, run: ToolRun, suffix: str = "") -> dict[str, int]:
    """Return the first changed line of each file of a unified diff; `suffix` follows the old name of each."""
    starts: dict[str, int] = {}
    file, line, seeking = "", 0, False
    texts = lines(diff)
    for text, following in zip(texts, [*texts[1:], ""], strict=True):
        if text.startswith("--- ") and following.startswith("+++ "):
            file = run.local(text[4:].split("\t")[0].removesuffix(suffix))
        elif match := re.match(r"@@ -(\d+)", text):
            line, seeking = int(match[1]), file not in starts
        elif seeking and text[:1] in ("+", "-"):
            starts[file], seeking = max(line, 1), False
        elif seeking:
            line += 1
    return starts
