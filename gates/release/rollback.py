"""Where may a rollback go, and may it go at all?"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType


@dataclass(frozen=True)
class Refusal:
    """Why a rollback does nothing. `harmless`: there was nothing to do; else a person must act."""

    reason: str
    harmless: bool


def choose_target(
    condemn: str,
    live: str | None,
    promoted: Sequence[str],
    condemned: Collection[str],
    wanted: str | None = None,
    unsafe: Mapping[str, str] = MappingProxyType({}),
) -> str | Refusal:
    """Return the digest to go back to: `wanted`, else the newest that was promoted before the condemned one.

    `promoted` is oldest first and may repeat. Never toggles: what is condemned is never a target, and when the
    digest to condemn is no longer live nothing is done. `unsafe` are versions that the database no longer fits, with
    the reason: never a target; when the newest earlier version is one, nothing is done: older ones are no better.
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
        if wanted in unsafe:
            return _refuse_unsafe(wanted, unsafe[wanted])
        return wanted
    last = max((index for index, digest in enumerate(promoted) if digest == condemn), default=len(promoted))
    earlier = [digest for digest in promoted[:last] if digest not in bad]
    if earlier and earlier[-1] in unsafe:
        return _refuse_unsafe(earlier[-1], unsafe[earlier[-1]])
    if not earlier:
        return Refusal("no earlier promoted version is left that is not condemned; release a fixed one", harmless=False)
    return earlier[-1]


def _refuse_unsafe(digest: str, why: str) -> Refusal:
    return Refusal(
        f"{digest[:12]} is not safe to go back to: {why}; release a fixed version on the present schema instead, or "
        "restore the database from before that migration, tell it with `slipway restored`, and roll back then",
        harmless=False,
    )


@dataclass(frozen=True)
class Situation:
    """What an automatic rollback is judged on. `wanted`: the environment's ALERTS.

    `arrived` is when the release ended that promoted what is live, None when the environment's last operation was any
    other: a rollback, or a release that failed.
    """

    wanted: bool
    blamed: str
    live: str | None
    arrived: datetime | None
    window: timedelta


def refuse_automatic(seen: Situation, now: datetime) -> Refusal | None:
    """Say why nothing may be rolled back by itself, None when it may.

    One step back from a fresh release, and never a second one: when what came back is bad too, or the release before
    failed as well, the fault may be another, and a person must look (not harmless). A clock that is behind makes
    nothing older.
    """
    if not seen.wanted:
        return Refusal("ALERTS is off here: nothing is rolled back by itself", harmless=True)
    if not seen.blamed:
        return Refusal("no digest is blamed: nothing may be rolled back by itself", harmless=False)
    if seen.blamed != seen.live:
        return Refusal(f"{seen.blamed[:12]} is not live ({(seen.live or 'nothing')[:12]} is): nothing to do", True)
    if seen.arrived is None:
        return Refusal(
            f"{seen.blamed[:12]} is live after a rollback or a failed release, and is bad as well: a person must look",
            harmless=False,
        )
    if now - seen.arrived > seen.window:
        ended = seen.arrived + seen.window
        return Refusal(
            f"{seen.blamed[:12]} is bad, and its rollback window ended at {ended:%Y-%m-%d %H:%M:%S} UTC: "
            "a person decides",
            harmless=True,
        )
    return None
