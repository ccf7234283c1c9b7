"""What a tool's or a suite's result comes to. An exit code alone is never a verdict."""

import re
from dataclasses import dataclass

from gates.requirements import Check, Outcome

# Exit codes as each tool documents them: (clean, findings). Everything else means that it could not look.
EXIT_CODES = {"black": (0, 1), "isort": (0, 1), "flake8": (0, 1), "mypy": (0, 1)}
EXAMINED = {
    "black": re.compile(r"(\d+) files? would be (?:left unchanged|reformatted)"),
    "mypy": re.compile(r"no issues found in (\d+) source files?|\(checked (\d+) source files?\)"),
}
# isort exits 0 on a file that it cannot parse, and only says so.
COULD_NOT_LOOK = {
    "isort": re.compile(r"unable to parse|Unable to parse|Skipped \d+ files.*error|ERROR:.*(?:encoding|syntax)", re.I),
    "black": re.compile(r"No Python files are present|error: cannot format"),
    "flake8": re.compile(r"\bE902\b"),
}


@dataclass(frozen=True)
class ToolRun:
    """How a tool ended: `output` is both its streams, `files` the number of Python files it was pointed at."""

    name: str
    returncode: int
    output: str
    timed_out: bool
    files: int
    seconds: float
    version: str = ""


def judge_tool(run: ToolRun) -> Check:
    """Return the check. A crash, a time-out, an unparsable file or nothing to look at is `no verdict`, never a pass."""
    examined = f"{_examined(run)} files"
    outcome, reason = _outcome(run)
    return Check(
        name=run.name, outcome=outcome, reason=reason, examined=examined, tool=run.version, seconds=run.seconds
    )


def _outcome(run: ToolRun) -> tuple[Outcome, str]:
    clean, findings = EXIT_CODES.get(run.name, (0, 1))
    if run.timed_out:
        return Outcome.NO_VERDICT, "did not end in time"
    blind = COULD_NOT_LOOK.get(run.name)
    if blind and (seen := blind.search(run.output)):
        return Outcome.NO_VERDICT, f"could not look at everything: {_line(run.output, seen.start())}"
    if run.returncode == findings:
        return Outcome.FAILED, _last_line(run.output)
    if run.returncode != clean:
        return Outcome.NO_VERDICT, f"exit code {run.returncode}: {_last_line(run.output)}"
    if _examined(run) == 0:
        return Outcome.NO_VERDICT, "looked at no file"
    return Outcome.PASSED, "clean"


def _examined(run: ToolRun) -> int:
    pattern = EXAMINED.get(run.name)
    if pattern is None:
        return run.files
    return sum(int(next(group for group in match.groups() if group)) for match in pattern.finditer(run.output))


def _line(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    return text[start:].split("\n", 1)[0][:200]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it printed nothing"


@dataclass(frozen=True)
class SuiteRun:
    """How a suite ended. `tests` and the rest come from its JUnit report; None: there is none that can be read."""

    name: str
    returncode: int
    timed_out: bool
    seconds: float
    tests: int | None = None
    failed: int = 0
    skipped: int = 0
    first_failure: str = ""
    last_line: str = ""


def judge_suite(run: SuiteRun) -> Check:
    """Return the check. No report, no test, or an exit code that contradicts the report is `no verdict`."""
    outcome, reason = _suite_outcome(run)
    examined = f"{run.tests or 0} tests" + (f", {run.skipped} skipped" if run.skipped else "")
    return Check(name=run.name, outcome=outcome, reason=reason, examined=examined, tool="pytest", seconds=run.seconds)


def _suite_outcome(run: SuiteRun) -> tuple[Outcome, str]:
    if run.timed_out:
        return Outcome.NO_VERDICT, f"did not end in time: {run.last_line}"
    if run.tests is None:
        return Outcome.NO_VERDICT, f"left no readable report (exit code {run.returncode}): {run.last_line}"
    if run.tests - run.skipped <= 0:
        return Outcome.NO_VERDICT, f"ran no test (exit code {run.returncode})"
    if run.failed:
        return Outcome.FAILED, f"{run.failed} of {run.tests} failed: {run.first_failure}"
    if run.returncode:
        return Outcome.NO_VERDICT, f"exit code {run.returncode} although no test failed: {run.last_line}"
    return Outcome.PASSED, f"{run.tests - run.skipped} passed"


def no_verdict(name: str, reason: str) -> Check:
    """Return the check of something that could not be run at all."""
    return Check(name=name, outcome=Outcome.NO_VERDICT, reason=reason)
