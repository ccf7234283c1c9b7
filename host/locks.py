"""A lock file of the app, read by gates/locks.py and written anew for the tools that install from it."""

import os
import re
import stat
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from gates.locks import LARGEST_LOCK_BYTES, Lock, read_lock
from gates.other_locks import is_other_lock, lock_command
from gates.source_builds import build_cure
from host.errors import SourceError, ToolError
from host.files import sha256_file

SHOWN = 3
ADVICE = "a lock names packages as name==version --hash=sha256:... and nothing else; make one"
NOTHING = "it names no package, so nothing could be installed; make a lock"
# What pip and uv say of a package of which there is no wheel for this Python.
NO_WHEEL = re.compile(
    r"No matching distribution found for ([\w.-]+==[\w.+!-]+)" r"|\b([\w.-]+==[\w.+!-]+) has no (?:usable )?wheels"
)


def read_lock_file(file: Path, name: str = "") -> Lock:
    """Return what a lock names. Raises SourceError, with file and line, for a line that is no locked package, for a
    lock of another tool, and for what is no file of the commit. `name` is what to call it, without one its own name.
    """
    name = name or file.name
    if is_other_lock(file.name):
        raise SourceError(f"{name}: it is no lock that can be read; make one: {lock_command(name)}")
    lock = read_lock(read_lock_text(file, name))
    if lock.problems:
        more = len(lock.problems) - SHOWN
        shown = "; ".join(lock.problems[:SHOWN]) + (f"; and {more} more" if more > 0 else "")
        no_lock = f"it is no lock, none of its {len(lock.problems)} lines pins a package by hash: "
        raise SourceError(f"{name}: {'' if lock.packages else no_lock}{shown}; {ADVICE}: {lock_command(name)}")
    return lock


def refuse_empty(lock: Lock, name: str) -> None:
    """Raise SourceError if a lock names no package: an environment that lacks everything would be made of it."""
    if not lock.packages:
        raise SourceError(f"{name}: {NOTHING}: {lock_command(name)}")


def wheel_cure(trouble: str) -> str:
    """Return the way out, with a semicolon before it, when pip or uv says that a package has no wheel; else "".

    They say so of every package when nobody answers, which `was_not_answered` tells first.
    """
    named = sorted({found[1] or found[2] for found in NO_WHEEL.finditer(trouble)})
    if not named:
        return ""
    names = list(dict.fromkeys(one.partition("==")[0] for one in named))
    return (
        f"; only wheels are installed, and this host's index has none of {', '.join(named[:SHOWN])} for this Python:"
        f" {build_cure(names)}"
    )


def refuse_conflicts(lock: Lock, python: str, name: str) -> None:
    """Raise SourceError if a lock pins one package twice for Python `python` ("3.11")."""
    if problems := lock.conflicts(python):
        raise SourceError(f"{name}: {'; '.join(problems[:SHOWN])}; pin it once, or give each a marker")


def write_lock_file(lock: Lock, file: Path) -> Path:
    """Write a lock anew, readable for the user who installs from it, and return the file."""
    file.write_text(lock.text(), encoding="ascii")
    file.chmod(0o444)
    return file


def read_lock_text(file: Path, name: str) -> str:
    """Return the content of a regular file; a link in its place could lead to any file of this host."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode) or state.st_size > LARGEST_LOCK_BYTES:
                raise SourceError(f"{name}: no file, or larger than any lock ({LARGEST_LOCK_BYTES // 1_000_000} MB)")
            return stream.read(LARGEST_LOCK_BYTES).decode()
    except UnicodeDecodeError as error:
        raise SourceError(f"{name}: cannot be read: it is not UTF-8; {ADVICE}: {lock_command(name)}") from error
    except OSError as error:
        raise SourceError(f"{name}: cannot be read: {error.strerror}; it must be a file, not a link") from error


def check_wheels(folder: Path, lock: Lock) -> None:
    """Raise ToolError unless a folder holds exactly the wheels that a lock names for this host: files, by hash."""
    hashes = {(package.name, package.version): package.hashes for package in lock.packages}
    found: set[str] = set()
    for file in sorted(folder.iterdir()):
        state = file.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1 or file.suffix != ".whl":
            raise ToolError(f"{file.name} came with the wheels and is none")
        try:
            name, version, _, _ = parse_wheel_filename(file.name)
        except InvalidWheelFilename as error:
            raise ToolError(f"{file.name} came with the wheels and is none: {error}") from error
        if name in found or sha256_file(file) not in hashes.get((name, str(version)), ()):
            raise ToolError(f"{file.name} came with the wheels and is not the one that the lock names")
        found.add(name)
    needed = {package.name for package in lock.packages if package.marker is None or package.marker.evaluate()}
    if missing := sorted(needed - found):
        raise ToolError(f"{len(missing)} wheels did not come: {', '.join(missing[:10])}")
