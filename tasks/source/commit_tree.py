"""What a commit's tree holds, asked of git: names and links are judged before anything of it is laid out."""

import os
from dataclasses import dataclass
from pathlib import Path

from host.errors import SourceError
from host.files import write_atomically
from host.git import git, git_bounded, git_bytes, run_git
from host.trees import LONGEST_PATH_BYTES, TOO_LONG, Entry, Kind, UnsafeTree, refuse_unsafe, shown

# What a commit's .gitattributes could change of its files between git's store and what is laid out: a message into a
# file, another encoding, files left out. These lines win over every .gitattributes.
AS_STORED = "* !export-subst !export-ignore !working-tree-encoding !text !eol !crlf !ident !filter !diff\n"
# Those that somebody may count on: they would leave a file out, or change its content (`filter=lfs` fetches it).
_WORDS = "export-subst|export-ignore|ident|crlf|eol=crlf"
COUNTED_ON = rf"[[:space:]](({_WORDS})([[:space:]]|$)|(working-tree-encoding|filter)=)"
LINK, SUBMODULE = "120000", "160000"
FILES = ("100644", "100755", "100664")
# A tree can repeat itself: some kilobytes of objects may be a billion names. These are some 300,000.
LONGEST_LISTING = 30_000_000
LARGEST_TREE_BYTES = 2_000_000_000


@dataclass(frozen=True)
class _Row:
    """A row of `git ls-tree`."""

    mode: str
    content: str
    size: str
    path: str


def check_tree(copy: Path, commit: str) -> tuple[str, ...]:
    """Return the paths of a commit's submodules: empty folders, for they are not fetched.

    Raises SourceError if a name or a link of the commit may not be laid out; the message names each. Also if its files
    are larger together than LARGEST_TREE_BYTES: one content may stand under any number of names.
    """
    try:
        rows = _rows(copy, commit)
    except UnsafeTree as error:
        raise refusal(commit, error) from error
    _refuse_large(commit, rows)
    targets = _targets(copy, [row for row in rows if row.mode == LINK])
    try:
        refuse_unsafe([_entry(row, targets) for row in rows])
    except UnsafeTree as error:
        raise refusal(commit, error) from error
    return tuple(shown(row.path) for row in rows if row.mode == SUBMODULE)


def archive(copy: Path, commit: str, file: Path) -> None:
    """Write a commit's files as a tar, each with exactly the content that git has for it."""
    write_atomically(copy / "info" / "attributes", AS_STORED.encode())
    git("archive", "--format=tar", f"--output={file}", commit, at=copy)


def overruled(copy: Path, commit: str) -> tuple[str, ...]:
    """Return the paths of a commit's .gitattributes that ask for other files than those stored."""
    argv = ("grep", "-l", "-z", "-a", "-E", "-e", COUNTED_ON, commit, "--", ":(glob)**/.gitattributes")
    done = run_git(*argv, at=copy)
    if done.returncode not in (0, 1):  # 1: there are none
        raise SourceError(f"git grep in {copy}: {done.stderr.decode(errors='replace').strip()[-600:]}")
    named = done.stdout.decode(errors="replace").split("\0")
    return tuple(shown(name.removeprefix(f"{commit}:")) for name in named if name)


def refusal(commit: str, error: UnsafeTree) -> SourceError:
    """Return the error of a commit whose tree is not laid out."""
    return SourceError(f"commit {commit[:12]} cannot be laid out: {error}; take that out of it")


def _rows(copy: Path, commit: str) -> list[_Row]:
    listed = git_bounded("ls-tree", "-r", "-l", "-z", "--full-tree", commit, at=copy, most=LONGEST_LISTING).split(b"\0")
    rows = []
    for line in filter(None, listed):
        about, _, path = line.partition(b"\t")
        if len(path) > LONGEST_PATH_BYTES:
            raise UnsafeTree(f"{shown(os.fsdecode(path[:100]))}...: {TOO_LONG}")
        mode, _, content, size = about.decode().split()
        rows.append(_Row(mode, content, size, os.fsdecode(path)))
    return rows


def _refuse_large(commit: str, rows: list[_Row]) -> None:
    sizes = {row.path: int(row.size) for row in rows if row.size.isascii() and row.size.isdigit()}
    total = sum(sizes.values())
    if total > LARGEST_TREE_BYTES:
        largest = sorted(sizes, key=lambda path: (-sizes[path], path))[:3]
        named = ", ".join(f"{shown(path)} ({sizes[path] / 1e6:.0f} MB)" for path in largest)
        raise SourceError(
            f"commit {commit[:12]} has {total / 1e9:.1f} GB of files, expected at most {LARGEST_TREE_BYTES / 1e9:g} "
            f"GB, since each check gets a copy; take out the largest: {named}"
        )


def _entry(row: _Row, targets: dict[str, str]) -> Entry:
    if row.mode == LINK:
        return Entry(row.path, Kind.LINK, targets.get(row.content, ""))
    if row.mode == SUBMODULE:
        return Entry(row.path, Kind.FOLDER)
    return Entry(row.path, Kind.FILE if row.mode in FILES else Kind.OTHER)


def _targets(copy: Path, links: list[_Row]) -> dict[str, str]:
    """Return where links lead, by the hash of their content. One that is longer than any path has no target."""
    wanted = sorted({row.content for row in links if int(row.size) <= LONGEST_PATH_BYTES})
    if not wanted:
        return {}
    answer = git_bytes("cat-file", "--batch", at=copy, stdin="".join(f"{one}\n" for one in wanted).encode())
    targets = {}
    for one in wanted:
        head, _, answer = answer.partition(b"\n")
        size = int(head.split()[2])
        targets[one] = os.fsdecode(answer[:size])
        answer = answer[size + 1 :]
    return targets
