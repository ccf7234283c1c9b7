"""The code-quality tools: at the app's versions and with the app's settings, each on its own copy of the commit."""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

from prefect.logging import get_run_logger

from gates.baseline import NOTHING, Baseline, known_of, marks
from gates.check import Check, Outcome, no_verdict
from gates.checks.quality import Judged, held_back, judge_tool, with_findings
from gates.checks.reports import Reads, ToolRun
from gates.checks.summary import in_a_line
from gates.folded import fold
from host.errors import SlipwayError
from host.sandbox.run import Completed
from settings.pipeline import Tool
from tasks.artifacts import cell, show
from tasks.checks.complexity import complexity_limit
from tasks.checks.cores import on_a_core
from tasks.checks.tool_caches import ToolCache
from tasks.checks.tool_commands import (
    PRINTED,
    Program,
    full_command,
    node_program,
    python_program,
    reads,
)
from tasks.retries import once
from tasks.source.kept import tidy
from tasks.source.node_packages import link_packages, node_packages
from tasks.source.tracked import to_findings, tracked_lines
from tasks.source.workspace import Looked, Workspace

LARGEST_REPORT_BYTES = 50_000_000
SHOWN = 100
# Sends what a tool prints to two files and becomes the tool. No file that it then writes can grow beyond 1 GB.
APART = """\
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
for number, name in ((1, "stdout"), (2, "stderr")):
    os.dup2(os.open(os.path.join(sys.argv[1], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    os.write(2, f"{sys.argv[2]}: {error.strerror}".encode())
    os._exit(127)
"""


@dataclass(frozen=True)
class Known:
    """The findings that were there at adoption, as of a day (UTC)."""

    baseline: Baseline
    today: date

    def part(self, name: str) -> tuple[object, ...]:
        """Return what a tool's verdict depends on of it."""
        of_it = [(entry.model_dump(mode="json"), entry.due < self.today) for entry in self.baseline.of(name)]
        return (self.baseline.trouble, *of_it)


UNKNOWN = Known(NOTHING, date.min)


@once("quality", "{name}")
def run_quality(name: str, tool: Tool, workspace: Workspace, known: Known = UNKNOWN) -> Looked:
    """Run one tool on a copy of the commit and return its check, its findings in a table of the run.

    A tool that crashed or hung is run again `tool.retries` times; one that found something is not.

    Not repeated: it reads files of this host only, and `tool.retries` is for tools that crash.
    """
    looked = on_a_core(name, workspace, partial(look, name, tool, workspace, known))
    check = looked.check
    log = get_run_logger()
    log.info("%s (%s; %s)", in_a_line(check), check.examined or "nothing", check.tool)
    for note in check.notes:
        log.info("%s: %s", name, note)
    if check.findings:
        show(f"quality-{name.replace('_', '-')}", findings_page(check), f"{name}: {check.reason}"[:200])
    return looked


def look(name: str, tool: Tool, workspace: Workspace, known: Known = UNKNOWN) -> Looked:
    """Run one tool as often as its policy says and judge it. What cannot be run at all comes to `no verdict`."""
    try:
        tracked = tracked_lines(workspace.source.archive, tool.inputs, tool.directory)
        crashes: list[str] = []
        while (judged := _attempt(name, len(crashes), tool, workspace, tracked)).crashed:
            if len(crashes) == tool.retries or workspace.cancelled.is_set():
                break
            crashes.append(f"attempt {len(crashes) + 1}: {judged.check.reason}")
        check = judged.check.model_copy(update={"notes": (*judged.check.notes, *crashes)})
        findings = to_findings(workspace.source.archive, name, judged.found)
        failing = [one for one, its in zip(findings, judged.found, strict=True) if its not in judged.tolerated]
        return Looked(with_findings(held_back(check, findings, failing, known.baseline, known.today), findings))
    except SlipwayError as error:
        return Looked(no_verdict(name, str(error)))


@dataclass(frozen=True)
class _Setting:
    """Where one attempt takes place."""

    name: str
    source: Path
    scratch: Path
    program: Program

    @property
    def report(self) -> Path:
        return self.scratch / "report"

    @property
    def cache(self) -> Path:
        return self.scratch / "cache"


def _attempt(name: str, attempt: int, tool: Tool, workspace: Workspace, tracked: Mapping[str, int]) -> Judged:
    how = reads(name, tool)
    setting = _set_up(f"{name}.{attempt + 1}" if attempt else name, tool, workspace)
    folder = setting.source / tool.directory
    extra, problem, notes = _extra(name, how, tool, setting, folder, workspace)
    argv = full_command(how, setting.program, setting.report, extra)
    printed = how in PRINTED and not any("{report}" in word for word in tool.command)
    if printed:
        python = str(workspace.environment / "bin" / "python")
        argv = [python, "-I", "-S", "-c", APART, str(setting.scratch), *argv]
    cache = ToolCache(name, workspace.environment, workspace.source) if how is Reads.MYPY else None
    if cache:
        cache.lend(setting.cache)
    done = workspace.run(
        setting.name,
        argv,
        _environment(setting, tool),
        tool.timeout_seconds,
        read_only=setting.program.read_only,
        directory=tool.directory,
    )
    run = _tool_run(name, tool, setting, done, printed, tracked, problem, notes)
    judged = judge_tool(how, run)
    if notes and judged.check.outcome in (Outcome.PASSED, Outcome.FAILED):  # by which limits it was judged
        told = f"{judged.check.reason} ({'; '.join(notes)})"
        judged = replace(judged, check=judged.check.model_copy(update={"reason": told}))
    if cache and judged.check.outcome is not Outcome.NO_VERDICT:
        cache.take_back(setting.cache)
        tidy("tools", get_run_logger())
    return judged


def _set_up(name: str, tool: Tool, workspace: Workspace) -> _Setting:
    source = workspace.check_directory(name)
    if tool.runtime == "node":
        packages = node_packages(workspace, source, tool.directory)
        modules = link_packages(packages, source / tool.directory)
        program = node_program(tool, packages, modules)
    else:
        program = python_program(tool, workspace.environment, source)
    return _Setting(name, source, workspace.scratch(name), program)


def _extra(
    name: str, how: Reads, tool: Tool, setting: _Setting, folder: Path, workspace: Workspace
) -> tuple[Sequence[str], str, tuple[str, ...]]:
    """Return what a tool is told beyond the usual, why its verdict could not count, and what to note."""
    if how is Reads.FLAKE8:
        limit = complexity_limit(name, tool.command, folder, setting.source)
        return limit.options, limit.off, (limit.note,) if limit.note else ()
    if how is Reads.MYPY and setting.program.borrowed:
        # Slipway's mypy, which must still see what the app imports.
        return ("--python-executable", str(workspace.environment / "bin" / "python")), "", ()
    if how is Reads.TY and not any(word.partition("=")[0] in ("--python", "--venv") for word in tool.command):
        return ("--python", str(workspace.environment)), "", ()
    return (), "", ()


def _environment(setting: _Setting, tool: Tool) -> dict[str, str]:
    common = {"PATH": setting.program.path, "NO_COLOR": "1", "CI": "true"}
    if tool.runtime == "node":
        return common
    caches = {"MYPY_CACHE_DIR": str(setting.cache), "BLACK_CACHE_DIR": str(setting.scratch / "black")}
    return {**common, **caches, "PYTHONDONTWRITEBYTECODE": "1"}


def _tool_run(
    name: str,
    tool: Tool,
    setting: _Setting,
    done: Completed,
    printed: bool,
    tracked: Mapping[str, int],
    problem: str,
    notes: tuple[str, ...],
) -> ToolRun:
    texts = {file: read_text(setting.scratch / file) for file in ("stdout", "stderr", "report")}
    too_big = [file for file, text in texts.items() if text is None and os.path.lexists(setting.scratch / file)]
    if too_big:
        problem = problem or f"its {too_big[0]} is no file of up to {LARGEST_REPORT_BYTES // 1_000_000} MB"
    return ToolRun(
        name=name,
        returncode=done.returncode,
        stdout=texts["stdout"] or "" if printed else "",
        stderr=(texts["stderr"] or "") + done.output if printed else done.output,
        report=texts["report"],
        timed_out=done.timed_out,
        timeout_s=tool.timeout_seconds,
        exceeded=done.exceeded,
        seconds=round(done.seconds, 2),
        tool=setting.program.label,
        source=str(setting.source),
        directory=tool.directory,
        tracked=tracked,
        problem=problem,
        notes=notes,
    )


def read_text(file: Path) -> str | None:
    """Return a file that a tool left, up to 50 MB; None when there is none, or it is a link, a pipe, or too big."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_size > LARGEST_REPORT_BYTES:
            return None
        with open(descriptor, "rb", closefd=False) as opened:
            return opened.read(LARGEST_REPORT_BYTES).decode(errors="replace")
    finally:
        os.close(descriptor)


def findings_page(check: Check) -> str:
    """Return a check's findings as a table, equal ones in one row, at most 100 rows."""
    rows = ["| where | rule | severity | message | baseline |", "|---|---|---|---|---|"]
    known = marks(check.known)
    folded = fold(check.findings, lambda one: known_of(one, known))
    for one in folded[:SHOWN]:
        words = (one.where, one.rule, one.first.severity, one.message, known_of(one.first, known) or "")
        rows.append(f"| {' | '.join(map(cell, words))} |")
    more = sum(one.count for one in folded[SHOWN:])
    notes = [f"- {cell(note)}" for note in (*([f"{more} more are not shown"] if more > 0 else []), *check.notes)]
    head = f"# {cell(check.name)}: {cell(check.reason)}\n\n{cell(check.tool)} looked at {cell(check.examined)}\n\n"
    return head + "\n".join(rows) + ("\n\n" + "\n".join(notes) if notes else "") + "\n"
