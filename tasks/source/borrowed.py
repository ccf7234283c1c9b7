"""A repository of ours that looks at somebody's working tree.

git obeys the configuration of a repository: filters, hooks, monitors and more are programs that it starts. So a command
that reads a working tree runs in an empty repository with a configuration of ours, which only borrows the objects.
"""

import re
import shutil
from pathlib import Path

from host.errors import SourceError
from host.git import git, run_git

# What tells how the files lie on this disk. None of it names a program, and a word is all that any of it may be.
SHAPE = "filemode|symlinks|ignorecase|autocrlf|eol|trustctime|checkstat|precomposeunicode|sparsecheckout(cone)?"
_WORD = re.compile(r"[A-Za-z]{1,10}|[01]")


def top_of(path: Path) -> Path:
    """Return the top of the working tree that a directory lies in.

    Raises SourceError if git says that it is elsewhere (`core.worktree`): other files would be read than were named.
    """
    top = Path(git("rev-parse", "--show-toplevel", at=path))
    if not (top / ".git").exists() or top.resolve() not in (path.resolve(), *path.resolve().parents):
        raise SourceError(
            f"{path}: its repository says that its files are in {top} (core.worktree); name the directory that holds "
            ".git, and: git config --unset core.worktree"
        )
    return top


def borrow(top: Path, copy: Path) -> Path:
    """Make a bare repository that reads the working tree's objects and writes only its own."""
    git("init", "-q", "--bare", str(copy))
    objects = inside(top, "objects")
    (copy / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (copy / "objects" / "info" / "alternates").write_text(f"{objects.resolve()}\n", encoding="utf-8")
    for name in ("shallow", "info/exclude"):
        _copy_file(inside(top, name), copy / name)
    return copy


def borrow_index(top: Path, copy: Path) -> None:
    """Give the repository the working tree's index and HEAD: what `git status` compares with the files."""
    index = inside(top, "index")
    for file in (index, *index.parent.glob("sharedindex.*")):
        _copy_file(file, copy / file.name)
    if head := head_of(top):
        (copy / "HEAD").write_text(f"{head}\n", encoding="utf-8")
    shape = run_git("config", "--get-regexp", rf"^core\.({SHAPE})$", at=top)
    rows = shape.stdout.decode(errors="replace").splitlines()
    for key, _, value in (row.partition(" ") for row in rows):
        if _WORD.fullmatch(value):
            git("config", key, value, at=copy)


def head_of(top: Path) -> str:
    """Return the commit that is checked out, "" before the first one."""
    try:
        return git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", at=top)
    except SourceError:
        return ""


def inside(top: Path, name: str) -> Path:
    """Return the path of a file of the working tree's repository."""
    return Path(top, git("rev-parse", "--git-path", name, at=top))


def _copy_file(theirs: Path, ours: Path) -> None:
    """Copy a file that is one: a link could name any file that we may read.

    Its time comes along: git looks again at the content of what changed in the second in which the index was written.
    """
    if theirs.is_file() and not theirs.is_symlink():
        ours.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(theirs, ours, follow_symlinks=False)
