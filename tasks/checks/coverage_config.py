"""How coverage is measured: by which coverage.py, with which configuration, and what is taken from a suite afterwards.

The configuration is Slipway's own. Of the app's only what coverage needs in order to see its code is taken over
(concurrency, plugins): a change to the app's own settings cannot lower the bar that it must pass.
"""

import configparser
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pathspec
from pydantic import TypeAdapter, ValidationError

from gates.checks.reports import last_line
from gates.repository_paths import TOP, below, is_top
from host.errors import ToolError
from host.files import give
from host.sandbox import run as sandbox
from settings.pipeline import Coverage, Suite
from tasks.checks import inside
from tasks.source.dependencies import own_tools
from tasks.source.workspace import Workspace

INSIDE = Path(inside.__file__).parent
LARGEST_DATA_BYTES = 500_000_000
MOST_DATA_FILES = 5_000
LARGEST_SETTINGS_BYTES = 1_000_000
TIMEOUT_S = 300
KEPT = ("concurrency", "plugins")
WORD = re.compile(r"[A-Za-z_][\w.]{0,100}")


@dataclass(frozen=True)
class Measuring:
    """How one program is measured: its command with coverage before it, and what it needs for that."""

    argv: list[str]
    environment: dict[str, str]
    read_only: tuple[Path, ...]


@dataclass(frozen=True)
class Tool:
    """The coverage.py to use with the app's interpreter: the app's own when it is new enough, else ours."""

    environment: dict[str, str]
    read_only: tuple[Path, ...]


def denominator(files: Mapping[str, str], globs: Sequence[str]) -> list[str]:
    """Return the commit's Python files that match the globs (gitignore's syntax), imported by a test or not."""
    chosen = pathspec.GitIgnoreSpec.from_lines(globs)
    return sorted(
        path for path, about in files.items() if path.endswith(".py") and not _link(about) and chosen.match_file(path)
    )


def _link(about: str) -> bool:
    return about.startswith(("120000", "160000"))


def measured(suite: Suite, coverage: Coverage | None) -> bool:
    """Return whether a suite is run under coverage: a benchmark is not, it would measure coverage."""
    return coverage is not None and not suite.alone and suite.command[:3] == ("python", "-m", "pytest")


def measure(name: str, suite: Suite, coverage: Coverage, workspace: Workspace, source: Path) -> Measuring:
    """Return the suite's command under coverage, with its context. Data goes to `.coverage.*` in its scratch folder."""
    tool = find_tool(workspace)
    folder = workspace.root / name / "measure"
    files = denominator(workspace.source.files, (*coverage.covers, *suite.covers))
    run: dict[str, Any] = {
        "branch": True,
        "parallel": True,
        "sigterm": True,
        "patch": ["subprocess", "_exit"],
        "relative_files": False,  # a process with another working directory would name its files from there
        "source": [str(source / top) for top in tops(files, suite.directory)],
        "disable_warnings": ["no-data-collected", "module-not-imported", "module-not-measured"],
        **app_settings(source, suite.directory),
    }
    config = write_config(folder, {"run": run})
    python, *words = workspace.argv(suite.command)
    argv = [python, "-m", "coverage", "run", f"--rcfile={config}", f"--context={name}", *words]
    environment = {
        **tool.environment,
        "COVERAGE_RCFILE": str(config),
        "COVERAGE_FILE": str(workspace.scratch(name) / ".coverage"),
    }
    return Measuring([*argv, *_without_plugin(workspace, suite, source)], environment, (folder, *tool.read_only))


def tops(files: Sequence[str], directory: str = TOP) -> list[str]:
    """Return the folders that hold the files, as seen from a directory: for coverage, which counts by folder while it
    runs.
    """
    return sorted({_top(path, directory) for path in files})


def _top(path: str, directory: str) -> str:
    start = len(directory) + 1 if not is_top(directory) and below(directory, path) else 0
    end = path.find("/", start)
    return path[:end] if end > 0 else path[: max(start - 1, 0)] or TOP


def app_settings(source: Path, directory: str = TOP) -> dict[str, Any]:
    """Return what of the app's own coverage settings, where coverage looks for them when it runs in `directory`, must
    hold for its code to be seen at all.
    """
    folder = _folder(source, directory)
    if folder is None:
        return {}
    readers: dict[str, Callable[[str], Mapping[str, Any]]] = {
        ".coveragerc": lambda text: _ini(text, "run"),
        ".coveragerc.toml": _toml,
        "setup.cfg": lambda text: _ini(text, "coverage:run"),
        "tox.ini": lambda text: _ini(text, "coverage:run"),
        "pyproject.toml": _toml,
    }
    for name, read in readers.items():
        file = folder / name
        if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_SETTINGS_BYTES:
            continue
        try:
            section = read(file.read_text(encoding="utf-8"))
        except (ValueError, configparser.Error, RecursionError):
            continue  # then coverage cannot read it either, and we give it another
        if section:
            return {key: words for key in KEPT if (words := _words(section.get(key)))}
    return {}


def _folder(source: Path, directory: str) -> Path | None:
    """Return a directory of the source; None when the app has meanwhile put a link there."""
    folder = source.resolve() / directory
    return folder if folder.resolve() == folder else None


def _ini(text: str, section: str) -> Mapping[str, Any]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return dict(parser[section]) if parser.has_section(section) else {}


def _toml(text: str) -> Mapping[str, Any]:
    found: Any = tomllib.loads(text)
    for key in ("tool", "coverage", "run"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _words(value: object) -> list[str]:
    listed = re.split(r"[,\s]+", value) if isinstance(value, str) else value if isinstance(value, list) else []
    return [word for word in listed if isinstance(word, str) and WORD.fullmatch(word)]


def write_config(folder: Path, sections: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a coverage configuration. JSON's booleans, strings and lists of strings are TOML's too."""
    lines = []
    for section, values in sections.items():
        lines.append(f"[tool.coverage.{section}]")
        lines += [f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "coverage.toml"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return file


def find_tool(workspace: Workspace) -> Tool:
    """Return the app's own coverage.py when it measures subprocesses by itself (7.13 or newer, which brings a .pth
    file), else ours, laid where the app's interpreter finds it. Raises ToolError.
    """
    if any(workspace.environment.glob("lib/python*/site-packages/*coverage*.pth")):
        return Tool({}, ())
    found = sorted(own_tools("quality").glob("lib/python*/site-packages/coverage"))
    if not found:
        raise ToolError("there is no coverage.py: neither in the app's lock nor in requirements/quality.lock")
    folder = workspace.root / "coverage-tool"
    folder.mkdir(exist_ok=True)
    if not (folder / "coverage").is_symlink():
        # Replaced, not made: suites side by side come here together.
        link = folder / f".{os.urandom(4).hex()}"
        link.symlink_to(found[0])
        os.replace(link, folder / "coverage")
    start = "import coverage\n\ncoverage.process_startup()\n"
    (folder / "sitecustomize.py").write_text(start, encoding="utf-8")
    return Tool({"PYTHONPATH": str(folder)}, (folder, found[0]))


def _without_plugin(workspace: Workspace, suite: Suite, source: Path) -> list[str]:
    """Return the word that switches pytest-cov off where the app asks for it: it would take our tracer away."""
    if not any(workspace.environment.glob("lib/python*/site-packages/pytest_cov")):
        return []
    asked = [*suite.command, *suite.environment.values()]
    names = ("pyproject.toml", "pytest.ini", ".pytest.ini", "setup.cfg", "tox.ini")
    folder = _folder(source, suite.directory) or source.resolve()
    folders = [folder, *(one for one in folder.parents if one.is_relative_to(source.resolve()))]
    for file in (one / name for one in folders for name in names):
        if file.is_file() and not file.is_symlink() and file.stat().st_size <= LARGEST_SETTINGS_BYTES:
            asked.append(file.read_text(encoding="utf-8", errors="replace"))
    return ["--no-cov"] if any("--cov" in text for text in asked) else []


def collect(name: str, suite: Suite, workspace: Workspace, source: Path) -> tuple[Path | None, str]:
    """Combine what a suite's processes measured, paths relative to the source; return (file, "") or (None, reason).

    The data come from app code: links are not followed, sizes are limited, and only the sandbox opens them.
    """
    scratch = workspace.scratch(name)
    parts = [Path(entry.path) for entry in os.scandir(scratch) if entry.name.startswith(".coverage.")]
    if not parts:
        return None, "it left no coverage data"
    if any(part.is_symlink() or not part.is_file() for part in parts):
        return None, "its coverage data hold something that is not a file"
    if len(parts) > MOST_DATA_FILES or sum(part.stat().st_size for part in parts) > LARGEST_DATA_BYTES:
        return (
            None,
            f"its coverage data are larger than {LARGEST_DATA_BYTES // 1_000_000} MB or {MOST_DATA_FILES} files",
        )
    run = {"branch": True, "relative_files": True, **app_settings(source, suite.directory)}
    config = write_config(workspace.root / name / "combine", {"run": run, "paths": {"app": [".", str(source)]}})
    whole = scratch / "combined.data"
    steps = [{"combine": sorted(map(str, parts)), "to": str(whole)}]
    (why,) = carry_out(name, workspace, config, steps)
    if why or whole.is_symlink() or not whole.is_file() or whole.stat().st_size > LARGEST_DATA_BYTES:
        return None, f"its coverage data cannot be combined: {why or 'no result'}"
    return whole, ""


def carry_out(name: str, workspace: Workspace, config: Path, steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Carry out steps of inside/slipway_coverage.py in the sandbox; return for each "" or why it could not be done."""
    tool = find_tool(workspace)
    script = Path(shutil.copy(INSIDE / "slipway_coverage.py", config.parent))
    status = workspace.scratch(name) / "status.json"
    status.unlink(missing_ok=True)
    spec = config.parent / "spec.json"
    spec.write_text(json.dumps({"config": str(config), "status": str(status), "steps": list(steps)}), encoding="utf-8")
    done = workspace.run(
        name,
        [*workspace.argv(("python",)), str(script), str(spec)],
        {**tool.environment, "PYTHONDONTWRITEBYTECODE": "1"},
        TIMEOUT_S,
        read_only=(config.parent, *tool.read_only),
        log=f"{name}-coverage.log",
    )
    if done.failed:
        return [f"coverage {done.how}: {last_line(done.output)}"] * len(steps)
    return _told(status, len(steps))


def _told(status: Path, steps: int) -> list[str]:
    try:
        small = not status.is_symlink() and status.is_file() and status.stat().st_size <= LARGEST_SETTINGS_BYTES
        told = TypeAdapter(list[str]).validate_json(status.read_bytes()) if small else []
    except (OSError, ValidationError):
        told = []
    whole = len(told) == steps
    return [reason[:300] for reason in told] if whole else ["coverage did not say what it did"] * steps


def hand_over(file: Path, target: Path) -> bool:
    """Copy a data file to where the sandbox may read it; False when it is gone, a link, or too large."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_DATA_BYTES:
        return False
    shutil.copyfile(file, target)
    give(target.parent, sandbox.check_owner())
    return True
