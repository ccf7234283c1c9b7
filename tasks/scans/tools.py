"""How a scan runs a scanner, and how it reads what the scanner left: with suspicion.

All of them parse what an app brings, so all run in the sandbox: those that work in a folder of their own (`Scanner`),
and those that answer by what they print (`run_tool`). None gets the engine, the mirror or a key: an image and a history
are copied for it. Whatever goes wrong is a reason for no verdict.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gates.check import Check
from gates.checks.reports import last_line
from gates.documents import first_fault
from gates.scans.outcome import Model, ReportError, ScanOutcome, conclude, merge_parts
from gates.strict_json import JsonError, parse
from host.errors import SlipwayError, SourceAway, ToolError
from host.files import give
from host.sandbox import run as sandbox
from tasks.scans import Subject
from tasks.source.dependencies import own_tools
from tasks.source.untrusted import open_untrusted
from tasks.source.workspace import Workspace, tool_path

LARGEST_REPORT_BYTES, OUTPUT_BYTES = 64_000_000, 8_000_000
# How this host reaches the network, for scanners that must; nothing else of our environment is passed on.
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy")
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


def scan_parts(name: str, tool: str, parts: Mapping[str, Callable[[], ScanOutcome]]) -> Check:
    """Look at each part in turn and return the scan's check, with the seconds it took. A part that cannot be looked at
    hides no other.
    """
    started = time.monotonic()
    outcome = merge_parts(look_at_part(part, look) for part, look in parts.items())
    return conclude(name, tool, outcome, time.monotonic() - started)


def look_at_part(part: str, look: Callable[[], ScanOutcome]) -> ScanOutcome:
    """Look at one part of a scan; when it cannot be looked at, its outcome says why."""
    try:
        return look()
    except (SlipwayError, ReportError, OSError, ValueError, RecursionError, MemoryError) as error:
        return unread(f"{part} could not be looked at: {str(error)[:600] or type(error).__name__}", error)


def unread(words: str, error: BaseException) -> ScanOutcome:
    """Return the outcome of what could not be looked at. Only a source outside is no fault of the commit's."""
    return ScanOutcome(away=(words,)) if isinstance(error, SourceAway) else ScanOutcome(problems=(words,))


def look_at_each_file(names: Sequence[str], look: Callable[[str], ScanOutcome]) -> ScanOutcome:
    """Look at each file by itself: a file that cannot be parsed does not hide the others."""
    return merge_parts(look_at_part(name, partial(look, name)) for name in names)


def scratch(subject: Subject, scan: str) -> Path:
    """Return the directory where we lay what a scan's programs read. None of them writes there."""
    directory = subject.workspace.root / scan
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def installed(name: str) -> Path | None:
    """Return a program of this host, None when it is not installed; SLIPWAY_<NAME> names another (see `scanner`)."""
    if os.environ.get(program_variable(name)):
        return scanner(name)
    program = shutil.which(name, path=tool_path())
    return Path(program) if program else None


def program_variable(name: str) -> str:
    """Return the environment variable that names another program than ours."""
    return f"SLIPWAY_{name.upper().replace('-', '_')}"


def scanner(name: str) -> Path:
    """Return a scanner's program: what SLIPWAY_<NAME> says (SLIPWAY_PIP_AUDIT=/opt/bin/pip-audit), else ours.

    Raises ToolError when it is not there.
    """
    variable = program_variable(name)
    chosen = os.environ.get(variable)
    program = Path(chosen).absolute() if chosen else own_tools("scanners") / "bin" / name
    if not os.access(program, os.X_OK) or program.is_dir():
        raise ToolError(f"{name} is absent: {program.name} is no program" + (f" ({variable})" if chosen else ""))
    return program


def run_tool(
    argv: Sequence[str],
    *,
    workspace: Workspace,
    out: Path,
    reads: tuple[Path, ...],
    timeout_s: float,
    exits: Sequence[int],
    env: Mapping[str, str] | None = None,
    network: bool = False,
    writable: tuple[Path, ...] = (),
) -> str:
    """Run a tool in the sandbox to its end and return what it printed, stdout and stderr together.

    It sees itself and `reads`, works in `out` (see `output_folder`), which is its HOME, may also write to `writable`,
    and reaches the network only when told. Raises ToolError when it is absent, does not end in time, was killed, or
    ends with a code that is none of `exits`; what it printed stays out of the error, for it may hold a secret.
    """
    name = Path(argv[0]).name
    if not Path(argv[0]).is_file():
        raise ToolError(f"{name} is not installed at {argv[0]}")
    tool = Scanner(workspace, Path(argv[0]), out, reads, timeout_s, network, env or {}, writable)
    done = tool.run(*argv[1:], output_limit_bytes=LARGEST_REPORT_BYTES)
    if done.returncode not in exits:
        raise ToolError(f"{name} ended with {_ending(done.returncode)}")
    if done.truncated:
        raise ToolError(f"{name} printed more than {LARGEST_REPORT_BYTES // 1_000_000} MB")
    return done.output


def output_folder(work: Path) -> Path:
    """Return a fresh folder that one tool may write to. We only read there afterwards, and write our files elsewhere:
    it may have laid links.
    """
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="out-", dir=work))
    give(folder, sandbox.check_owner())
    return folder


def _ending(code: int) -> str:
    return f"signal {code - 128}" if code > 128 else f"exit code {code}"


@dataclass(frozen=True)
class Scanner:
    """One program, and what it may see: its own environment, `reads` (read-only) and `scratch`, where it works."""

    workspace: Workspace
    program: Path
    scratch: Path
    reads: tuple[Path, ...]
    timeout_s: float
    network: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    writable: tuple[Path, ...] = ()

    @classmethod
    def of(cls, subject: Subject, scan: str, name: str, timeout_s: float, *, network: bool = False) -> "Scanner":
        """Return the scanner `name` for one scan of this subject. Raises ToolError if it is absent."""
        workspace = subject.workspace
        return cls(workspace, scanner(name), workspace.scratch(scan), (subject.tree,), timeout_s, network)

    def run(
        self, *arguments: str, cwd: Path | None = None, output_limit_bytes: int = OUTPUT_BYTES
    ) -> sandbox.Completed:
        """Run it to its end and return how it ended; the caller judges the exit code. Raises ToolError if it did not
        end by itself in time.
        """
        for path in (*self.reads, self.scratch):
            self.workspace.lend(path)
        authorities = _authorities() if self.network else {}
        proxies = {name: os.environ[name] for name in PROXIES if self.network and name in os.environ}
        reached = {**proxies, **{name: str(file) for name, file in authorities.items()}}
        done = sandbox.run(
            [str(self.program), *arguments],
            cwd=cwd or self.scratch,
            env={"PATH": tool_path(), "LANG": "C.UTF-8", "HOME": str(self.scratch), **reached, **self.env},
            sandbox=sandbox.for_check(
                self.workspace.shares,
                read_only=(self._environment(), *self.reads, *authorities.values()),
                writable=(self.scratch, *self.writable),
                network=sandbox.Network.HOST if self.network else sandbox.Network.LOOPBACK,
            ),
            timeout_s=self.timeout_s,
            output_limit_bytes=output_limit_bytes,
            cancelled=self.workspace.cancelled,
        )
        if done.timed_out:
            raise ToolError(f"{self.program.name} did not end within {self.timeout_s:g} s")
        if done.exceeded:
            raise ToolError(f"{self.program.name} {done.exceeded}")
        if done.cancelled:
            raise ToolError(f"{self.program.name} was stopped")
        return done

    def python(self) -> "Scanner":
        """Return our tools' Python, at the scanner's place."""
        return replace(self, program=own_tools("scanners") / "bin" / "python")

    def _environment(self) -> Path:
        """Return what the program needs to see of itself: its virtual environment, else where it lies. Of a program
        that the operator names alone: its neighbours may be anything.
        """
        beside = self.program.parent
        if (beside.parent / "pyvenv.cfg").is_file():
            return beside.parent
        named = (value for name, value in os.environ.items() if name.startswith("SLIPWAY_"))
        return self.program if str(self.program) in named else beside


def _authorities() -> dict[str, Path]:
    """Return the files of certificates that this host trusts besides the system's."""
    named = {name: Path(os.environ[name]).absolute() for name in AUTHORITIES if os.environ.get(name)}
    return {name: file for name, file in named.items() if file.is_file()}


def read_output(report: Path, tool: str, most_bytes: int = LARGEST_REPORT_BYTES) -> bytes:
    """Return a report file. Raises ToolError if there is none, or it is too large.

    The tool worked on untrusted files, so its report may be a link, a pipe, or endless.
    """
    with open_untrusted(report, most_bytes, f"{tool}'s report") as file:
        return file.read(most_bytes)


def read_json(report: Path, done: sandbox.Completed, most_bytes: int = LARGEST_REPORT_BYTES) -> Any:
    """Return a report's JSON. ToolError, with the program's last words, when there is none or it cannot be read."""
    try:
        raw = read_output(report, "the program", most_bytes)
    except ToolError as error:
        raise ToolError(f"{error} (exit code {done.returncode}): {last_line(done.output)}") from error
    return parse_json(raw, done)


def as_report(model: type[Model], raw: Any, tool: str) -> Model:
    """Return a tool's report. Raises ToolError if it is not of the tool's form; its content stays out of the error."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ToolError(f"{tool}'s report is not its own: {first_fault(error)}") from error


def parse_json(raw: bytes, done: sandbox.Completed) -> Any:
    """Return what a program reported as JSON. Raises ToolError if it is empty or not whole."""
    try:
        return parse(raw)
    except JsonError as error:
        what = f"is not whole JSON: {error}" if raw.strip() else "is empty"
        raise ToolError(f"its report {what} (exit code {done.returncode}): {last_line(done.output)}") from error
