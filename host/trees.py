"""Trees of files that strangers made: a commit's, an archive's, a build's. Their names and links are judged by their
text before anything is laid out, and nothing is written through a link.
"""

import os
import shutil
import stat
import tarfile
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from host.errors import SlipwayError

LONGEST_NAME_BYTES = 255  # NAME_MAX
LONGEST_PATH_BYTES = 2000  # below PATH_MAX, with room for where the tree is laid
DEEPEST = 100  # folders inside of each other
TOO_LONG = "the name is too long, or too deep"
NAMED = 5
# Characters that change the order in which a line is shown: what a reviewer reads is not what is there.
REORDERING = frozenset("LRE RLE LRO RLO PDF LRI RLI FSI PDI".split())


class UnsafeTree(SlipwayError):
    """A tree holds names or links that are not laid out; the message names them."""


class Kind(StrEnum):
    """What an entry of a tree is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "neither file, folder nor link"


@dataclass(frozen=True)
class Entry:
    """One entry: `path` from the tree's top, and where a link leads."""

    path: str
    kind: Kind
    target: str = ""


def refuse_unsafe(entries: Iterable[Entry]) -> None:
    """Raises UnsafeTree if a name or a link of the tree may not be laid out."""
    found = problems(list(entries))
    if found:
        more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
        raise UnsafeTree("; ".join(found[:NAMED]) + more)


def problems(entries: Collection[Entry]) -> list[str]:
    """Return what may not be laid out, each with its reason.

    Names that git or a terminal reads as something else, entries that are there twice or below something that is no
    folder, and links that are absolute, leave the tree, or go back (`..`) through anything but a folder of the tree.
    """
    # Names first: of one that is too deep the folders above it are too many.
    named = [_name_problem(entry.path) for entry in entries]
    good = [entry for entry, why in zip(entries, named, strict=True) if not why]
    leaves = {entry.path for entry in good if entry.kind is not Kind.FOLDER}
    folders = {entry.path for entry in good if entry.kind is Kind.FOLDER} | {
        above for entry in good for above in _above(entry.path)
    }
    seen: set[str] = set()
    found = []
    for entry, misnamed in zip(entries, named, strict=True):
        why = misnamed or _place_problem(entry, leaves, folders, seen)
        seen.add(entry.path)
        if not why and entry.kind is Kind.LINK:
            why = _link_problem(entry, folders - leaves)
        if why:
            arrow = f" -> {shown(entry.target)}" if entry.kind is Kind.LINK else ""
            found.append(f"{shown(entry.path)}{arrow}: {why}")
    return found


def shown(text: str) -> str:
    """Return a stranger's text as one harmless line of at most 200 characters."""
    return (text if text.isprintable() and text else ascii(text))[:200]


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _name_problem(path: str) -> str:
    words = path.split("/")
    if any(word in ("", ".", "..") for word in words):
        return "no path inside of the tree"
    if of_repository(path):
        return "git would read it as a repository of its own"
    lengths = [len(os.fsencode(word)) + 1 for word in words]
    if sum(lengths) > LONGEST_PATH_BYTES or max(lengths) > LONGEST_NAME_BYTES + 1 or len(words) > DEEPEST:
        return TOO_LONG
    return _text_problem(path)


def _text_problem(text: str) -> str:
    kinds = {unicodedata.category(character) for character in text}
    if "Cs" in kinds:
        return "the name is not UTF-8"
    if kinds & {"Cc", "Zl", "Zp"}:
        return "the name holds a control character"
    if any(unicodedata.bidirectional(character) in REORDERING for character in text):
        return "the name holds a character that reorders what is shown"
    return ""


def _place_problem(entry: Entry, leaves: set[str], folders: set[str], seen: set[str]) -> str:
    if entry.kind is Kind.OTHER:
        return f"it is {Kind.OTHER}"
    if entry.path in seen and entry.path in leaves or entry.kind is not Kind.FOLDER and entry.path in folders:
        return "the tree has this name twice"
    if any(above in leaves for above in _above(entry.path)):
        return "it lies below something that is no folder"
    return ""


def _link_problem(link: Entry, folders: set[str]) -> str:
    if not link.target or len(os.fsencode(link.target)) > LONGEST_PATH_BYTES:
        return "the link leads nowhere"
    if problem := _text_problem(link.target):
        return problem.replace("the name", "the link's target")
    if link.target.startswith("/"):
        return "the link is absolute, so it leads out of the tree"
    at = link.path.split("/")[:-1]
    for word in link.target.split("/"):
        if word in ("", "."):
            continue
        if word != "..":
            at.append(word)
        elif not at:
            return "the link leads out of the tree"
        elif "/".join(at) not in folders:
            return f"the link goes back (..) through {shown('/'.join(at))}, which is no folder of the tree"
        else:
            at.pop()
    return ""


def unpack(archive: Path | BinaryIO, directory: Path, only: Collection[str] = (), repositories: bool = True) -> None:
    """Unpack a tar into a directory of its own; `only` the files that lie at or below these paths, if any are named.

    Without `repositories` what is called .git, and what lies below, is left out; else it is refused.

    Raises UnsafeTree before anything is written if the archive holds what may not be laid out, and if it is no tar.
    """
    try:
        with tarfile.open(archive) if isinstance(archive, Path) else tarfile.open(fileobj=archive) as tar:
            members = [one for one in tar if one.name != "." and (repositories or not of_repository(one.name))]
            refuse_unsafe(map(_entry, members))
            tops = frozenset(only)
            chosen = [one for one in members if not only or _is_below(_entry(one).path, tops)]
            tar.extractall(directory, members=chosen, filter="data")
    except tarfile.TarError as error:
        raise UnsafeTree(str(error)) from error


def of_repository(path: str) -> bool:
    """Return whether git would take a path for a part of a repository's own files."""
    return any(word.casefold() == ".git" for word in path.split("/"))


def _entry(member: tarfile.TarInfo) -> Entry:
    path = member.name.removeprefix("./")
    if member.isdir():
        return Entry(path, Kind.FOLDER)
    if member.issym():
        return Entry(path, Kind.LINK, member.linkname)
    return Entry(path, Kind.FILE if member.isreg() else Kind.OTHER)


def _is_below(path: str, tops: Collection[str]) -> bool:
    while path and path not in tops:
        path = path.rpartition("/")[0]
    return bool(path)


def entries_below(folder: Path) -> Iterator[Entry]:
    """Yield every entry of a folder, in the order of their names; no link is followed."""
    yield from _entries(folder, "")


def _entries(folder: Path, before: str) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        listed = sorted(found, key=lambda one: one.name)
    if before.count("/") > DEEPEST:
        raise UnsafeTree(f"{shown(before)}: {TOO_LONG}")
    for one in listed:
        path = before + one.name
        if one.is_symlink():
            yield Entry(path, Kind.LINK, os.readlink(one.path))
        elif one.is_dir(follow_symlinks=False):
            yield Entry(path, Kind.FOLDER)
            yield from _entries(Path(one.path), f"{path}/")
        else:
            yield Entry(path, Kind.FILE if one.is_file(follow_symlinks=False) else Kind.OTHER)


FOLDER_ONLY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_tree(source: Path, target: Path, below: str = "") -> None:
    """Copy what lies in `source`/`below` over `target`/`below`, whose folders are made. A file replaces a file.

    Both are opened name by name: no link in either is followed, one of the source is copied as it is, and one that
    stands in the target where something goes is refused. Raises UnsafeTree, which names it.
    """
    target.mkdir(parents=True, exist_ok=True)
    towards = [word for word in below.split("/") if word not in ("", ".")]
    with _opened(source) as reading, _opened(target) as writing:
        _copy_folder(reading, writing, "", towards)


@contextmanager
def _opened(name: Path | str, at: int | None = None, path: str = "") -> Iterator[int]:
    try:
        descriptor = os.open(name, FOLDER_ONLY, dir_fd=at)
    except OSError as error:
        raise UnsafeTree(f"{shown(path or str(name))}: no folder stands there ({error.strerror})") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy_folder(source: int, target: int, path: str, towards: list[str]) -> None:
    """Copy the entries of one folder; on the way `towards` where the copy begins only the next folder."""
    for name in towards[:1] or sorted(os.listdir(source)):
        below = f"{path}/{name}" if path else name
        mode = _mode(source, name, below)
        if below.count("/") >= DEEPEST:
            raise UnsafeTree(f"{shown(below)}: {TOO_LONG}")
        if stat.S_ISDIR(mode):
            _make_folder(target, name, below)
            with _opened(name, source, below) as reading, _opened(name, target, below) as writing:
                _copy_folder(reading, writing, below, towards[1:])
        elif towards:
            raise UnsafeTree(f"{shown(below)} is no folder")
        else:
            _copy_leaf(source, target, name, below, mode)


def _mode(at: int, name: str, path: str) -> int:
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
    except OSError as error:
        raise UnsafeTree(f"{shown(path)}: {error.strerror}") from error


def _copy_leaf(source: int, target: int, name: str, path: str, mode: int) -> None:
    if stat.S_ISLNK(mode):
        _make_way(target, name, path)
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    elif stat.S_ISREG(mode):
        _copy_file(source, target, name, path)
    else:
        raise UnsafeTree(f"{shown(path)}: it is {Kind.OTHER}")


def _standing(target: int, name: str, path: str) -> int:
    """Return the mode of what stands at a name, 0 for nothing. Raises UnsafeTree if it is a link."""
    try:
        mode = os.stat(name, dir_fd=target, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0
    if stat.S_ISLNK(mode):
        leads = shown(os.readlink(name, dir_fd=target))
        raise UnsafeTree(f"{shown(path)} -> {leads}: a link stands where a file or folder goes")
    return mode


def _make_folder(target: int, name: str, path: str) -> None:
    if not _standing(target, name, path):
        os.mkdir(name, dir_fd=target)


def _make_way(target: int, name: str, path: str) -> None:
    mode = _standing(target, name, path)
    if mode and not stat.S_ISREG(mode):
        raise UnsafeTree(f"{shown(path)}: a folder stands where a file goes")
    if mode:
        os.unlink(name, dir_fd=target)


def _copy_file(source: int, target: int, name: str, path: str) -> None:
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    with open(reading, "rb") as content:
        state = os.fstat(reading)
        if not stat.S_ISREG(state.st_mode):
            raise UnsafeTree(f"{shown(path)}: it is {Kind.OTHER}")
        _make_way(target, name, path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(name, flags, 0o600, dir_fd=target), "wb") as sink:
            shutil.copyfileobj(content, sink)
            os.fchmod(sink.fileno(), stat.S_IMODE(state.st_mode) & 0o777)
