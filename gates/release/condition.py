"""How an environment is, judged over several looks: one bad look is none, and flapping is told once."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """From good to bad. DEGRADED: people are served, something behind it is not as it should be."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"

    @property
    def rank(self) -> int:
        """Return how bad it is."""
        return list(Condition).index(self)


@dataclass(frozen=True)
class Look:
    """What one look found, and why."""

    condition: Condition
    reason: str


@dataclass(frozen=True)
class Damping:
    """A condition is entered after `enough` of the last `of` looks, and left for a better one after `of` better looks
    in a row.
    """

    enough: int = 3
    of: int = 5


def worst(looks: Sequence[Look]) -> Look:
    """Return the worst condition of what was looked at in one go, with the reasons that it rests on."""
    if not looks:
        return Look(Condition.UNKNOWN, "nothing was looked at")
    condition = max((look.condition for look in looks), key=lambda one: one.rank)
    return Look(condition, "; ".join(look.reason for look in looks if look.condition is condition))


def judge_condition(before: Condition, looks: Sequence[Look], damping: Damping | None = None) -> Look:
    """Return the condition after these looks (oldest first), and the reason of the newest look that speaks for it.

    An environment that flaps becomes bad once and stays so until it was better for `of` looks on end.
    """
    damping = damping or Damping()
    recent = looks[-damping.of :]
    reached = Condition.UNKNOWN
    for condition in (Condition.HEALTHY, Condition.DEGRADED, Condition.UNHEALTHY):
        if sum(look.condition.rank >= condition.rank for look in recent) >= damping.enough:
            reached = condition
    if reached.rank < before.rank:
        better = len(recent) == damping.of and all(look.condition.rank < before.rank for look in recent)
        reached = reached if better else before
    speaking = [look for look in recent if look.condition is reached] or [
        look for look in recent if look.condition.rank >= reached.rank
    ]
    return Look(reached, speaking[-1].reason if speaking else "")
