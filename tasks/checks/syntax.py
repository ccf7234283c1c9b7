"""The Python of a commit by what it means: comments and layout change nothing that a test suite can see."""

import functools
import hashlib
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from host.errors import ToolError
from host.sandbox.run import CHECK_UID
from tasks.checks import inside
from tasks.source.git import Source

SCRIPT = Path(inside.__file__).with_name("slipway_syntax.py")
TIMEOUT_S = 120
REGULAR = ("100644 ", "100755 ")


class Module(BaseModel):
    """What inside/slipway_syntax.py tells of one Python file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    meaning: str
    shape: str
    lines: tuple[int, ...]
    imports: tuple[str, ...]
    words: tuple[str, ...]
    loads: bool
    reads_source: bool


class Syntax(BaseModel):
    """What is told of an archived commit, by path. A Python file that is not in it counts by its content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modules: dict[str, Module] = {}
    settings: dict[str, str] = {}
    words: dict[str, tuple[str, ...]] = {}


def read_syntax(archive: Path) -> Syntax:
    """Return what is told of an archived commit's Python.

    A stranger's file may break the parser, so it runs in a process of its own, as the user of checks and with bounds:
    what breaks it, or is too large for it, makes all of them count by content.
    """
    try:
        state = archive.stat()
    except OSError:
        return Syntax()
    return _parse(archive, (state.st_ino, state.st_size, state.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _parse(archive: Path, _state: tuple[int, int, int]) -> Syntax:
    argv = [sys.executable, "-I", str(SCRIPT), str(CHECK_UID)]
    try:
        with open(archive, "rb") as tar:
            done = subprocess.run(argv, stdin=tar, capture_output=True, timeout=TIMEOUT_S, check=True)
        return Syntax.model_validate_json(done.stdout)
    except (OSError, subprocess.SubprocessError, ValidationError):
        return Syntax()


def code_digest(source: Source, paths: Iterable[str], measured: bool) -> str:
    """Return a digest of these files of the commit for a check that runs them: Python by what it means, when none of
    it may look at Python's text; all else by content.

    What is `measured` by lines counts by shape: what it left can be moved to other line numbers, not to other lines.
    """
    known = read_syntax(source.archive).modules
    chosen = set(paths)
    modules = {path: known[path] for path in chosen if path in known and source.files[path].startswith(REGULAR)}
    code = {path for path in chosen if path.endswith(".py")}
    if code - set(modules) or any(module.reads_source for module in modules.values()):
        modules = {}
    rows = [f"{path}\0{_about(source.files[path], modules.get(path), measured)}" for path in sorted(chosen)]
    return hashlib.sha256("\0".join([sys.version, *rows]).encode()).hexdigest()


def _about(content: str, module: Module | None, measured: bool) -> str:
    if module is None:
        return content
    return f"{content.split()[0]} python {module.shape if measured else module.meaning}"


class Lines(BaseModel):
    """Where a file's syntax lies: the n-th of `lines` is the n-th of any other file of that `shape`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: str
    lines: tuple[int, ...]


LINES = TypeAdapter(dict[str, Lines])


def lines_of(source: Source) -> dict[str, Lines]:
    """Return the lines of each Python file of the commit, by path."""
    modules = read_syntax(source.archive).modules
    return {path: Lines(shape=module.shape, lines=module.lines) for path, module in modules.items()}


def write_lines(file: Path, lines: Mapping[str, Lines]) -> None:
    """Write the lines for a later run."""
    file.write_bytes(LINES.dump_json(dict(lines)))


def read_lines(file: Path) -> dict[str, Lines]:
    """Return what `write_lines` wrote. Raises ToolError."""
    try:
        return LINES.validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise ToolError(
            f"the lines that a suite was measured by cannot be read: {str(error).splitlines()[0]}"
        ) from error


def moved_lines(before: Mapping[str, Lines], now: Mapping[str, Lines]) -> dict[str, list[tuple[int, int]]]:
    """Return for each file that differs the old and the new number of each of its lines; none when its shape has
    changed, since then nobody can tell which line is which.
    """
    moved: dict[str, list[tuple[int, int]]] = {}
    for path in sorted(before.keys() | now.keys()):
        old, new = before.get(path), now.get(path)
        if old and new and old.shape == new.shape:
            if old.lines != new.lines:
                moved[path] = list(zip(old.lines, new.lines, strict=True))
        else:
            moved[path] = []
    return moved
