"""What a GitHub webhook says, whether it is genuine, and whether anything follows from it."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import ValidationError

from gates.branch_names import branch_problem
from gates.documents import first_fault
from gates.notify.github_events import FOLLOWED, counted_as
from gates.notify.github_payloads import Action, MergeGroup, Person, PullRequest, Push, QueuedCommit

# Times of events beside these are nobody's: they only take sums of times out of what a clock can hold.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
DELIVERY = re.compile(r"[0-9A-Za-z-]{8,64}")
ZERO = "0" * 40


class Kind(StrEnum):
    """What happened; the values are the last part of the Prefect event's name."""

    PUSH = "push"
    PULL_REQUEST = "pull-request"
    MERGE_GROUP = "merge-group"


class Refused(Exception):
    """The webhook is malformed; the message says what is wrong with it."""


@dataclass(frozen=True)
class Change:
    """A commit that somebody pushed or proposed, or that a merge queue made of what waits in it. `branch` is where it
    is, `target` where it is to go ("" for a push).

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
    """Genuine, and nothing follows from it; the reason says why. `counted_as` is of gates/notify/github_events.py, ""
    for an event that is known and was passed over by our own settings.
    """

    reason: str
    counted_as: str = ""


def is_genuine(secret: str, body: bytes, signature: str) -> bool:
    """Check `X-Hub-Signature-256`: HMAC-SHA256 over the raw body (GitHub, "Validating webhook deliveries")."""
    wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), signature.encode(errors="replace"))


def read_event(event: str, body: bytes, now: datetime) -> Change | Ignored:
    """Return what a webhook's body says. Raises Refused when it is not what GitHub would send.

    An event or action that is not known is Ignored, whatever else its body holds.
    """
    try:
        if event == "push":
            return _read_push(Push.model_validate_json(body), now)
        if event in FOLLOWED:
            action = Action.model_validate_json(body).action
            if action not in FOLLOWED[event]:
                return Ignored(f"nothing follows from {event} {_shown(action)}", counted_as(event, action))
            if event == "pull_request":
                return _read_pull_request(PullRequest.model_validate_json(body))
            return _read_merge_group(MergeGroup.model_validate_json(body), now)
    except ValidationError as error:
        raise Refused(f"{event}: {first_fault(error)}"[:300]) from error
    return Ignored(f"nothing follows from {_shown(event)}", counted_as(event))


def _shown(name: str) -> str:
    """Return a name of the sender's choice for a line of text."""
    return repr(name[:40])[1:-1]


def _read_push(push: Push, now: datetime) -> Change | Ignored:
    branch = push.ref.removeprefix("refs/heads/")
    if branch == push.ref:
        return Ignored("not a branch", counted_as("push", "tag" if push.ref.startswith("refs/tags/") else "note"))
    if push.deleted or push.after == ZERO:
        return Ignored("the branch was deleted", counted_as("push", "deleted"))
    _check_branch(branch)
    pushed = push.repository.pushed_at
    at = _moment(now if pushed is None else pushed)
    person = push.pusher
    name = push.repository.full_name
    return Change(Kind.PUSH, name, branch, push.after, push.before, at, person.name or "", person.email or "")


def _read_pull_request(event: PullRequest) -> Change | Ignored:
    if event.action == "edited" and event.changes.base is None:
        return Ignored("only the text of the pull request was edited", counted_as("pull_request", "edited"))
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


def _read_merge_group(event: MergeGroup, now: datetime) -> Change:
    """Return the commit that a merge queue waits for: whoever put the pull requests there may write here."""
    group = event.merge_group
    branch, target = (ref.removeprefix("refs/heads/") for ref in (group.head_ref, group.base_ref))
    _check_branch(branch)
    _check_branch(target)
    made = group.head_commit or QueuedCommit()
    author = made.author or Person()
    return Change(
        kind=Kind.MERGE_GROUP,
        repository=event.repository.full_name,
        branch=branch,
        commit=group.head_sha,
        before=group.base_sha,
        at=_moment(made.timestamp or now),
        author=author.name or "",
        email=author.email or "",
        target=target,
    )


def _check_branch(name: str) -> None:
    """Raise Refused for a name that git refuses, and for characters that are not seen where the name is shown."""
    if problem := branch_problem(name):
        raise Refused(problem)


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
    """Return the name under which newer and older commits replace each other: a branch, a pull request, or what waits
    in a merge queue, which GitHub makes anew under another name.
    """
    if change.kind is Kind.PULL_REQUEST:
        return f"pull/{change.number}"
    return f"{'queue' if change.kind is Kind.MERGE_GROUP else 'branch'}/{change.branch}"


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
