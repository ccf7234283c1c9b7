"""What the signed evidence says of each gate: how often it passed, failed, or could not look."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from evidence.audit import BadRecord, bad_records
from evidence.signing import Keys
from evidence.statements import Kind, read_checks, read_scans
from evidence.store import Store
from gates.check import Check
from host.home import Home
from services.exporter.measures import Kept, gauge
from services.exporter.measures.buckets import Counts

EVERY_S = 30.0
MOST_ARTIFACTS = 500
MOST_FILES = 20
log = structlog.get_logger("exporter")


@dataclass(frozen=True)
class _Read:
    """What was read of an artifact, from which files."""

    files: tuple[tuple[str, int, int], ...]
    bad: tuple[BadRecord, ...]
    checks: tuple[datetime, tuple[Check, ...]] | None


class EvidenceMeasure:
    """The checks of the artifacts in this host's store. An artifact is read again when one of its records changed."""

    name = "evidence"

    def __init__(self, home: Home) -> None:
        self._store, self._keys = Store(home.store), Keys(home.keys)
        self._known: dict[str, _Read] = {}
        self.unreadable: list[BadRecord] = []
        self.kept: Kept[dict[str, tuple[datetime, tuple[Check, ...]]]] = Kept(self.name, EVERY_S, self.look)

    def look(self) -> dict[str, tuple[datetime, tuple[Check, ...]]]:
        """Read what is new in the store, or was changed there."""
        found: dict[str, _Read] = {}
        for digest in self._store.artifacts()[-MOST_ARTIFACTS:]:
            files, known = self._files(digest), self._known.get(digest)
            found[digest] = known if known and known.files == files else self._read(digest, files)
        before = {record.file for record in self.unreadable}
        self._known, self.unreadable = found, [record for one in found.values() for record in one.bad]
        for record in self.unreadable:
            if record.file not in before:
                log.warning("evidence unreadable", file=str(record.file), reason=record.reason)
        return {digest: one.checks for digest, one in found.items() if one.checks}

    def _files(self, digest: str) -> tuple[tuple[str, int, int], ...]:
        """Return what tells whether a record of an artifact was changed, or which keys count."""
        records = [file for kind in Kind for file in self._store.statement_files(digest, kind)]
        listed = [self._store.manifest_file(digest), *records, *self._keys.files()]
        return tuple((str(file), about.st_mtime_ns, about.st_size) for file, about in _stats(listed))

    def _read(self, digest: str, files: tuple[tuple[str, int, int], ...]) -> "_Read":
        bad = tuple(bad_records(self._store, self._keys, digest))
        checked = None if bad else read_checks(self._store, self._keys, digest)
        if checked is None:
            return _Read(files, bad, None)
        scanned = read_scans(self._store, self._keys, digest)[:1]  # the first: ci's own; later ones are the nightly's
        return _Read(files, (), (checked.at, (*checked.checks, *(scanned[0].checks if scanned else ()))))

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
        bad.add_metric([], len({digest for digest, one in self._known.items() if one.bad}))
        named = gauge("evidence_unreadable_file", "A record that is not genuine or cannot be read", "file")
        for record in self.unreadable[:MOST_FILES]:
            named.add_metric([str(record.file)], 1)
        yield from (results.family(), last, passed, count, bad, named)


def _stats(files: Iterable[Path]) -> Iterator[tuple[Path, os.stat_result]]:
    for file in files:
        try:
            yield file, file.stat()
        except FileNotFoundError:
            continue
