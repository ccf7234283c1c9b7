"""What lies in a working tree now, as a commit: told without Prefect, which takes longer to import than this takes."""

from dataclasses import dataclass
from pathlib import Path

from host.errors import SourceError
from host.git import git, git_bytes
from tasks.source.borrowed import borrow, head_of, top_of


@dataclass(frozen=True)
class Taken:
    """A working tree as a commit of a throw-away repository `copy`. `base` is what was checked out, of the folder."""

    top: Path
    folder: str
    copy: Path
    head: str
    base: str
    commit: str

    @property
    def name(self) -> str:
        """Return the tree's name for people, and whether it is changed."""
        state = "unchanged since its last commit" if self.commit == self.base else "with uncommitted changes"
        return f"{Path(self.top.name, self.folder)} ({state})"


def take(path: Path, directory: Path) -> Taken:
    """Make a commit of what lies in a git working tree, in a throw-away repository in `directory`."""
    top, folder = _place(path)
    copy = borrow(top, directory / "tree.git")
    head = head_of(top)
    base = only_folder(copy, head, folder)
    git("--work-tree", str(top), "add", "--all", "--", f"./{folder}", at=copy)
    tree = git("write-tree", f"--prefix={folder}", at=copy)
    return Taken(top, folder, copy, head, base, _commit(copy, tree, base, head))


def _place(path: Path) -> tuple[Path, str]:
    """Return the top of the working tree and the folder below it that is meant, "" or "one/two/"."""
    if not path.is_dir():
        raise SourceError(f"{path}: no such directory; name a git working tree: make ci APP=PATH")
    try:
        folder = git("rev-parse", "--show-prefix", at=path)
    except SourceError as error:
        raise SourceError(f"{path} is not a git working tree; run there: git init ({error})") from error
    return top_of(path), folder


def only_folder(copy: Path, commit: str, folder: str) -> str:
    """Return a commit that has only a folder of another one, with that one behind it; "" when it has no such folder."""
    if not (commit and folder):
        return commit
    mode_type_hash = git("ls-tree", "-d", commit, "--", folder.rstrip("/"), at=copy).split()[:3]
    if mode_type_hash[1:2] != ["tree"]:
        return ""
    return _write_commit(copy, mode_type_hash[2], commit, f"only {folder}")


def _commit(copy: Path, tree: str, base: str, head: str) -> str:
    if base and git("rev-parse", f"{base}^{{tree}}", at=copy) == tree:
        return base
    return _write_commit(copy, tree, base or head, "uncommitted changes")


def _write_commit(copy: Path, tree: str, parent: str, message: str) -> str:
    """Write a commit of the moment of its parent: the same content behind the same parent is the same commit, and what
    was found out about it holds.
    """
    moment = git("show", "-s", "--format=%ct", parent, at=copy) if parent else "0"
    who = f"working tree <working-tree@localhost> {moment} +0000"
    behind = f"parent {parent}\n" if parent else ""
    lines = f"tree {tree}\n{behind}author {who}\ncommitter {who}\n\n{message}\n"
    return git_bytes("hash-object", "-t", "commit", "-w", "--stdin", at=copy, stdin=lines.encode()).decode().strip()
