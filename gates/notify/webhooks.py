"""What a GitHub webhook says, whether it is genuine, and whether anything follows from it."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Text = Annotated[str, StringConstraints(max_length=1000)]
# git check-ref-format(1), and no white space or control characters at all.
# git check-ref-format(1); a branch may not begin with a dash either (git branch), nor be "@".
REF = re.compile(r"(?![/.-]|@$|.*(?://|\.\.|@\{|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]{1,240}(?<![/.])")
# Times of events beside these are nobody's: they only take sums of times out of what a clock can hold.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
DELIVERY = re.compile(r"[0-9A-Za-z-]{8,64}")
ZERO = "0" * 40


class Kind(StrEnum):
    """What happened; the values are the last part of the Prefect event's name."""

    PUSH = "push"
    PULL_REQUEST = "pull-request"


class Refused(Exception):
    """The webhook is malformed; the message says what is wrong with it."""


@dataclass(frozen=True)
class Change:
    """A commit that somebody pushed or proposed. `branch` is where it is, `target` where it is to go ("" for a push).

    `fork`: the commit comes from another repository; nobody who may write here has looked at it. `at` is GitHub's time.
    """

    kind: Kind
    repository: str
    branch: str
    commit: str
    before: str
    at: datetime
    author: str
    email: str = ""
    target: str = ""
    number: int = 0
    fork: bool = False


@dataclass(frozen=True)
class Ignored:
    """Genuine, and nothing follows from it; the reason says why."""

    reason: str


def is_genuine(secret: str, body: bytes, signature: str) -> bool:
    """Check `X-Hub-Signature-256`: HMAC-SHA256 over the raw body (GitHub, "Validating webhook deliveries")."""
    wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode(errors="replace"))


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Repository(_Part):
    full_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9_.-]{1,100}$")]
    pushed_at: int | datetime | None = None


class _Person(_Part):
    name: Text | None = None
    email: Text | None = None


class _Push(_Part):
    ref: Annotated[str, StringConstraints(max_length=260)]
    before: Hash
    after: Hash
    deleted: bool = False
    repository: _Repository
    pusher: _Person = _Person()


class _HeadRepository(_Part):
    full_name: Text


class _Head(_Part):
    ref: Annotated[str, StringConstraints(max_length=250)]
    sha: Hash
    repo: _HeadRepository | None = None  # null when the fork was deleted


class _User(_Part):
    login: Text = ""


class _Proposal(_Part):
    number: int = Field(ge=1)
    head: _Head
    base: _Head
    updated_at: datetime
    user: _User | None = None


class _PullRequest(_Part):
    action: Annotated[str, StringConstraints(max_length=40)]
    pull_request: _Proposal
    repository: _Repository


def read_event(event: str, body: bytes, now: datetime) -> Change | Ignored:
    """Return what a webhook's body says. Raises Refused when it is not what GitHub would send."""
    try:
        if event == "push":
            return _read_push(_Push.model_validate_json(body), now)
        if event == "pull_request":
            return _read_pull_request(_PullRequest.model_validate_json(body))
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"{event}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"[:300]) from error
    return Ignored(f"nothing follows from {event[:40]}")


def _read_push(push: _Push, now: datetime) -> Change | Ignored:
    branch = push.ref.removeprefix("refs/heads/")
    if branch == push.ref:
        return Ignored("not a branch")
    if push.deleted or push.after == ZERO:
        return Ignored("the branch was deleted")
    _check_branch(branch)
    pushed = push.repository.pushed_at
    at = _moment(now if pushed is None else pushed)
    person = push.pusher
    name = push.repository.full_name
    return Change(Kind.PUSH, name, branch, push.after, push.before, at, person.name or "", person.email or "")


def _read_pull_request(event: _PullRequest) -> Change | Ignored:
    if event.action not in ("opened", "synchronize", "reopened", "ready_for_review"):
        return Ignored(f"nothing follows from a pull request that is {event.action}")
    asked = event.pull_request
    _check_branch(asked.head.ref)
    _check_branch(asked.base.ref)
    source = asked.head.repo.full_name if asked.head.repo else ""
    return Change(
        kind=Kind.PULL_REQUEST,
        repository=event.repository.full_name,
        branch=asked.head.ref,
        commit=asked.head.sha,
        before=asked.base.sha,
        at=_moment(asked.updated_at),
        author=asked.user.login if asked.user else "",
        target=asked.base.ref,
        number=asked.number,
        fork=source != event.repository.full_name,
    )


def _check_branch(name: str) -> None:
    """Raise Refused for a name that git refuses, and for characters that are not seen where the name is shown."""
    if not REF.fullmatch(name):
        raise Refused("not a branch name that git accepts")
    if not name.isprintable():
        raise Refused("a branch name with characters that cannot be shown")


def _moment(at: datetime | int) -> datetime:
    """Return a time, or seconds since 1970, in UTC; without a zone it is UTC. Raises Refused for impossible ones."""
    try:
        if isinstance(at, int):
            moment = datetime.fromtimestamp(at, UTC)
        else:
            moment = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise Refused("a time that no clock shows") from error
    if not EARLIEST <= moment < LATEST:
        raise Refused("a time that no clock shows")
    return moment


def line_of(change: Change) -> str:
    """Return the name under which newer and older commits replace each other: a branch, or a pull request."""
    return f"pull/{change.number}" if change.kind is Kind.PULL_REQUEST else f"branch/{change.branch}"


def wanted(change: Change, repository: str, branches: Sequence[str], forks: bool) -> Ignored | None:
    """Say why nothing follows from a change; None when something does. `repository` "" takes any."""
    if change.fork and not forks:
        return Ignored("pull requests from forks are not checked (github.forks)")
    if repository and change.repository.lower() != repository.lower():
        return Ignored(f"it is about {change.repository}, configured is {repository}")
    if (change.target or change.branch) not in branches:
        return Ignored("not a configured branch")
    return None


def too_old(change: Change, now: datetime, window: timedelta) -> bool:
    """Say whether a change happened before the replay window. One from the future is our clock's fault, not old."""
    return now - change.at > window


def overtaken(change: Change, newest: tuple[datetime, str, str] | None) -> bool:
    """Say whether a later change of the same line is known already: `newest` is its time, commit and predecessor."""
    if newest is None or change.commit == newest[1]:
        return False
    return change.at < newest[0] or (change.at == newest[0] and change.commit == newest[2])


@dataclass(frozen=True)
class Run:
    """A `ci` run as the server knows it. `automatic`: an automation started it, no person."""

    id: str
    commit: str
    state: str
    automatic: bool


FINAL = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED", "CANCELLING")


def superseded(runs: Sequence[Run], older: Sequence[str], heads: Sequence[str]) -> list[Run]:
    """Return the runs to cancel: started for an older commit of the line, not ended, and nobody else's newest."""
    return [
        run
        for run in runs
        if run.automatic and run.commit in older and run.commit not in heads and run.state not in FINAL
    ]
