"""First and last sighting of each finding on a branch: signed records of the history, kind `findings`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from evidence.history import Record, recall, remember
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Check, Outcome

KIND = "findings"
# Runs may end side by side and each then misses what the other saw: several of the newest records are read together.
READ_TOGETHER = 10
# A finding that is gone keeps its age for so long: one that comes and goes is not a new one each time.
FORGOTTEN_AFTER = timedelta(days=90)


@dataclass(frozen=True)
class Sighting:
    """When a finding was seen first and last (aware), and by which scan."""

    first: datetime
    last: datetime
    scan: str


def sightings(store: Store, keys: Keys, app: str, branch: str) -> dict[str, Sighting]:
    """Return what is known on a branch, by fingerprint. Records that are not genuine count for nothing."""
    by_fingerprint: dict[str, Sighting] = {}
    for record in recall(store, keys, app, KIND, branch, READ_TOGETHER):
        for fingerprint, values in record.data.items():
            if sighting := _sighting(values):
                newer = by_fingerprint.get(fingerprint, sighting)
                first, last = min(sighting.first, newer.first), max(sighting.last, newer.last)
                by_fingerprint[fingerprint] = Sighting(first, last, newer.scan)
    return by_fingerprint


def first_sightings(
    store: Store, keys: Keys, app: str, branch: str, main: str, checks: Sequence[Check], now: datetime
) -> dict[str, datetime]:
    """Return since when each finding of the checks is known, by fingerprint: `now` for what is new.

    A branch of which nothing is known yet is compared with `main`.
    """
    known = sightings(store, keys, app, branch) or sightings(store, keys, app, main)
    current = {finding.fingerprint for check in checks for finding in check.findings}
    return {fingerprint: known[fingerprint].first if fingerprint in known else now for fingerprint in current}


def note_sightings(store: Store, keys: Keys, app: str, record: Record, checks: Sequence[Check], main: str) -> None:
    """Remember what was seen in a run. `record` says where and when; its data are made here.

    What a scan saw earlier and does not see now is forgotten after 90 days, and not at all while that scan has no
    verdict. Raises EvidenceError if there is no key.
    """
    known = sightings(store, keys, app, record.branch) or sightings(store, keys, app, main)
    completed = {check.name for check in checks if check.outcome in (Outcome.PASSED, Outcome.FAILED)}
    kept = {
        fingerprint: sighting
        for fingerprint, sighting in known.items()
        if sighting.scan not in completed or record.at - sighting.last < FORGOTTEN_AFTER
    }
    for check in checks:
        for finding in check.findings:
            before = kept.get(finding.fingerprint)
            kept[finding.fingerprint] = Sighting(before.first if before else record.at, record.at, check.name)
    data = {
        fingerprint: [sighting.first.isoformat(), sighting.last.isoformat(), sighting.scan]
        for fingerprint, sighting in sorted(kept.items())
    }
    remember(store, keys, app, Record(KIND, record.branch, record.commit, record.run, record.at, data))


def _sighting(values: Any) -> Sighting | None:
    try:
        return Sighting(datetime.fromisoformat(values[0]), datetime.fromisoformat(values[1]), str(values[2]))
    except (TypeError, ValueError, LookupError):
        return None
