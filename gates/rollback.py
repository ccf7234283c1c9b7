"""Where may a rollback go, and may it go at all?"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """Why a rollback does nothing. `harmless`: there was nothing to do; else a person must act."""

    reason: str
    harmless: bool


def choose_target(
    condemn: str, live: str | None, promoted: Sequence[str], condemned: Collection[str], wanted: str | None = None
) -> str | Refusal:
    """Return the digest to go back to: `wanted`, else the newest that was promoted before the condemned one.

    `promoted` is oldest first and may repeat. Never toggles: what is condemned is never a target, and when the
    digest to condemn is no longer live nothing is done.
    """
    if live is None:
        return Refusal("nothing is live, so there is nothing to go back from", harmless=False)
    if condemn != live:
        return Refusal(f"{condemn[:12]} is not live ({live[:12]} is): nothing to do", harmless=True)
    bad = {*condemned, condemn}
    if wanted is not None:
        if wanted in bad:
            return Refusal(f"{wanted[:12]} is condemned; release a new version instead", harmless=False)
        if wanted not in promoted:
            return Refusal(f"{wanted[:12]} was never promoted here; use a release instead", harmless=False)
        return wanted
    last = max((index for index, digest in enumerate(promoted) if digest == condemn), default=len(promoted))
    earlier = [digest for digest in promoted[:last] if digest not in bad]
    if not earlier:
        return Refusal("no earlier promoted version is left that is not condemned; release a fixed one", harmless=False)
    return earlier[-1]
