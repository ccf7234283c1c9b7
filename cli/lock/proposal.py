"""A lock that uv makes, in the sandbox, on copies of the files that say what a project asks for.

It needs the network: only the index knows which versions there are. So uv sees neither keys nor anything else of this
host, and it builds nothing unless somebody says so: to know what a source distribution asks for, its own code would
run.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.lock.plans import Plan, Tool
from gates.locks import LARGEST_LOCK_BYTES, read_lock
from host.errors import ConfigError, ToolError, was_not_answered
from host.home import Home
from host.locks import read_lock_text
from host.package_tools import run_package_tool, uv_environment
from host.virtual_environments import base_prefix, interpreter, uv

TIMEOUT_S = 1800
COPIED = (".toml", ".txt", ".in", ".cfg", ".lock")
SKIPPED = ("node_modules", "site-packages", "__pycache__")
MOST_FILES, LARGEST_FILE_BYTES = 5_000, LARGEST_LOCK_BYTES
NO_BUILD = ("is disabled", "no wheels", "no usable wheels", "no-build")


def propose(plan: Plan, folder: Path, python: str, build: bool) -> str:
    """Return the text of the lock. Raises ToolError with what uv says, and ConfigError for files that are too many."""
    if (size := (folder / plan.source).stat().st_size) > LARGEST_FILE_BYTES:
        raise ConfigError(f"{folder / plan.source}: {size} bytes, expected at most {LARGEST_FILE_BYTES}")
    with _copies(folder) as (project, cache):
        program = interpreter(python)
        done = run_package_tool(
            [uv(), *words(plan, project, program, python, build), "--cache-dir", str(cache)],
            uv_environment(),
            reads=[Path(uv())],
            named=[base_prefix(program)],
            writes=[project, cache],
            timeout_s=TIMEOUT_S,
        )
        if done.failed:
            raise _failure(plan, " ".join(done.output.split())[-2000:] or done.how, build)
        return read_lock_text(project / plan.made, plan.made)


def words(plan: Plan, project: Path, program: str, python: str, build: bool) -> list[str]:
    """Return uv's words for a plan. Addresses of indexes stay out of the lock: each host has its own."""
    common = ["--directory", str(project), "--quiet", "--python", program, *([] if build else ["--no-build"])]
    if plan.tool is Tool.LOCK:
        return ["lock", *common]
    made = ["--generate-hashes", "--no-emit-index-url", "--python-version", python, "--output-file", plan.made]
    return ["pip", "compile", plan.source, *made, "--custom-compile-command", f"slipway lock {plan.source}", *common]


def _failure(plan: Plan, said: str, build: bool) -> ToolError:
    cure = ""
    if not build and any(word in said for word in NO_BUILD):
        cure = "; a package without wheels tells what it asks for only when its own code runs: --build lets it"
    return ToolError(f"{plan.source}: {plan.tool} made no lock: {said}{cure}", transient=was_not_answered(said))


def check(plan: Plan, text: str) -> list[str]:
    """Return what ci would refuse of a list of requirements that was made; the lock of uv is read when it is chosen."""
    return list(read_lock(text).problems) if plan.tool is Tool.COMPILE else []


@contextmanager
def _copies(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a copy of the files that say what the project needs, and an empty cache, both gone after the block."""
    home = Home.find().work
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as place:
        Path(place).chmod(0o711)  # the sandbox's user goes through it
        project = Path(place) / "project"
        project.mkdir()
        for number, file in enumerate(_files(folder)):
            if number == MOST_FILES:
                raise ConfigError(f"{folder}: more than {MOST_FILES} files that could say what it needs; name one file")
            copy = project / file.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy, follow_symlinks=False)
        yield project, Path(place) / "cache"


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in sorted(folders) if not name.startswith(".") and name not in SKIPPED]
        for name in sorted(names):
            file = Path(where, name)
            if file.suffix in COPIED and not file.is_symlink() and file.is_file():
                if file.stat().st_size <= LARGEST_FILE_BYTES:
                    yield file
