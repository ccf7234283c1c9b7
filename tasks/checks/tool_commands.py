"""The command by which a code-quality tool is run: the configured one, with what Slipway needs to read its report."""

import importlib.metadata
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gates.checks.reports import Reads
from gates.checks.reports_python import FLAKE8_FORMAT
from host.errors import ToolError
from settings.pipeline import Tool
from tasks.source.dependencies import own_tools
from tasks.source.workspace import node_directory, tool_path

# What each tool is told in addition, at the end of its command. {report}: a file of Slipway's.
ADDED: Mapping[Reads, tuple[str, ...]] = {
    Reads.BLACK: ("--check", "--diff", "--no-color", "-v"),
    Reads.ISORT: ("--check-only", "--diff", "--atomic", "-v", "--format-error", "{error}: {message}")
    + ("--format-success", "{success}: {message}"),
    Reads.FLAKE8: ("--benchmark", "--no-show-source", f"--format={FLAKE8_FORMAT}", "--output-file={report}"),
    Reads.MYPY: ("--show-column-numbers", "--show-error-codes", "--no-pretty", "--hide-error-context")
    + ("--no-color-output", "--error-summary"),
    # No cache: the commit could bring one. No fixes: what is mended on the way would not be told.
    Reads.RUFF: ("--no-cache", "--no-fix", "--no-fix-only", "--output-format=json", "-v"),
    Reads.RUFF_FORMAT: ("--no-cache", "--diff", "-v"),
    Reads.PYLINT: ("--output-format=json2:{report},text", "--score=y", "--verbose"),
    Reads.PYRIGHT: ("--outputjson",),
    Reads.BASEDPYRIGHT: ("--outputjson",),
    Reads.TY: ("--output-format=gitlab", "-v"),
    Reads.CODESPELL: ("--quiet-level=34", "--count"),
    Reads.VULTURE: ("--verbose",),
    Reads.ESLINT: ("--format", "json", "--output-file", "{report}"),
    Reads.TSC: ("--pretty", "false", "--listFiles"),
    Reads.VITEST: ("--reporter=default", "--reporter=json", "--outputFile.json={report}"),
}
# What cannot be said to a tool beside that.
SILENT = frozenset({"-q", "-qq", "--quiet", "-s", "--silent"})
TAKEN_OUT: Mapping[Reads, frozenset[str]] = {Reads.RUFF: SILENT, Reads.RUFF_FORMAT: SILENT, Reads.TY: SILENT}
# Those whose report is what they print; it goes to files, apart from each other and not into the run's log.
PRINTED = (
    *(Reads.BLACK, Reads.ISORT, Reads.MYPY, Reads.TSC, Reads.SARIF),
    *(Reads.RUFF, Reads.RUFF_FORMAT, Reads.PYLINT, Reads.PYRIGHT, Reads.BASEDPYRIGHT, Reads.TY),
    *(Reads.CODESPELL, Reads.VULTURE),
)


@dataclass(frozen=True)
class Program:
    """A tool as it is found: `argv` starts it, `label` is its name, version and whose it is, `path` its PATH.

    `read_only` is what its sandbox must see beyond the app's environment. `borrowed`: it is Slipway's, not the app's.
    """

    argv: tuple[str, ...]
    label: str
    path: str
    read_only: tuple[Path, ...] = ()
    borrowed: bool = False


def reads(name: str, tool: Tool) -> Reads:
    """Return how a tool's report is read: as configured, else as the program's that its command calls, else by the
    tool's name, else as lines. `ruff format` has another report than `ruff check`.
    """
    program, words = called(tool.command)
    own = [one for one in Reads if one not in (Reads.SARIF, Reads.LINES)]
    how = tool.reads or next((Reads(word) for word in (program, name) if word in own), None)
    if how is Reads.RUFF and next((word for word in words if not word.startswith("-")), "") == "format":
        return Reads.RUFF_FORMAT
    return how or (Reads.SARIF if name == Reads.SARIF else Reads.LINES)


def called(command: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the program that a command calls, a module behind `python -m` too, and the words that it gets."""
    if tuple(command[:2]) == ("python", "-m") and len(command) > 2:
        return command[2], command[3:]
    return command[0].rpartition("/")[2], command[1:]


def python_program(tool: Tool, environment: Path, source: Path) -> Program:
    """Find a tool: in the app's environment when that has it, else in Slipway's own, else in the commit itself or
    among the host's programs. Raises ToolError if none has it.
    """
    module = tool.command[:2] == ("python", "-m") and len(tool.command) > 2
    name = tool.command[2] if module else tool.command[0]
    if not module and (name == "python" or "/" in name):
        return _of(environment, tool, name, "the commit's")
    if _has(environment, name, module):
        return _of(environment, tool, name, "the app's", apart=module)
    own = own_tools("quality")
    if _has(own, name, module):
        found = _of(own, tool, name, "Slipway's", apart=module)
        return Program(found.argv, found.label, f"{found.path}:{environment / 'bin'}", (own,), borrowed=True)
    if module and _in_source(source / tool.directory, name):
        return _of(environment, tool, name, "the commit's")
    if not module and shutil.which(name, path=tool_path()):
        return _of(environment, tool, name, "the host's")
    raise ToolError(
        f"{name} is not in the app's environment (add it to the lock that `locks.ci` names), nor is it Slipway's"
    )


def _of(environment: Path, tool: Tool, name: str, whose: str, apart: bool = False) -> Program:
    words = list(tool.command)
    if words[0] == "python":
        # Apart from the commit: else its own black.py would be the black that `python -m` runs.
        words[:1] = [str(environment / "bin" / "python"), *(["-I", "-B"] if apart else [])]
    return Program(
        tuple(words), f"{name} {_version(environment, name)}({whose})", f"{environment / 'bin'}:{tool_path()}"
    )


def _in_source(folder: Path, module: str) -> bool:
    top = folder / module.split(".")[0]
    return top.is_dir() or top.with_suffix(".py").is_file()


def _packages(environment: Path) -> list[Path]:
    return sorted(environment.glob("lib/python3*/site-packages"))


def _has(environment: Path, name: str, module: bool) -> bool:
    if not module:
        return (environment / "bin" / name).is_file()
    top = name.split(".")[0]
    return any(
        (folder / top).is_dir() or (folder / f"{top}.py").is_file() or any(folder.glob(f"{top}.*.so"))
        for folder in _packages(environment)
    )


def _version(environment: Path, name: str) -> str:
    where = [str(folder) for folder in _packages(environment)]
    found = next(iter(importlib.metadata.distributions(name=name, path=where)), None)
    return f"{found.version} " if found else ""


def node_program(tool: Tool, packages: Path, modules: Path) -> Program:
    """Find a tool among the frontend's packages; `modules` is the node_modules that it sees.

    Raises ToolError if they lack it: a program of the host is not the one that the lock names.
    """
    name = tool.command[0]
    link = packages / ".bin" / name
    if not link.is_symlink():
        raise ToolError(
            f"{name} is not among the frontend's packages; name the tool itself (not npx) and add it to their lock"
        )
    owner = _package_of(os.readlink(link))
    node = node_directory()
    path = [str(modules / ".bin"), *([str(node)] if node else []), tool_path()]
    return Program(
        tool.command,
        f"{name} {_node_version(packages / owner)}(the app's)",
        ":".join(path),
        (packages, *([node.parent] if node else [])),
    )


def _package_of(target: str) -> str:
    words = target.removeprefix("../").split("/")
    return "/".join(words[:2]) if words[0].startswith("@") else words[0]


def _node_version(package: Path) -> str:
    try:
        return f"{json.loads((package / 'package.json').read_bytes())['version']} "
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def full_command(how: Reads, program: Program, report: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return the whole command: the configured one and what Slipway adds, before a `--` if there is one. An option that
    would keep a tool from telling what it looked at is taken out.
    """
    words = [word.replace("{report}", str(report)) for word in program.argv if word not in TAKEN_OUT.get(how, ())]
    added = [*(word.replace("{report}", str(report)) for word in ADDED.get(how, ())), *extra]
    end = words.index("--") if "--" in words else len(words)
    return [*words[:end], *added, *words[end:]]
