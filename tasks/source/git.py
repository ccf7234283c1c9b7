"""The app's repository: mirror it, find the commit, lay its files out."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prefect.logging import get_run_logger

from evidence.commits import FULL_HASH, Commit, Older, Repository, read_history
from evidence.scopes import Scope
from host.errors import SlipwayError, SourceError, was_not_answered
from host.files import give, locked
from host.git import git, git_bytes
from host.home import Home
from host.trees import UnsafeTree, unpack
from settings.pipeline import App, read_pipeline
from settings.repository_address import SCP_LIKE
from tasks.retries import repeatable
from tasks.source.borrowed import borrow, borrow_index, top_of
from tasks.source.commit_tree import archive, check_tree, overruled, refusal
from tasks.source.prefect_blocks import repository_login

# A short hash, also as `git describe` writes it into a version's name.
DESCRIBED = re.compile(r"(?:.*-g)?([0-9a-fA-F]{4,39})")
MOST_OBJECTS = 50
REVISION = re.compile(r"[^-\s\x00-\x20~^:?*\[\\][^\s\x00-\x20~^:?*\[\\]{0,249}")


@dataclass(frozen=True)
class Source:
    """A commit's files: `archive` is `git archive`'s tar of exactly that commit.

    `files` gives git's mode and content hash of each path, `repository` a bare repository with the whole history,
    `parent` the commit that its changes are told against ("" without one), `older` what lies behind `history`.
    `signable` is false for what must never be signed: a working tree with uncommitted changes, a pull request from a
    fork. `protected`: it is on such a branch.
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
    older: Older = Older()
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


def give_once(directory: Path, owner: int) -> None:
    """Make a directory that stays from run to run belong to a user; one that an earlier version gave to another too."""
    directory.mkdir(parents=True, exist_ok=True)
    if directory.stat().st_uid != owner:
        give(directory, owner)


def mirror(app: App, home: Home, fork: bool = False) -> Path:
    """Bring our bare copy of the repository up to date and return it. Safe to repeat and to race.

    With `fork` it is another copy, which also has GitHub's pull requests: a stranger's commit is never in the first.
    """
    url = address(app)
    login = repository_login(app)
    copy = _copy(url, home, fork)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with locked(copy.with_suffix(".lock")):
        if not (copy / "HEAD").exists():
            shutil.rmtree(copy, ignore_errors=True)
            git("init", "-q", "--bare", str(copy))
        refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
        refs += ["+refs/pull/*/head:refs/pull/*/head"] * fork
        try:
            git(
                "fetch",
                "-q",
                "--prune",
                "--no-write-fetch-head",
                "--no-recurse-submodules",
                "--",
                url,
                *refs,
                at=copy,
                env=login,
            )
        except SourceError as error:
            raise SourceError(*error.args, transient=was_not_answered(str(error))) from error
    return copy


def address(app: App) -> str:
    """Return the repository's URL, or its whole path. Raises SourceError if there is nothing at the path."""
    url = app.repository
    if "://" in url or SCP_LIKE.match(url):
        return url
    if not Path(url).exists():
        raise SourceError(f"{url}: no such repository; set app.repository in config/pipeline.toml")
    return str(Path(url).resolve())


def _copy(url: str, home: Home, fork: bool = False) -> Path:
    return home.cache / "repositories" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}{'-forks' * fork}.git"


def fetch_repository() -> Repository:
    """Return our mirror of the app's repository, as of now. If it cannot be fetched it says why, and is the old one."""
    app, copy = read_pipeline().app, None
    try:
        copy = _copy(address(app), Home.find())
        return Repository(_mirrored(app))
    except SlipwayError as error:
        return Repository(copy if copy and (copy / "HEAD").exists() else None, str(error))


@repeatable("fetch the repository")
def _mirrored(app: App) -> Path:
    return mirror(app, Home.find())


def resolve(copy: Path, wanted: str) -> str:
    """Return the full hash of a branch, tag or commit. A full hash is that commit, and `refs/...` that ref, always.

    Raises SourceError for anything else, however it is spelt, and for a name that means two different commits.
    """
    if not REVISION.fullmatch(wanted):
        raise SourceError(f"{wanted[:80]!r} is not a branch, tag or commit")
    meanings = {what: commit for what, commit in _meanings(copy, wanted) if commit}
    if len(set(meanings.values())) > 1:
        listed = ", ".join(f"{what} is {commit}" for what, commit in meanings.items())
        raise SourceError(f"{wanted[:80]!r} means several commits: {listed}; name one by its full hash or refs/...")
    if meanings:
        return next(iter(meanings.values()))
    known = git("for-each-ref", "--count=8", "--format=%(refname:short)", "refs/heads", at=copy).split()
    raise SourceError(f"unknown commit {wanted[:80]!r}; the repository has the branches {', '.join(known) or 'none'}")


def _meanings(copy: Path, wanted: str) -> Iterator[tuple[str, str]]:
    """Give what a name can mean, each with the commit, "" when it does not mean it."""
    if FULL_HASH.fullmatch(wanted.lower()):
        yield "the commit", _commit(copy, wanted.lower())
        return
    if wanted.startswith("refs/"):
        yield wanted, _ref(copy, wanted)
        return
    for ref in (f"refs/heads/{wanted}", f"refs/tags/{wanted}"):
        yield ref, _ref(copy, ref)
    short = DESCRIBED.fullmatch(wanted)
    for commit in _beginning(copy, short[1].lower()) if short else ():
        yield f"the commit {commit[:12]}", commit


def _ref(copy: Path, name: str) -> str:
    """Return the commit of exactly this ref: git would also try other places."""
    try:
        return _commit(copy, git("show-ref", "--verify", "--hash", name, at=copy))
    except SourceError:
        return ""


def _commit(copy: Path, name: str) -> str:
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", at=copy)
    except SourceError:
        return ""


def _beginning(copy: Path, prefix: str) -> list[str]:
    """Return the commits whose hash begins so."""
    objects = git("rev-parse", f"--disambiguate={prefix}", at=copy).split()
    return [name for name in objects[:MOST_OBJECTS] if _commit(copy, name) == name]


def uncommitted(app: App) -> list[str]:
    """Return the changes of a local working tree that no commit has, as `git status` tells them; none of another
    repository. Nothing that its configuration names is run; submodules, which are not released, are not looked at.
    """
    if not (Path(app.repository) / ".git").exists():
        return []
    top = top_of(Path(app.repository))
    with tempfile.TemporaryDirectory(prefix="slipway-status-") as folder:
        copy = borrow(top, Path(folder, "tree.git"))
        borrow_index(top, copy)
        words = ("--work-tree", str(top), "status", "--porcelain", "--ignore-submodules=all")
        return git(*words, at=copy).splitlines()


def refuse_dirty(app: App) -> None:
    """Raises SourceError if the repository is a local working tree with uncommitted changes: they would silently be
    left out.
    """
    if changed := uncommitted(app):
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
    commit = resolve(copy, wanted or f"refs/heads/{app.branch}")
    tell_left_out(check_tree(copy, commit), overruled(copy, commit))
    branch = _branch_of(copy, commit, (app.branch, *app.protected, (wanted or "").removeprefix("refs/heads/")))
    tar = directory / "source.tar"
    directory.mkdir(parents=True, exist_ok=True)
    archive(copy, commit, tar)
    version = git("describe", "--tags", "--always", "--abbrev=12", commit, at=copy)
    history, older = read_history(copy, commit)
    source = Source(
        commit,
        version,
        branch,
        history,
        tar,
        files=tracked(copy, commit),
        repository=copy,
        parent=compared_with(copy, commit, app.branch),
        signable=not fork,
        older=older,
        protected=branch in (app.branch, *app.protected),
    )
    log.info("%s is commit %s on %s: %s", version, commit[:12], branch or "no branch", source.history[0].subject)
    return source


def _branch_of(copy: Path, commit: str, first: Sequence[str]) -> str:
    """Return a branch that has the commit, one of `first` if any of these has it; "" when none has.

    Whoever may push a branch or a tag must not decide about it by its name.
    """
    form = "--format=%(refname:lstrip=2)"
    branches = git("for-each-ref", f"--contains={commit}", form, "refs/heads", at=copy).splitlines()
    return next((name for name in (*first, *branches) if name in branches), "")


def tell_left_out(submodules: Sequence[str], attributes: Sequence[str]) -> None:
    """Say in the run's log which submodules the commit names, and which attributes: none of them is obeyed."""
    if submodules:
        get_run_logger().warning(
            "%d submodules are not fetched, and empty for every check and in the artifact: %s",
            len(submodules),
            ", ".join(submodules)[:600],
        )
    if attributes:
        get_run_logger().warning(
            "files are laid out as git stores them: export-subst, export-ignore, ident, working-tree-encoding, "
            "eol=crlf and filter (git-lfs stores pointers alone) change nothing, which stand in %s",
            ", ".join(attributes)[:600],
        )


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
