"""What goes out with a version: the commits that it has and what is live has not, and everybody who wrote them."""

from dataclasses import dataclass

from deployments.place import Place
from evidence.commits import Commit, Older, Repository, Span, authors_of, recorded_span
from evidence.statements import Checked
from gates.notify.messages import some
from gates.release.authors import shown_address, shown_name
from gates.release.branches import ANY, allowed_branches, allowed_ones
from gates.release.operation import Live
from host.errors import SourceError
from settings.pipeline import read_pipeline


@dataclass(frozen=True)
class Outgoing:
    """What goes out. `commits` are the newest, newest first, `more` says how many further ones there are.

    `note` says how sure that is. `authors` are the addresses of everybody who wrote any of it, the further ones
    included; `strangers` those of them that no commit before has.
    """

    commits: tuple[Commit, ...] = ()
    more: int = 0
    note: str = ""
    authors: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.commits) + self.more


def going_out(checked: Checked | None, live: Live | None, repository: Repository) -> Outgoing:
    """Return what goes out: what the evidence's parents tell, or else our mirror of the repository.

    When neither does, everybody who wrote any known commit counts as an author.
    """
    if checked is None:
        return Outgoing(note="no evidence: nothing is known of what goes out")
    history, older = checked.history, checked.older
    if live is None:
        return _everything(history, older, "nothing is live: the whole known history goes out")
    version, commit = live.version.version, live.version.commit
    span = recorded_span(history, commit)
    try:
        span = span or repository.span(commit, checked.commit)
    except SourceError as error:
        why = f"what {version}, which is live, has already is not known ({error}): "
        return _everything(history, older, f"{why}everybody who wrote any known commit counts as an author")
    out = {one.hash for one in span.commits}
    before = authors_of(one for one in history if one.hash not in out)
    return _since(span, version, {*before, *older.addresses})


def _everything(history: tuple[Commit, ...], older: Older, note: str) -> Outgoing:
    authors = {*authors_of(history), *older.addresses}
    return Outgoing(history, older.count, note, tuple(sorted(authors)))


def _since(span: Span, version: str, before: set[str]) -> Outgoing:
    note = f"since {version}, which is live"
    if span.lost:
        note += f"; {span.lost} commits of {version} are NOT in it: with this release they go away"
    strangers = tuple(sorted(span.authors - before)) if before else ()
    return Outgoing(span.commits, span.more, note, tuple(sorted(span.authors)), strangers)


def written_by(commit: Commit) -> str:
    """Return who wrote a commit, with addresses: its author, and others who count as authors of it."""
    author, *others = commit.people
    text = f"{shown_name(author.name)} <{shown_address(author.email)}>"
    return text + "".join(f", with {shown_name(one.name)} <{shown_address(one.email)}>" for one in others)


def where_it_stands(place: Place, commit: str, repository: Repository) -> tuple[str, list[str]]:
    """Return from which branches a commit can be reached now, and why that is not enough for the environment.

    What the evidence says of branches does not count: who may push can take a commit back, and any branch is built.
    """
    app = read_pipeline().app
    allowed = allowed_branches(place.settings.allowed_branches, (app.branch, *app.protected))
    if allowed == (ANY,):
        return "any branch is allowed (ALLOWED_BRANCHES=*)", []
    named = f"{place.name} takes {', '.join(allowed)} (ALLOWED_BRANCHES of config/{place.name}.env)"
    try:
        branches = repository.branches(commit)
    except SourceError as error:
        return "not known", [f"nobody can tell which branches have commit {commit[:12]} now: {error}; {named}"]
    shown = ", ".join(some(branches)) or "no branch"
    if good := allowed_ones(branches, allowed):
        return f"{', '.join(some(good))} ({named})", []
    return shown, [f"commit {commit[:12]} is on {shown} now, {named}; merge it there first"]
