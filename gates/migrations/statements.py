"""What one SQL statement does to the version that still runs: nothing, hold a lock, or take something away.

A statement that is not known to be safe counts as one that takes away: what we cannot judge is not called safe. What
PostgreSQL locks or rewrites is as its documentation says (ALTER TABLE, "Notes"; "Explicit Locking"; version 17).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """EXPAND: old code keeps working. LOCKING: so it does, but waits. CONTRACT: old code breaks, no way back."""

    EXPAND = "expand"
    LOCKING = "locking"
    CONTRACT = "contract"


@dataclass(frozen=True)
class Judged:
    """The kind of a statement or of a part of it, and why, where its text does not say so. `known` is false where no
    rule speaks of it.
    """

    kind: Kind
    known: bool = True
    why: str = ""


EXPAND, LOCKING, CONTRACT = Judged(Kind.EXPAND), Judged(Kind.LOCKING), Judged(Kind.CONTRACT)
UNKNOWN = Judged(Kind.CONTRACT, known=False)
ORDER = (Kind.EXPAND, Kind.LOCKING, Kind.CONTRACT)


def unknown(why: str) -> Judged:
    """Return that no rule speaks of something, and why."""
    return Judged(Kind.CONTRACT, known=False, why=why)


def worse(judged: Sequence[Judged]) -> Judged:
    """Return the worst, EXPAND of none. Of two that take away, the one that no rule speaks of."""
    return max(judged, key=lambda one: (ORDER.index(one.kind), not one.known), default=EXPAND)
