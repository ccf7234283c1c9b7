"""What GitHub's webhooks hold, as far as it is read (GitHub, "Webhook events and payloads")."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gates.documents import Foreign

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Text = Annotated[str, StringConstraints(max_length=1000)]


class Part(Foreign, of="GitHub's webhooks"):
    pass


class Repository(Part):
    full_name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9_.-]{1,100}$")]
    pushed_at: int | datetime | None = None


class Person(Part):
    name: Text | None = None
    email: Text | None = None


class Push(Part):
    ref: Annotated[str, StringConstraints(max_length=260)]
    before: Hash
    after: Hash
    deleted: bool = False
    repository: Repository
    pusher: Person = Person()


class HeadRepository(Part):
    full_name: Text


class Head(Part):
    ref: Annotated[str, StringConstraints(max_length=250)]
    sha: Hash
    repo: HeadRepository | None = None  # null when the fork was deleted


class User(Part):
    login: Text = ""


class Proposal(Part):
    number: int = Field(ge=1)
    head: Head
    base: Head
    updated_at: datetime
    user: User | None = None


class Action(Part):
    action: Annotated[str, StringConstraints(max_length=40)]


class Changes(Part):
    base: dict[str, Any] | None = None


class PullRequest(Part):
    action: str
    pull_request: Proposal
    repository: Repository
    changes: Changes = Changes()


class QueuedCommit(Part):
    timestamp: datetime | None = None
    author: Person | None = None


class Group(Part):
    head_sha: Hash
    head_ref: Annotated[str, StringConstraints(max_length=260)]
    base_sha: Hash
    base_ref: Annotated[str, StringConstraints(max_length=260)]
    head_commit: QueuedCommit | None = None


class MergeGroup(Part):
    merge_group: Group
    repository: Repository
