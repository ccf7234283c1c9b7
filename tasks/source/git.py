"""The app's repository: mirror it, find the commit, lay its files out."""

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prefect.logging import get_run_logger

from evidence.scopes import Scope
from evidence.statements import Commit
from host.errors import SourceError, was_not_answered
from host.files import locked
from host.git import git, git_bytes
from host.home import Home
from host.trees import UnsafeTree, unpack
from settings.pipeline import App
from tasks.retries import repeatable
from tasks.source.commit_tree import check_tree, refusal
from tasks.source.prefect_blocks import repository_login

HISTORY = 200
FULL_HASH = re.compile("[0-9a-f]{40}")
SCP_LIKE = re.compile(r"[^/]+:")  # host:path; git's own rule: a colon before the first slash
REVISION = re.compile(r"[^-\s\x00-\x20~^:?*\[\\][^\s\x00-\x20~^:?*\[\\]{0,249}")


@dataclass(frozen=True)
class Source:
    """A commit's files: `archive` is `git archive`'s tar of exactly that commit.

    `files` gives git's mode and content hash of each path, `repository` a bare repository with the whole history,
    `parent` the commit that its changes are told against ("" without one). `signable` is false for what must never be
    signed: a working tree with uncommitted changes, a pull request from a fork. `protected`: it is on such a branch.
    """

    commit: str
    version: str
    branch: str
    history: tuple[Commit, ...]
    archive: Path
    files: Mapping[str, str] = field(default_factory=dict)
    repository: Path = Path()
    parent: str = ""
    signable: bool = True
    protected: bool = False

    @property
    def scope(self) -> Scope:
        """Return whose code this is, and so which kept results and caches it reads and writes. What is not signable is
        never of the branch whose name it bears.
        """
        return Scope(self.branch if self.signable else f"unsigned: {self.branch}", self.signable and self.protected)

    def lay_out(self, directory: Path, owner: int, only: Collection[str] = ()) -> Path:
        """Unpack a fresh copy for one check, belonging to the user that app code runs as; `only` what lies at or below
        these paths, if any are named.

        Raises SourceError if the commit holds a name or a link that may not be laid out.
        """
        directory.mkdir(parents=True)
        try:
            unpack(self.archive, directory, only)
        except UnsafeTree as error:
            raise refusal(self.commit, error) from error
        give(directory, owner)
        return directory


def give(directory: Path, owner: int) -> None:
    """Make a tree belong to a user (only root can; else it does already)."""
    if os.geteuid() != 0:
        return
    for folder, folders, files in os.walk(directory):
        for name in (".", *folders, *files):
            os.lchown(Path(folder, name), owner, owner)


def give_once(directory: Path, owner: int) -> None:
    """Make a directory that stays from run to run belong to a user; one that an earlier version gave to another too."""
    directory.mkdir(parents=True, exist_ok=True)
    if directory.stat().st_uid != owner:
        give(directory, owner)


def mirror(app: App, home: Home, fork: bool = False) -> Path:
    """Bring our bare copy of the repository up to date and return it. Safe to repeat and to race.

    With `fork` it is another copy, which also has GitHub's pull requests: a stranger's commit is never in the first.
    """
    url = app.repository
    if "://" not in url and not SCP_LIKE.match(url):
        if not Path(url).exists():
            raise SourceError(f"{url}: no such repository; set app.repository in config/pipeline.toml")
        url = str(Path(url).resolve())
    login = repository_login(app)
    copy = home.cache / "repositories" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}{'-forks' * fork}.git"
    copy.parent.mkdir(parents=True, exist_ok=True)
    with locked(copy.with_suffix(".lock")):
        if not (copy / "HEAD").exists():
            shutil.rmtree(copy, ignore_errors=True)
            git("init", "-q", "--bare", str(copy))
        refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        refs += ["+refs/pull/*/head:refs/pull/*/head"] * fork
        try:
            git("fetch", "-q", "--prune", "--no-write-fetch-head", "--", url, *refs, at=copy, env=login)
        except SourceError as error:
            raise SourceError(*error.args, transient=was_not_answered(str(error))) from error
    return copy


def resolve(copy: Path, wanted: str) -> str:
    """Return the full hash of a branch, tag or commit. Raises SourceError for anything else, however it is spelt."""
    if not REVISION.fullmatch(wanted):
        raise SourceError(f"{wanted[:80]!r} is not a branch, tag or commit")
    # A full hash means that commit, also when somebody named a branch like it.
    named = [] if FULL_HASH.fullmatch(wanted) else [f"refs/heads/{wanted}", f"refs/tags/{wanted}"]
    for candidate in (*named, wanted):
        try:
            return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}", at=copy)
        except SourceError:
            continue
    known = git("for-each-ref", "--count=8", "--format=%(refname:short)", "refs/heads", at=copy).split()
    raise SourceError(f"unknown commit {wanted[:80]!r}; the repository has the branches {', '.join(known) or 'none'}")


def refuse_dirty(app: App) -> None:
    """Raises SourceError if the repository is a local working tree with uncommitted changes: they would silently be
    left out.
    """
    if not (Path(app.repository) / ".git").exists():
        return
    changed = git("status", "--porcelain", at=Path(app.repository)).splitlines()
    if changed:
        raise SourceError(
            f"{app.repository} has {len(changed)} uncommitted changes ({changed[0].strip()}, ...): "
            "commit or stash them, or name the commit to build"
        )


@repeatable("source")
def fetch_source(app: App, wanted: str | None, directory: Path, fork: bool = False) -> Source:
    """Fetch the repository and archive one commit into `directory`. Safe to repeat.

    `wanted` is a branch, tag or commit; without it the configured branch. Raises SourceError, also if the commit holds
    a name or a link that may not be laid out.
    """
    log = get_run_logger()
    copy = mirror(app, Home.find(), fork)
    if not wanted:
        refuse_dirty(app)
    commit = resolve(copy, wanted or app.branch)
    tell_submodules(check_tree(copy, commit))
    branches = git("branch", "--contains", commit, "--format=%(refname:short)", at=copy).split()
    branch = app.branch if app.branch in branches else (branches[0] if branches else "")
    archive = directory / "source.tar"
    directory.mkdir(parents=True, exist_ok=True)
    git("archive", "--format=tar", f"--output={archive}", commit, at=copy)
    version = git("describe", "--tags", "--always", "--abbrev=12", commit, at=copy)
    source = Source(
        commit,
        version,
        branch,
        history(copy, commit),
        archive,
        files=tracked(copy, commit),
        repository=copy,
        parent=compared_with(copy, commit, app.branch),
        signable=not fork,
        protected=branch in (app.branch, *app.protected),
    )
    log.info("%s is commit %s on %s: %s", version, commit[:12], branch or "no branch", source.history[0].subject)
    return source


def tell_submodules(paths: Sequence[str]) -> None:
    """Say in the run's log which submodules the commit names: they are not fetched."""
    if paths:
        get_run_logger().warning(
            "%d submodules are not fetched, and empty for every check and in the artifact: %s",
            len(paths),
            ", ".join(paths)[:600],
        )


def history(copy: Path, commit: str) -> tuple[Commit, ...]:
    # NUL is the one byte that a name cannot hold: any other separator lets an author forge the next field.
    raw = git("log", "-z", f"--max-count={HISTORY}", "--format=%H%x00%an%x00%ae%x00%s", commit, at=copy)
    fields = iter(raw.removesuffix("\0").split("\0"))
    rows = zip(fields, fields, fields, fields, strict=True)
    return tuple(Commit(hash=row[0], author=row[1], email=row[2], subject=row[3]) for row in rows)


def tracked(copy: Path, commit: str) -> dict[str, str]:
    """Return git's mode and content hash of every file of a commit, by path."""
    # Other bytes than UTF-8 stay different names. No such commit is laid out, but an earlier version did.
    listed = git_bytes("ls-tree", "-r", "-z", "--full-tree", commit, at=copy).decode(errors="backslashreplace")
    found = {}
    for row in filter(None, listed.split("\0")):
        about, _, path = row.partition("\t")
        mode, _, content = about.split(" ", 2)
        found[path] = f"{mode} {content}"
    return found


def compared_with(copy: Path, commit: str, branch: str) -> str:
    """Return the commit against which a commit's changes are told: where its branch left the configured one, or its
    parent when it is on that branch itself; "" for a first commit.
    """
    try:
        base = git("merge-base", commit, f"refs/heads/{branch}", at=copy)
    except SourceError:
        base = ""
    if base and base != commit:
        return base
    try:
        return git("rev-parse", "--verify", "--quiet", f"{commit}^1^{{commit}}", at=copy)
    except SourceError:
        return ""
