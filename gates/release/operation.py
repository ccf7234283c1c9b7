"""Releases and rollbacks of an environment: which version they were for, how they went, and how they ended."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class OperationKind(StrEnum):
    """What changes an environment."""

    RELEASE = "release"
    ROLLBACK = "rollback"


class Outcome(StrEnum):
    """How an operation ended.

    PROMOTED: the release's version serves. ROLLED_BACK: a release was judged bad and taken back, or a rollback reached
    its target. RESTORED: it could not be finished, and what was live before serves again.
    """

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    RESTORED = "restored"


def succeeded(kind: str, outcome: str | None) -> bool:
    """Return whether an operation ended as it was meant to: a rollback by rolling back, a release by promoting."""
    return outcome == Outcome.PROMOTED or (kind == OperationKind.ROLLBACK and outcome == Outcome.ROLLED_BACK)


@dataclass(frozen=True)
class Version:
    """An artifact as people know it. `digest` is hex SHA-256, `commit` a full hash."""

    digest: str
    version: str
    commit: str

    def __str__(self) -> str:
        return f"{self.version} ({self.digest[:12]})"


@dataclass(frozen=True)
class Live:
    """What serves the public, since when, and in which slot."""

    version: Version
    slot: str
    since: datetime


class TimedStep(NamedTuple):
    """A step that went well: how long it took and when it ended."""

    name: str
    seconds: float
    ended: datetime


class Remark(NamedTuple):
    """A judgement or a condemnation (`kind` is its journal entry's) in the course of an operation."""

    kind: str
    at: datetime
    reason: str


@dataclass
class Operation:
    """A release or a rollback, from its begin to its end. Times are aware UTC; `outcome` is None until it ends.

    `took_traffic` is when its version first served the public, None when it never did. `switched`: its version has the
    traffic now. `kind` and `outcome` may be words of a newer Slipway.
    """

    id: str
    kind: str
    version: Version
    slot: str
    before: Live | None
    began: datetime
    epoch: int
    run: str = ""
    judged_good: bool = False
    switched: bool = False
    took_traffic: datetime | None = None
    outcome: str | None = None
    reason: str = ""
    ended: datetime | None = None
    downtime_s: float = 0.0
    steps: list[TimedStep] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        """Return how long it took, None while it goes on."""
        return (self.ended - self.began).total_seconds() if self.ended else None
