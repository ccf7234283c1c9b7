"""A working tree as it is now, uncommitted changes included, as if it were a commit."""

from dataclasses import dataclass
from pathlib import Path

from prefect.logging import get_run_logger

from evidence.commits import read_history
from host.errors import SourceError
from host.git import git, git_bytes
from tasks.retries import once
from tasks.source.borrowed import borrow, head_of, top_of
from tasks.source.commit_tree import archive, check_tree, overruled
from tasks.source.git import Source, compared_with, tell_left_out, tracked


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
    base = _only(copy, head, folder)
    git("--work-tree", str(top), "add", "--all", "--", f"./{folder}", at=copy)
    tree = git("write-tree", f"--prefix={folder}", at=copy)
    return Taken(top, folder, copy, head, base, _commit(copy, tree, base, head))


@once("source", "working tree")
def read_working_tree(path: Path, directory: Path) -> Source:
    """Take what lies in a git working tree: tracked and new files, not ignored ones. Nothing in it is written.

    A folder below its top is the app, as if nothing lay around it; the history stays the whole repository's. It becomes
    a commit in a throw-away repository in `directory` that borrows the real one's objects. Unchanged, the top is HEAD
    itself. Never signable: nobody else has these bytes. Raises SourceError for what is no git working tree, and if it
    holds a name or a link that may not be laid out.

    Not repeated: it reads files of this host only.
    """
    taken = take(path, directory)
    copy, commit, base = taken.copy, taken.commit, taken.base
    tell_left_out(check_tree(copy, commit), overruled(copy, commit))
    tar = directory / "source.tar"
    archive(copy, commit, tar)
    branch = _branch(taken.top)
    history, older = read_history(copy, commit)
    source = Source(
        commit,
        taken.name,
        branch,
        history,
        tar,
        files=tracked(copy, commit),
        repository=copy,
        parent=base if commit != base else _only(copy, compared_with(copy, taken.head, branch), taken.folder),
        signable=False,
        older=older,
    )
    get_run_logger().info("%s on %s: %d files", taken.name, branch or "no branch", len(source.files))
    return source


def _place(path: Path) -> tuple[Path, str]:
    """Return the top of the working tree and the folder below it that is meant, "" or "one/two/"."""
    if not path.is_dir():
        raise SourceError(f"{path}: no such directory; name a git working tree: make ci APP=PATH")
    try:
        folder = git("rev-parse", "--show-prefix", at=path)
    except SourceError as error:
        raise SourceError(f"{path} is not a git working tree; run there: git init ({error})") from error
    return top_of(path), folder


def _only(copy: Path, commit: str, folder: str) -> str:
    """Return a commit that has only a folder of another one, with that one behind it; "" when it has no such folder."""
    if not (commit and folder):
        return commit
    mode_type_hash = git("ls-tree", "-d", commit, "--", folder.rstrip("/"), at=copy).split()[:3]
    if mode_type_hash[1:2] != ["tree"]:
        return ""
    return _write_commit(copy, mode_type_hash[2], commit, f"only {folder}")


def _branch(top: Path) -> str:
    try:
        return git("symbolic-ref", "--short", "--quiet", "HEAD", at=top)
    except SourceError:
        return ""


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
