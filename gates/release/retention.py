"""Which versions must stay startable on a host, and which may go."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Needs:
    """What one environment needs. `promoted` is oldest first; `running` is what its slots run, live or warm."""

    live: str | None
    running: Collection[str]
    promoted: Sequence[str]
    condemned: Collection[str]
    under_way: Collection[str] = ()


def keep(environments: Iterable[Needs], built: Sequence[str], newest: int) -> set[str]:
    """Return the digests that must stay: whatever any environment runs or is about to, its last `newest` promotions
    that are good (a rollback goes there), and the `newest` that were built, which may be promoted yet.

    `built` is oldest first; `newest` is at least 1. The last good version before the live one always stays.
    """
    kept = set(built[-max(newest, 1) :])
    for one in environments:
        good = [digest for digest in dict.fromkeys(reversed(one.promoted)) if digest not in one.condemned]
        before = [digest for digest in good if digest != one.live]
        kept |= {*one.running, *one.under_way, *good[: max(newest, 1)], *before[:1]}
        kept |= {one.live} if one.live else set()
    return kept
