"""Commits: who wrote them and what lies behind them, as evidence keeps it and as our mirror knows it."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from gates.release.authors import address_key, is_invisible
from host.errors import SourceError
from host.git import git, git_bounded

KEPT = 200
FULL_HASH = re.compile("[0-9a-f]{40}")
FIELDS = ("%H", "%P", "%an", "%ae", "%cn", "%ce", "%s", "%B")
# Wherever it stands and however it is set: git's own rule for trailers leaves out what a person still reads as one.
CO_AUTHORS = re.compile(r"co[\W_]{0,3}authored[\W_]{0,3}by\s*:([^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)", re.IGNORECASE)
WORD = re.compile(r"[^\s<>,;()\[\]\"]+")
# Bytes of what git tells of commits: the newest of a version are kept, of all others only the addresses.
LONGEST_LOG, LONGEST_ADDRESSES = 20_000_000, 300_000_000
# A commit that stands for another one would change what lies behind it.
AS_IT_IS = {"GIT_NO_REPLACE_OBJECTS": "1"}


class Author(BaseModel):
    """A person, as a commit names one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    email: str


class Commit(BaseModel):
    """One commit of the history, as the approval page shows it.

    `parents` is None in what versions before wrote, which knew neither them, nor the committer, nor who else wrote it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str
    author: str
    email: str
    subject: str
    parents: tuple[str, ...] | None = None
    committer: Author | None = None
    co_authors: tuple[Author, ...] = ()

    @property
    def people(self) -> tuple[Author, ...]:
        """Return everybody who counts as an author of it: author, committer and co-authors, each once."""
        named: dict[str, Author] = {}
        for one in (Author(name=self.author, email=self.email), self.committer, *self.co_authors):
            if one:
                named.setdefault(address_key(one.email), one)
        return tuple(named.values())


class Older(BaseModel):
    """The commits behind those that are kept whole: how many, and the addresses of everybody who wrote any of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = 0
    addresses: tuple[str, ...] = ()


def authors_of(commits: Iterable[Commit]) -> set[str]:
    """Return the addresses of everybody who wrote any of the commits, as `address_key` spells them."""
    return {address_key(person.email) for commit in commits for person in commit.people}


def co_authors(message: str) -> tuple[Author, ...]:
    """Return whom a commit's message names as co-authors, each address once."""
    plain = "".join(one for one in unicodedata.normalize("NFKC", message) if one in "\r\n\t" or not is_invisible(one))
    named: dict[str, Author] = {}
    for trailer in CO_AUTHORS.finditer(plain):
        rest = 0
        for address in (word for word in WORD.finditer(trailer[1]) if "@" in word[0][1:-1]):
            name = " ".join(trailer[1][rest : address.start()].split()).strip("<>,; ")
            named.setdefault(address_key(address[0]), Author(name=name or address[0], email=address[0]))
            rest = address.end()
    return tuple(named.values())


def read_commits(repository: Path, *range_: str, most: int | None = KEPT) -> tuple[Commit, ...]:
    """Return the commits of a range, newest first, children before parents; None for `most` is no limit."""
    # NUL is the one byte that a name cannot hold: any other separator lets an author forge the next field.
    limit = [] if most is None else [f"--max-count={most}"]
    form = f"--format={'%x00'.join(FIELDS)}"
    raw = _log(repository, LONGEST_LOG, "--topo-order", *limit, form, "--end-of-options", *range_, "--")
    fields = iter(raw.removesuffix("\0").split("\0") if raw else ())
    return tuple(_commit(row) for row in zip(*[fields] * len(FIELDS), strict=True))


def _log(repository: Path, most: int, *argv: str) -> str:
    """Return what git tells of commits, fields between NUL. Raises SourceError beyond `most` bytes."""
    told = git_bounded("log", "-z", *argv, at=repository, most=most, env=AS_IT_IS)
    return told.decode(errors="replace").strip()


def _commit(row: Sequence[str]) -> Commit:
    name, parents, author, email, committer, committer_email, subject, message = row
    return Commit(
        hash=name,
        author=author,
        email=email,
        subject=subject,
        parents=tuple(parents.split()),
        committer=Author(name=committer, email=committer_email),
        co_authors=co_authors(message),
    )


def read_history(repository: Path, commit: str) -> tuple[tuple[Commit, ...], Older]:
    """Return a commit with what lies behind it: the newest KEPT, and how many more with their authors."""
    commits = read_commits(repository, commit)
    count = len(commits)
    if count == KEPT:
        count = int(git("rev-list", "--count", "--end-of-options", commit, "--", at=repository, env=AS_IT_IS))
    if count == len(commits):
        return commits, Older()
    return commits, Older(count=count - len(commits), addresses=tuple(sorted(_addresses(repository, commit))))


def _addresses(repository: Path, *range_: str) -> set[str]:
    """Return the addresses of everybody who wrote any commit of a range."""
    where = ("--end-of-options", *range_, "--")
    plain = _log(repository, LONGEST_ADDRESSES, "--format=%ae%x00%ce", *where)
    # Few messages have the word: the others need not be read.
    said = _log(repository, LONGEST_ADDRESSES, "-i", "--grep=authored", "--format=%B", *where)
    named = {one.email for message in said.split("\0") for one in co_authors(message)}
    return {address_key(address) for address in {*plain.split("\0"), *named}} - {""}


@dataclass(frozen=True)
class Span:
    """The commits that one version has and another has not: the newest, how many more, everybody who wrote any.

    `lost` is how many commits the other one has that this one has not.
    """

    commits: tuple[Commit, ...]
    more: int
    authors: frozenset[str]
    lost: int = 0


def recorded_span(history: Sequence[Commit], live: str) -> Span | None:
    """Return what a history has beyond one of its commits, None when what is recorded does not tell.

    A history is cut off somewhere: behind a commit whose parents are not recorded nothing is known.
    """
    known = {commit.hash: commit for commit in history}
    if live not in known or any(commit.parents is None for commit in history):
        return None
    behind: set[str] = set()
    ahead = [live]
    while ahead:
        if (name := ahead.pop()) in known and name not in behind:
            behind.add(name)
            ahead += known[name].parents or ()
    commits = tuple(commit for commit in history if commit.hash not in behind)
    if any(parent not in known for commit in commits for parent in commit.parents or ()):
        return None
    return Span(commits, 0, frozenset(authors_of(commits)))


@dataclass(frozen=True)
class Repository:
    """Our mirror of the app's repository. `problem` says why it is not what the repository is now, "" when it is.

    `directory` is None when there is none at all.
    """

    directory: Path | None
    problem: str = ""

    def branches(self, commit: str) -> list[str]:
        """Return the branches from which a commit can be reached now.

        Raises SourceError if nobody can tell: an old mirror does not know what was moved since.
        """
        if self.directory is None or self.problem:
            raise SourceError(self.problem)
        if not FULL_HASH.fullmatch(commit):
            raise SourceError(f"{commit[:50]!r} is no full hash of a commit")
        try:
            git("cat-file", "-e", f"{commit}^{{commit}}", at=self.directory)
        except SourceError:
            return []  # the repository has it no more
        form = "--format=%(refname:lstrip=2)"
        return git("for-each-ref", f"--contains={commit}", form, "refs/heads", at=self.directory, env=AS_IT_IS).split()

    def span(self, live: str, new: str) -> Span:
        """Return what `new` has and `live` has not. Raises SourceError if the mirror does not know both."""
        if self.directory is None:
            raise SourceError(self.problem)
        for commit in (live, new):
            if not FULL_HASH.fullmatch(commit):
                raise SourceError(f"{commit[:50]!r} is no full hash of a commit")
        # The hashes name their contents: a mirror that is old knows as well what lies between them.
        counts = git("rev-list", "--left-right", "--count", f"{live}...{new}", "--", at=self.directory, env=AS_IT_IS)
        lost, ahead = (int(count) for count in counts.split())
        commits = read_commits(self.directory, new, f"^{live}")
        if len(commits) == ahead:
            return Span(commits, 0, frozenset(authors_of(commits)), lost)
        authors = _addresses(self.directory, new, f"^{live}")
        return Span(commits, ahead - len(commits), frozenset(authors | authors_of(commits)), lost)
