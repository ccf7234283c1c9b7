"""What is kept to be used again, such as environments: bounded in size, and never removed while a process uses it.

<name>/        what is kept
<name>.used    locked, shared, by each process that uses it, until it ends; its time is that of the last use, its text
               the size of what is complete and so does not change
"""

import fcntl
import os
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from host.files import remove_tree
from host.virtual_environments import COMPLETE

REMOVED = ".removed-"
_holding: dict[Path, int] = {}
_one_thread = threading.Lock()


def hold(directory: Path) -> None:
    """Keep what lies in a directory, or will lie there, from being removed until this process ends. Safe to repeat.

    Do this before looking whether it is there.
    """
    with _one_thread:
        if directory not in _holding or not _is_at(_holding[directory], _mark(directory)):
            directory.parent.mkdir(parents=True, exist_ok=True)
            _holding[directory] = _locked(_mark(directory))
        os.utime(_holding[directory])


def first_complete(directories: Sequence[Path]) -> Path:
    """Return the first of these directories that is complete, else the last one, to be made there; it is held."""
    for directory in directories:
        if directory.is_dir() or directory == directories[-1]:
            hold(directory)
            if (directory / COMPLETE).exists():
                return directory
    return directories[-1]


def kept_below(top: Path) -> Iterator[Path]:
    """Yield what is kept in a directory: what is complete right in it, and all that lies in its other folders."""
    for entry in _folders(top):
        if (entry / COMPLETE).exists():
            yield entry
        else:
            yield from _folders(entry)


def bound(kept: Iterable[Path], largest_bytes: int) -> list[str]:
    """Remove what was not used for longest until the rest is no larger; return what was removed, a line each.

    What any process holds stays. Safe to race and to repeat.
    """
    entries = sorted((_Kept.at(one) for one in kept), key=lambda one: one.used)
    total = sum(one.size for one in entries)
    said = []
    for one in entries:
        if total <= largest_bytes:
            break
        if _remove(one.directory):
            total -= one.size
            said.append(f"{one.directory} ({one.size / 1e6:.0f} MB, last used {one.day})")
    return said


@dataclass(frozen=True)
class _Kept:
    directory: Path
    size: int
    used: float

    @classmethod
    def at(cls, directory: Path) -> "_Kept":
        mark = _mark(directory)
        try:
            used = mark.stat().st_mtime
        except FileNotFoundError:
            used = directory.lstat().st_mtime if directory.exists() else 0
        return cls(directory, _size(directory, mark), used)

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.used, UTC).date().isoformat()


def _size(directory: Path, mark: Path) -> int:
    if not (directory / COMPLETE).exists():
        return _measured(directory)
    with suppress(OSError, ValueError):
        return int(mark.read_text())
    size = _measured(directory)
    with suppress(OSError):
        used = mark.stat().st_mtime_ns if mark.exists() else directory.stat().st_mtime_ns
        mark.write_text(str(size))
        os.utime(mark, ns=(used, used))
    return size


def _measured(directory: Path) -> int:
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total


def _remove(directory: Path) -> bool:
    """Remove what nobody holds, and what an interrupted removal left; return whether it was removed."""
    try:
        descriptor = os.open(_mark(directory), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    trash = directory.with_name(f"{REMOVED}{uuid.uuid4().hex[:12]}")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(descriptor, _mark(directory)):
            return False
        if (directory / COMPLETE).exists():  # the lock under which it was made: whoever makes it again holds the mark
            directory.with_suffix(".lock").unlink(missing_ok=True)
        directory.rename(trash)
        _mark(directory).unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    for one in directory.parent.glob(f"{REMOVED}*"):
        with suppress(OSError):  # another run removes it, too
            remove_tree(one)
    return True


def _mark(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.used")


def _locked(file: Path) -> int:
    """Return a descriptor of the file with a shared lock, of the file that has this name now."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if _is_at(descriptor, file):
            return descriptor
        os.close(descriptor)


def _is_at(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False


def _folders(top: Path) -> list[Path]:
    try:
        with os.scandir(top) as found:
            return [
                Path(one.path)
                for one in found
                if one.is_dir(follow_symlinks=False) and not one.name.startswith(REMOVED)
            ]
    except OSError:
        return []
