"""Which lock a project gets, and of which of its files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gates.locks import LARGEST_LOCK_BYTES, read_lock
from gates.other_locks import PROJECTS, READ_LOCKS
from gates.strict_toml import TomlError, parse
from host.errors import ConfigError

PYPROJECT, MADE = "pyproject.toml", "requirements.lock"
LISTS = re.compile(r"(.*[-_.])?requirements([-_.].*)?\.(in|txt)|.*\.in")
FOLDERS = (".", "requirements")
# Tools whose own lock is read, and which alone can make it.
OTHERS = {
    "poetry": ("poetry.lock", "poetry lock"),
    "pdm": ("pdm.lock", "pdm lock"),
    "pipenv": ("Pipfile.lock", "pipenv lock"),
}
# What such a file asks for is known only to who runs it.
BY_CODE = ("setup.cfg", "setup.py")
ITS_CODE = "only its own code tells what it needs; write requirements.in with that, then: slipway lock requirements.in"


class Tool(StrEnum):
    """What makes a lock."""

    LOCK = "uv lock"
    COMPILE = "uv pip compile"


@dataclass(frozen=True)
class Plan:
    """One lock: `made` is written beside what `source` names. Paths from the project's folder."""

    tool: Tool
    source: str
    made: str


def plans(path: Path) -> list[Plan]:
    """Return which locks a project at `path` gets: a folder, or one file of it. Raises ConfigError, with the cure, for
    a project of a tool that makes its lock itself, and for one that says nowhere what it asks for.
    """
    if path.is_file():
        return [_of_file(str(path.relative_to(project_folder(path))))]
    if not path.is_dir():
        raise ConfigError(f"{path}: no such file or folder")
    project = _project(path / PYPROJECT)
    tools = project.get("tool", {})
    tools = tools if isinstance(tools, dict) else {}
    if (path / "uv.lock").exists() or "uv" in tools:
        return [Plan(Tool.LOCK, PYPROJECT, "uv.lock")]
    for tool, (lock, command) in OTHERS.items():
        if tool in tools or (path / lock).exists() or (tool == "pipenv" and (path / "Pipfile").exists()):
            known = f'; {lock} is there: name it, [locks] runtime = "{lock}"' if (path / lock).exists() else ""
            raise ConfigError(f"{path}: it is a project of {tool}, which makes its lock itself: {command}{known}")
    lists = list(_lists(path))
    if lists:
        return [_of_file(name) for name in lists]
    if "project" in project or (path / PYPROJECT).exists() and any((path / name).exists() for name in BY_CODE):
        return [Plan(Tool.COMPILE, PYPROJECT, MADE)]
    if by_code := next((name for name in BY_CODE if (path / name).exists()), ""):
        raise ConfigError(f"{path / by_code}: {ITS_CODE}")
    raise ConfigError(f"{path}: neither pyproject.toml, requirements.txt nor requirements.in says what it needs")


def project_folder(path: Path) -> Path:
    """Return the folder of which a list is part: the repository's top, since a list may name others with -r."""
    if path.is_dir():
        return path
    return next((folder for folder in path.parents if (folder / ".git").exists()), path.parent)


def _of_file(name: str) -> Plan:
    folder, _, base = name.rpartition("/")
    if base == "Pipfile":
        raise ConfigError(f"{name}: it is of pipenv, which makes its lock itself: {OTHERS['pipenv'][1]}")
    if base in BY_CODE:
        raise ConfigError(f"{name}: {ITS_CODE}")
    if base in READ_LOCKS or base.endswith(".lock"):
        raise ConfigError(f"{name} is a lock: name it in [locks]; to make it anew, name what it is made of")
    made = MADE if base in PROJECTS else f"{base.rpartition('.')[0]}.lock"
    made = MADE if made in READ_LOCKS else made  # a list under the name of another tool's lock would be read as that
    return Plan(Tool.COMPILE, name, f"{folder}/{made}" if folder else made)


def _lists(folder: Path) -> Iterator[str]:
    """Yield the lists of requirements that are no locks: of the same name the .in, which the .txt is made of."""
    for where in FOLDERS:
        found = sorted(file for file in (folder / where).glob("*") if file.is_file() and not file.is_symlink())
        named = [one for one in found if one.suffix in (".in", ".txt") and (where != "." or LISTS.fullmatch(one.name))]
        stems = {one.stem for one in named if one.suffix == ".in"}
        for one in named:
            if (one.suffix == ".in" or one.stem not in stems) and not _is_lock(one):
                yield str(one.relative_to(folder))


def _is_lock(file: Path) -> bool:
    if file.stat().st_size > LARGEST_LOCK_BYTES:
        return False
    lock = read_lock(file.read_text(encoding="utf-8", errors="replace"))
    return bool(lock.packages) and not lock.problems


def _project(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        return parse(file.read_bytes())
    except TomlError as error:
        raise ConfigError(f"{file}: {error}") from error
