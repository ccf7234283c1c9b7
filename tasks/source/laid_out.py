"""The app's files laid out for who only looks at them: a working tree, or the newest commit of the branch."""

from dataclasses import dataclass
from pathlib import Path

from host.git import git
from host.trees import UnsafeTree, unpack
from settings.pipeline import App
from tasks.source.commit_tree import archive, check_tree, refusal
from tasks.source.git import address, uncommitted
from tasks.source.prefect_blocks import repository_login
from tasks.source.taken import take


@dataclass(frozen=True)
class LaidOut:
    """Files as a commit has them. `name` is what they are, for people; `notes` what is not among them."""

    name: str
    notes: tuple[str, ...] = ()


def lay_out_tree(path: Path, directory: Path, scratch: Path) -> LaidOut:
    """Lay out a git working tree as it is, new files included and ignored ones not. Nothing in it is written.

    Raises SourceError for what is no git working tree, and for names and links that may not be laid out.
    """
    taken = take(path, scratch)
    return LaidOut(f"the working tree {taken.name}", _unpack(taken.copy, taken.commit, directory, scratch))


def lay_out_branch(app: App, directory: Path, scratch: Path) -> LaidOut:
    """Lay out the newest commit of the app's branch, fetched for this alone. Raises SourceError as above, and where
    nobody answers.
    """
    copy, ref = scratch / "branch.git", f"refs/heads/{app.branch}"
    git("init", "-q", "--bare", str(copy))
    words = ["fetch", "-q", "--depth=1", "--no-write-fetch-head", "--no-recurse-submodules", "--no-tags", "--"]
    git(*words, address(app), f"+{ref}:{ref}", at=copy, env=repository_login(app))
    commit = git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", at=copy)
    notes = _unpack(copy, commit, directory, scratch)
    if changed := uncommitted(app):
        notes += (f"{len(changed)} uncommitted changes are not in it; with them: --app {app.repository}",)
    return LaidOut(f"the newest commit of {app.branch}, {commit[:12]}", notes)


def _unpack(copy: Path, commit: str, directory: Path, scratch: Path) -> tuple[str, ...]:
    submodules = check_tree(copy, commit)
    tar = scratch / "source.tar"
    archive(copy, commit, tar)
    directory.mkdir(parents=True)
    try:
        unpack(tar, directory)
    except UnsafeTree as error:
        raise refusal(commit, error) from error
    return (f"submodules are not fetched, and empty: {', '.join(submodules)[:600]}",) if submodules else ()
