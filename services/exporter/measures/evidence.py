"""What the signed evidence says of each gate: how often it passed, failed, or could not look."""

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import Metric

from evidence.signing import Keys
from evidence.statements import read_checks, read_scans
from evidence.store import Store
from gates.check import Check
from host.errors import EvidenceError
from host.home import Home
from services.exporter.measures import Kept, gauge
from services.exporter.measures.buckets import Counts

EVERY_S = 30.0
MOST_ARTIFACTS = 500


class EvidenceMeasure:
    """The checks of the artifacts in this host's store. Statements never change: each artifact is read once."""

    name = "evidence"

    def __init__(self, home: Home) -> None:
        self._store, self._keys = Store(home.store), Keys(home.keys)
        self._known: dict[str, tuple[datetime, tuple[Check, ...]]] = {}
        self.unreadable = 0
        self.kept: Kept[dict[str, tuple[datetime, tuple[Check, ...]]]] = Kept(self.name, EVERY_S, self.look)

    def look(self) -> dict[str, tuple[datetime, tuple[Check, ...]]]:
        """Read what is new in the store."""
        digests = self._store.artifacts()[-MOST_ARTIFACTS:]
        found, unreadable = {}, 0
        for digest in digests:
            try:
                if known := self._known.get(digest) or self._read(digest):
                    found[digest] = known
            except EvidenceError:
                unreadable += 1
        self._known, self.unreadable = found, unreadable
        return found

    def _read(self, digest: str) -> tuple[datetime, tuple[Check, ...]] | None:
        checked = read_checks(self._store, self._keys, digest)
        if checked is None:
            return None
        scanned = read_scans(self._store, self._keys, digest)[:1]  # the first: ci's own; later ones are the nightly's
        return checked.at, (*checked.checks, *(scanned[0].checks if scanned else ()))

    def collect(self) -> Iterator[Metric]:
        results = Counts("gate_results", "Results of a gate over the artifacts in the store", "gate", "outcome")
        last = gauge("gate_last_seconds", "How long a gate took for the newest artifact", "gate")
        passed = gauge("gate_last_passed", "Whether the newest artifact passed a gate", "gate")
        known = sorted((self.kept.value or {}).values(), key=lambda one: one[0])
        for _, checks in known:
            for check in checks:
                results.add(check.name, str(check.outcome))
        for check in known[-1][1] if known else ():
            last.add_metric([check.name], check.seconds)
            passed.add_metric([check.name], float(str(check.outcome) == "passed"))
        count = gauge("artifacts", "Artifacts with evidence in this host's store")
        count.add_metric([], len(known))
        bad = gauge("evidence_unreadable", "Artifacts whose evidence is not genuine or cannot be read")
        bad.add_metric([], self.unreadable)
        yield from (results.family(), last, passed, count, bad)
