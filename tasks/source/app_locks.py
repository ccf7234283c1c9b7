"""The locks of a commit, each as the strict list with hashes that is installed, scanned and kept.

A list of requirements is that already. The locks of uv, Poetry, PDM and Pipenv and pylock.toml are read for the app's
Python on this kind of machine, and written as one beside the commit's tree. Everything that looks at a lock of the app
looks at that file.
"""

import functools
import hashlib
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags

from evidence.bundle import LockOrigin
from gates.lock_formats.assemble import Converted
from gates.lock_formats.pdm import read_pdm
from gates.lock_formats.pipfile import read_pipfile
from gates.lock_formats.poetry import read_poetry
from gates.lock_formats.pylock import read_pylock
from gates.lock_formats.selection import LockError, Target, shown
from gates.lock_formats.uv import own_packages, package_names
from gates.locks import Lock, Locked
from gates.other_locks import is_read_lock
from gates.source_builds import build_cure, to_build
from host.errors import ConfigError, SourceError, ToolError
from host.files import sha256_file, write_atomically
from host.locks import read_lock_file, read_lock_text
from host.uv_export import export_uv_lock
from settings.locks import LockChoice, Locks
from settings.pipeline import Pipeline

PROJECT = "pyproject.toml"
BUILT = "built"  # the folder of wheels that were built for a lock, and of the list that has their hashes
SHOWN = 5
MOST_MEMBERS = 500
LONGEST_NAME = 120


@dataclass(frozen=True)
class AppLocks:
    """The locks that `locks` names in a commit laid out at `tree`, for one minor version of Python."""

    tree: Path
    locks: Locks
    python: str

    @staticmethod
    def of(pipeline: Pipeline, tree: Path) -> "AppLocks":
        """Return the locks of a commit laid out at `tree` as a pipeline names them."""
        return AppLocks(tree, pipeline.locks, pipeline.app.python)

    def file(self, choice: LockChoice) -> Path:
        """Return the file that is installed from: the list of `listed`, or the one that has the hashes of the wheels
        that were built, where [locks] has packages of it built from source.

        Raises like `listed`, and ToolError if they were not built yet (tasks/source/source_builds.py).
        """
        if not self.from_source(choice):
            return self.listed(choice)
        if not (made := self.built_file(choice)).is_file():
            raise ToolError(f"{choice}: its packages that are built from source were not built")
        return made

    def wheels(self, choice: LockChoice) -> Path | None:
        """Return the folder with the wheels that were built for a lock, None when it needs none."""
        return self.built_file(choice).parent if self.from_source(choice) else None

    def from_source(self, choice: LockChoice) -> tuple[Locked, ...]:
        """Return the packages of a lock that are built from source: none of a lock that is only audited. Raises like
        `listed`.
        """
        names = self.locks.build_from_source
        if not names or choice not in self.locks.installed.values():
            return ()
        return to_build(self.read(choice), names, self.python)

    def built_file(self, choice: LockChoice) -> Path:
        """Return where the list lies that has the hashes of built wheels, with copies of these beside it."""
        return self._made(choice, BUILT)

    def listed(self, choice: LockChoice) -> Path:
        """Return the strict list that a lock is: the commit's file, or the one that is made of it once a tree.

        Raises ConfigError if the commit has no such file, and SourceError if it cannot be used, with the way out.
        """
        if not os.path.lexists(self.tree / choice.file):
            raise ConfigError(f"config/pipeline.toml: locks: the commit has no file {choice.file}")
        if not is_converted(choice):
            refuse_selection(choice)
            return self.tree / choice.file
        made = self._made(choice)
        if not made.is_file():
            made.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(made, written(choice, self.convert(choice), self.python).encode(), 0o644)
        return made

    def read(self, choice: LockChoice) -> Lock:
        """Return what a lock names. Raises ConfigError and SourceError like `listed`."""
        return read_lock_file(self.listed(choice), str(choice) if is_converted(choice) else choice.file)

    def names(self, choice: LockChoice) -> set[str]:
        """Return the packages that a lock's file names, those of other groups and systems too. Raises like `listed`."""
        if not is_converted(choice):
            return {package.name for package in self.read(choice).packages}
        converted = self.convert(choice)
        named = {*converted.left_out, *(package.name for package in converted.lock.packages)}
        if PurePosixPath(choice.file).name == "uv.lock":  # what uv exports is only the wanted part
            named |= package_names(read_lock_text(self.tree / choice.file, choice.file))
        return named

    def refuse_unbuilt(self, choice: LockChoice) -> None:
        """Raise SourceError for the packages of which another tool's lock names no wheel for this Python. Of a list of
        requirements only the index knows.
        """
        named = self.convert(choice).unbuilt if is_converted(choice) else ()
        unbuilt = [name for name in named if name not in self.locks.build_from_source]
        if unbuilt:
            names = ", ".join(unbuilt[:SHOWN]) + f" and {len(unbuilt) - SHOWN} more" * (len(unbuilt) > SHOWN)
            raise SourceError(
                f"{choice}: it names no wheel of {names} for CPython {self.python} on this kind of machine, and only"
                f" wheels are installed: {build_cure(unbuilt)}"
            )

    def _made(self, choice: LockChoice, folder: str = "") -> Path:
        """Return where the lock is made: in a folder of its own, under a name that tells people what it is."""
        digest = hashlib.sha256(f"{choice!r} {self.python}".encode()).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9._(),; -]", "-", str(choice))[:LONGEST_NAME]
        return self.tree.parent / f"{self.tree.name}.locks" / digest / folder / f"{name}.txt"

    def convert(self, choice: LockChoice) -> Converted:
        """Read another tool's lock. Raises SourceError, which names the packages that cannot be installed."""
        try:
            converted = self._read(choice)
        except LockError as error:
            raise SourceError(f"{choice}: cannot be used: {error}") from None
        problems = converted.lock.problems
        if problems:
            more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
            raise SourceError(f"{choice}: {'; '.join(problems[:SHOWN])}{more}")
        return converted

    def _read(self, choice: LockChoice) -> Converted:
        text, selection = read_lock_text(self.tree / choice.file, choice.file), choice.selection
        target, name = target_of(self.python), PurePosixPath(choice.file).name
        if name == "uv.lock":
            own = own_packages(text)
            members = {member: self._project(choice, folder) for member, folder in self._members(choice, own)}
            scratch = self._made(choice).parent
            scratch.mkdir(parents=True, exist_ok=True)
            found = export_uv_lock({"uv.lock": text, **members}, selection, scratch)
            read = read_pylock(found, type(selection)(), target)
            return Converted(read.lock, read.left_out, tuple(sorted(own)), read.unbuilt)
        if name == "poetry.lock":
            return read_poetry(text, self._project(choice, "."), selection, target)
        reader = {"pdm.lock": read_pdm, "Pipfile.lock": read_pipfile}.get(name, read_pylock)
        return reader(text, selection, target)

    def _members(self, choice: LockChoice, own: dict[str, str]) -> Iterable[tuple[str, str]]:
        """Yield the place of the pyproject.toml of the workspace and each of its members, and its folder."""
        folders = sorted({".", *own.values()})
        if len(folders) > MOST_MEMBERS:
            raise LockError(f"its workspace has more than {MOST_MEMBERS} members")
        for folder in folders:
            if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
                raise LockError(f"a member of its workspace lies elsewhere: {shown(folder)}")
            yield str(PurePosixPath(folder) / PROJECT), folder

    def _project(self, choice: LockChoice, folder: str) -> str:
        where = PurePosixPath(choice.file).parent / folder / PROJECT
        if not os.path.lexists(self.tree / where):
            raise LockError(f"the commit has no {where}, without which nobody can tell what of it is wanted")
        return read_lock_text(self.tree / where, str(where))


def made_of(locks: AppLocks) -> dict[Literal["runtime", "smoke"], LockOrigin]:
    """Return what the shipped locks of other tools are made of."""
    shipped: dict[Literal["runtime", "smoke"], LockChoice | None]
    shipped = {"runtime": locks.locks.runtime, "smoke": locks.locks.smoke}
    return {
        key: LockOrigin(file=lock.file, sha256=sha256_file(locks.tree / lock.file), selection=str(lock.selection))
        for key, lock in shipped.items()
        if lock and is_converted(lock)
    }


def is_converted(choice: LockChoice) -> bool:
    """Return whether a lock is another tool's, of which ours is made."""
    return is_read_lock(choice.file)


def refuse_selection(choice: LockChoice) -> None:
    """Raise ConfigError if a part is chosen of a list of requirements, which has none."""
    if chosen := str(choice.selection):
        raise ConfigError(
            f"config/pipeline.toml: locks: {choice.file} is a list of requirements, which has no {chosen}"
        )


def written(choice: LockChoice, converted: Converted, python: str) -> str:
    """Return the text of the lock that is made, which says of what and what is not in it."""
    head = [f"made of {choice}, for CPython {python} on {platform.machine()}"]
    head += [f"the app's own: {', '.join(converted.own)}"] if converted.own else []
    head += [f"not of this selection or system: {', '.join(converted.left_out)}"] if converted.left_out else []
    return "".join(f"# {shown_line(line)}\n" for line in head) + converted.lock.text()


def shown_line(text: str) -> str:
    """Return a text for a comment: nothing that could end it."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text).rstrip("\\")


@functools.cache
def target_of(python: str) -> Target:
    """Return this kind of machine with one minor version of Python, and the indexes that this host asks."""
    major, minor = (int(part) for part in python.split("."))
    platforms = list(platform_tags())
    abi = [f"cp{major}{minor}"]
    tags: set[Tag] = {*cpython_tags((major, minor), abi, platforms)}
    tags |= {*compatible_tags((major, minor), f"cp{major}{minor}", platforms)}
    return Target(python, platform.machine(), frozenset(tags), _indexes())


def _indexes() -> frozenset[str]:
    """Return the addresses of the indexes that this host's settings name."""
    names = [f"PIP_{name}" for name in ("INDEX_URL", "EXTRA_INDEX_URL")]
    names += [f"UV_{name}" for name in ("INDEX", "DEFAULT_INDEX", "INDEX_URL", "EXTRA_INDEX_URL")]
    words = [word for name in names for word in os.environ.get(name, "").split()]
    named = [word.partition("=")[2] if "=" in word.partition("://")[0] else word for word in words]  # name=address
    return frozenset(word.rstrip("/") for word in named)
