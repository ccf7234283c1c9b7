"""Read the report of any other tool: lines that name a file."""

import re
from collections.abc import Iterator, Mapping

from gates.checks.no_files import said_no_files
from gates.checks.reports import ANSI, Found, Report, ToolRun, last_words, lines, one_line, unread

LINE = re.compile(r"^([^:\n]+):(\d{1,9})(?::\d+)?(?::|\s-)?\s+(.+)$")
# In this order: `E501 ...`, `[E501] ...`, `error[no-any]: ...`, `... [no-any]`, `... (no-any)`.
RULE = (
    re.compile(r"^\[?([A-Z]+[0-9]+)\]?[:\s]"),
    re.compile(r"^(?:error|warning)\[([\w-]+)\]"),
    re.compile(r"[\[(]([\w-]+)[\])]$"),
)
# `--> path:line:column` below its message, as Rust's tools draw it.
ARROW = re.compile(r"^\s*--> (.+?):(\d{1,9})(?::\d+)?$")
# A line that is a file's name, and below it what is wrong there: `H014 3:0 message` or `3:0  error  message`.
BELOW = re.compile(r"^\s*(?:([A-Z]+\d+)\s+)?(\d{1,9}):\d+:?\s+(\S.*)$")
CHANGED = re.compile(r"^(?:would reformat|reformatted|rewriting|fixing|fixed|reordering imports in):? (.+)$", re.I)
# What Python itself prints of a line that it runs (`python -W default`), whichever program runs it.
OF_PYTHON = re.compile(r"^[A-Z]\w*(?:Warning|DeprecatedSince\w*): ")
# The option by which a tool writes one line for each finding, where it does not by itself.
OPTIONS: Mapping[str, str] = {
    "djlint": '--linter-output-format "{filename}:{line} {code} {message}"',
    "shellcheck": "--format gcc",
    "yamllint": "--format parsable",
    "bandit": '--format sarif --output {report}, with reads = "sarif"',
    "semgrep": '--sarif --output {report}, with reads = "sarif"',
}


def read_lines(run: ToolRun) -> Report:
    """Read lines `path:line[:column]: message` that name a file which the commit tracks; others say nothing.

    Also understood: a message with `--> path:line` below it, a file's name with `line:column message` below it, and
    `would reformat path`. Exit code 0 is clean and 1 means findings, when both the exit and the lines say so. Warnings
    of Python itself are none of the tool's.
    """
    text = ANSI.sub("", run.report if run.report is not None else f"{run.stdout}\n{run.stderr}")
    warnings = list[str]()
    found = tuple(_named(lines(text), run, warnings))
    if run.returncode == 1 and not found:
        return unread(f"exit code 1 without a line that names a file: {last_words(run)}; {_cure(run)}")
    notes = (
        (f"Python's own warnings are none of the tool's ({len(warnings)} left out): {warnings[0]}",) if warnings else ()
    )
    if not found and (said := said_no_files(text)):
        none = f"{said}; if it looked all the same, let it write its lines into {{report}}"
        return Report(files=frozenset(), none=none, notes=notes)
    return Report(found, notes=notes)


def _named(texts: list[str], run: ToolRun, warnings: list[str]) -> Iterator[Found]:
    """Yield the findings; add what Python itself warns of to `warnings`."""
    names = {file.rpartition("/")[2] for file in run.tracked}

    def tracked(path: str) -> str:
        """Return the path in the source, "" for a file that the commit does not track."""
        known = path.strip().rpartition("/")[2] in names  # most lines name none, and this is quick
        return local if known and (local := run.local(path.strip())) in run.tracked else ""

    above, message = "", ""
    for text in texts:
        if (match := LINE.match(text)) and (path := tracked(match[1])) and OF_PYTHON.match(match[3]):
            warnings.append(one_line(f"{path}:{match[2]}: {match[3]}", 200))
        elif match and path:
            yield Found(path, int(match[2]), _rule(match[3]), one_line(match[3]))
        elif (match := ARROW.match(text)) and (path := tracked(match[1])):
            yield Found(path, int(match[2]), _rule(message), one_line(message))
        elif above and (match := BELOW.match(text)):
            yield Found(above, int(match[2]), match[1] or _rule(match[3]), one_line(match[3]))
        elif (match := CHANGED.match(text)) and (path := tracked(match[1])):
            yield Found(path, 0, "changed", one_line(text))
        else:
            above = tracked(text.strip(" \t:")) or above
        message = text if text.strip() else message


def _cure(run: ToolRun) -> str:
    """Return what to do for a tool whose lines cannot be read."""
    program = run.tool.split(" ")[0]
    option = OPTIONS.get(program, "its option for one line `path:line: message` a finding")
    return f'give its command {option}, or SARIF in {{report}} with reads = "sarif"'[:200]


def _rule(message: str) -> str:
    matches = (pattern.search(message) for pattern in RULE)
    return next((match[1] for match in matches if match), "finding")
