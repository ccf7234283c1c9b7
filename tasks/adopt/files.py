"""The files of a repository, from a folder or from git's objects: names first, then the texts of a few of them.

The files are a stranger's. No link is followed, git lays nothing out, and all of it has limits.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from host.errors import SourceError
from host.git import git_bounded, git_bytes

MOST_FILES = 60_000
SHOWN = 3
DEEPEST = 40  # folders inside of each other
LARGEST_BYTES = 2_000_000  # of one file
MOST_BYTES = 40_000_000  # of all that is read
LARGEST_LISTING = 20_000_000
# Not the app's own, and large. A working tree has them, a commit seldom.
NOT_ENTERED = frozenset(
    ".git .hg .svn node_modules .venv venv env .env .tox .nox __pycache__ site-packages .mypy_cache .ruff_cache"
    " .pytest_cache .idea .cache .eggs bower_components".split()
)


@dataclass
class Files:
    """Names and sizes of the regular files. `left_out` says what was not looked at, `read` returns some of them."""

    sizes: Mapping[str, int]
    read: Callable[[Sequence[str]], Mapping[str, bytes]]
    left_out: list[str] = field(default_factory=list)

    def texts(self, wanted: Sequence[str], keep: Callable[[str, bytes], bool]) -> dict[str, str]:
        """Return the texts of the wanted files, in this order while all of them stay within the limits. `keep` chooses
        by content. What is too large or no text is named in `left_out`.
        """
        chosen: list[str] = []
        total = 0
        for name in wanted:
            if self.sizes[name] > LARGEST_BYTES:
                self.left_out.append(f"{name}: larger than {LARGEST_BYTES // 1_000_000} MB")
            elif total + self.sizes[name] > MOST_BYTES:
                more = len(wanted) - len(chosen)
                self.left_out.append(f"{more} files: more than {MOST_BYTES // 1_000_000} MB in all are not read")
                break
            else:
                chosen.append(name)
                total += self.sizes[name]
        found = {}
        contents = self.read(chosen)
        self.left_out += [f"{name}: cannot be read" for name in chosen if name not in contents]
        for name, content in contents.items():
            if keep(name, content):
                try:
                    found[name] = content.decode("utf-8-sig").replace("\r\n", "\n")
                except UnicodeDecodeError:
                    self.left_out.append(f"{name}: not UTF-8")
        return found


def of_folder(top: Path) -> Files:
    """Look at what lies in a folder. Raises SourceError if it cannot be listed."""
    left_out: list[str] = []
    sizes = dict(_walk(top, left_out))

    def read(names: Sequence[str]) -> dict[str, bytes]:
        return {name: content for name in names if (content := _content(top, name)) is not None}

    return Files(sizes, read, left_out)


def _walk(top: Path, left_out: list[str]) -> Iterator[tuple[str, int]]:
    waiting, count = [""], 0
    skipped: list[str] = []
    while waiting:
        folder = waiting.pop(0)
        for entry in _entries(top / folder, folder, left_out):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink() or not path.isprintable():
                skipped.append(path)
            elif entry.is_dir(follow_symlinks=False):
                if entry.name not in NOT_ENTERED:
                    waiting += _entered(path, left_out)
            elif entry.is_file(follow_symlinks=False):
                if count == MOST_FILES:
                    left_out.append(f"everything after the first {MOST_FILES} files")
                    return
                count += 1
                yield from _sized(path, entry)
            else:
                skipped.append(path)
    _say_skipped(skipped, left_out)


def _sized(path: str, entry: "os.DirEntry[str]") -> Iterator[tuple[str, int]]:
    with suppress(OSError):  # it is gone by now
        yield path, entry.stat(follow_symlinks=False).st_size


def _say_skipped(skipped: Sequence[str], left_out: list[str]) -> None:
    if skipped:
        shown = ", ".join(ascii(path)[1:-1][:80] for path in skipped[:SHOWN])
        more = f" and {len(skipped) - SHOWN} more" * (len(skipped) > SHOWN)
        left_out.append(f"links, submodules, special files and names that cannot be printed: {shown}{more}")


def _entries(path: Path, folder: str, left_out: list[str]) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if not folder:
            raise SourceError(f"{path}: cannot be listed: {error.strerror}") from error
        left_out.append(f"{folder}: cannot be listed: {error.strerror}")
        return []


def _entered(path: str, left_out: list[str]) -> list[str]:
    if path.count("/") < DEEPEST:
        return [path]
    left_out.append(f"{path[:80]}...: more than {DEEPEST} folders deep")
    return []


def _content(top: Path, name: str) -> bytes | None:
    """Return a file's bytes, None of what is no regular file any more or leads elsewhere."""
    try:
        if not (top / name).resolve().is_relative_to(top.resolve()):
            return None
        descriptor = os.open(top / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(LARGEST_BYTES + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def of_commit(repository: Path, commit: str) -> Files:
    """Look at a commit in a git repository, of which nothing is laid out. Raises SourceError if git cannot."""
    left_out: list[str] = []
    listed = git_bounded("ls-tree", "-r", "-z", commit, at=repository, most=LARGEST_LISTING)
    hashes = dict(_blobs(listed, left_out))
    asked = b"".join(b"%s\n" % hashes[name] for name in hashes)
    answers = git_bytes("cat-file", "--batch-check", at=repository, stdin=asked).splitlines()
    sizes = {name: _size(answer) for name, answer in zip(hashes, answers, strict=True)}
    if absent := [name for name, size in sizes.items() if size < 0]:
        left_out.append(f"{len(absent)} files whose content this repository lacks, {absent[0]} for one")

    def read(names: Sequence[str]) -> dict[str, bytes]:
        return _batch(repository, {name: hashes[name] for name in names}) if names else {}

    return Files({name: size for name, size in sizes.items() if size >= 0}, read, left_out)


def _blobs(listed: bytes, left_out: list[str]) -> Iterator[tuple[str, bytes]]:
    skipped: list[str] = []
    for number, row in enumerate(filter(None, listed.split(b"\0"))):
        if number == MOST_FILES:
            left_out.append(f"everything after the first {MOST_FILES} files")
            break
        about, _, path = row.partition(b"\t")
        mode, _, kind_and_hash = about.partition(b" ")
        name = path.decode("utf-8", errors="replace")
        entered = not NOT_ENTERED & set(name.split("/")[:-1]) and name.count("/") <= DEEPEST
        if not entered:
            continue
        if mode.startswith(b"100") and name.isprintable():
            yield name, kind_and_hash.rpartition(b" ")[2]
        else:
            skipped.append(name)
    _say_skipped(skipped, left_out)


def _size(answer: bytes) -> int:
    size = answer.rpartition(b" ")[2]
    return int(size) if size.isdigit() else -1


def _batch(repository: Path, hashes: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the contents of objects, whose sizes are known and limited."""
    output = git_bytes("cat-file", "--batch", at=repository, stdin=b"".join(b"%s\n" % one for one in hashes.values()))
    found, at = {}, 0
    for name in hashes:
        end = output.index(b"\n", at)
        size, at = _size(output[at:end]), end + 1
        if size >= 0:
            found[name] = output[at : at + size]
            at += size + 1
    return found
