"""Which records of the store do not verify, and where they go: aside, into store/quarantine/, never away."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from evidence.bundle import read_bundle
from evidence.provenance import Provenance
from evidence.signing import Keys
from evidence.statements import Checked, Kind, Promoted, Scanned, Withdrawn, parse, read_statement
from evidence.store import Store
from host.errors import ArtifactError, EvidenceError, RevokedError
from host.files import write_atomically

FOLDER = "quarantine"
MODELS: dict[Kind, type[BaseModel]] = {
    Kind.CHECKS: Checked,
    Kind.SCANS: Scanned,
    Kind.PROVENANCE: Provenance,
    Kind.PROMOTION: Promoted,
    Kind.WITHDRAWAL: Withdrawn,
}


@dataclass(frozen=True)
class BadRecord:
    """A manifest or a statement that does not verify. `certain`: with no key at all would it."""

    file: Path
    reason: str
    certain: bool


def bad_records(store: Store, keys: Keys, digest: str) -> list[BadRecord]:
    """Return what does not verify of an artifact: its manifest, and the statements about it. Blobs are not hashed.

    What a revoked key signed is genuine, and only does not count. Raises EvidenceError if nobody can tell which keys
    count.
    """
    return [*_bad_manifest(store, digest), *_bad_statements(store, keys, digest)]


def _bad_manifest(store: Store, digest: str) -> Iterator[BadRecord]:
    file = store.manifest_file(digest)
    if not file.exists():
        return  # what is stated about a failed build has no artifact
    try:
        read_bundle(store, digest)
    except (ArtifactError, OSError) as error:
        yield BadRecord(file, str(error), certain=True)


def _bad_statements(store: Store, keys: Keys, digest: str) -> Iterator[BadRecord]:
    keys.trusted()
    for kind in Kind:
        for file in store.statement_files(digest, kind):
            try:
                statement = read_statement(store, keys, digest, kind, file)
                if kind in MODELS:
                    parse(MODELS[kind], statement, digest)
            except (RevokedError, FileNotFoundError):
                continue
            except (ArtifactError, EvidenceError) as error:
                yield BadRecord(file, str(error), certain=isinstance(error, ArtifactError))


def quarantine(store: Store, keys: Keys) -> list[BadRecord]:
    """Move every record that does not verify into store/quarantine/, each with a file that says why; return them.

    Nothing is deleted. Safe to repeat. Raises EvidenceError before anything is moved while nobody can tell what
    verifies: when a key or a record cannot be read, or when no statement at all verifies.
    """
    digests = sorted({*store.artifacts(), *(file.name for file in (store.root / "statements").glob("*"))})
    files = [file for digest in digests for kind in Kind for file in store.statement_files(digest, kind)]
    for file in (*files, *(store.manifest_file(digest) for digest in digests)):
        _refuse_unreadable(file)
    bad = [record for digest in digests for record in bad_records(store, keys, digest)]
    if {record.file for record in bad} >= set(files) and not all(record.certain for record in bad):
        raise EvidenceError(
            f"none of the {len(files)} statements in {store.root} verifies: the keys in {keys.directory / 'trusted'} "
            "are probably not those of this store; nothing was moved"
        )
    for record in bad:
        _move_aside(store, record)
    return bad


def _refuse_unreadable(file: Path) -> None:
    try:
        with open(file, "rb") as opened:
            opened.read(1)
    except (FileNotFoundError, IsADirectoryError):
        return
    except OSError as error:
        raise EvidenceError(f"{file}: cannot be read ({error.strerror}): nothing was moved") from error


def _move_aside(store: Store, record: BadRecord) -> None:
    target = store.root / FOLDER / record.file.relative_to(store.root)
    number = 0
    while target.exists():
        number += 1
        target = target.with_name(f"{record.file.name}.{number}")
    target.parent.mkdir(parents=True, exist_ok=True)
    told = f"{record.file}\nmoved aside {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n{record.reason}\n"
    write_atomically(target.with_name(f"{target.name}.reason"), told.encode())
    os.rename(record.file, target)
