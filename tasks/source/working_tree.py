"""A working tree as it is now, uncommitted changes included, as if it were a commit."""

from pathlib import Path

from prefect.logging import get_run_logger

from evidence.commits import read_history
from host.errors import SourceError
from host.git import git
from tasks.retries import once
from tasks.source.commit_tree import archive, check_tree, overruled
from tasks.source.git import Source, compared_with, tell_left_out, tracked
from tasks.source.taken import only_folder, take


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
        parent=base if commit != base else only_folder(copy, compared_with(copy, taken.head, branch), taken.folder),
        signable=False,
        older=older,
    )
    get_run_logger().info("%s on %s: %d files", taken.name, branch or "no branch", len(source.files))
    return source


def _branch(top: Path) -> str:
    try:
        return git("symbolic-ref", "--short", "--quiet", "HEAD", at=top)
    except SourceError:
        return ""
