"""Did others keep what was measured waiting? Then a figure of time says more of them than of what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

# Beyond this share of the time a limit on a figure of time is not believed to be broken by the app alone.
MOST_WAITING = 0.25


@dataclass(frozen=True)
class Waited:
    """An upper bound (0 to 1) of how much of the time others kept it waiting, by one source ("PSI")."""

    share: float
    source: str


def disturbed(bounds: Sequence[Waited]) -> str | None:
    """Return why a figure of time is not to be believed, None when it is.

    Each source is an upper bound: the lowest of them holds. Without any, nobody knows of a disturbance, and none
    excuses a broken limit.
    """
    lowest = min(bounds, key=lambda one: one.share, default=None)
    if lowest is None or lowest.share <= MOST_WAITING:
        return None
    return f"others kept it waiting up to {lowest.share:.0%} of the time ({lowest.source})"
