"""The journal of one environment: append-only, fsynced, hash-chained. What it says is the truth about what is live.

One JSON object a line: `v` (format), `seq`, `at` (UTC, ISO 8601), `epoch` of the lease, `kind`, `data`, `prev` (the
hash of
the line before) and `hash` (SHA-256 over the canonical form of all the others). Intent is written before each effect.
"""

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evidence.errors import JournalError

FORMAT = 1
GENESIS = "0" * 64
RESERVE_BYTES = 256 * 1024  # room for some 500 entries when the disk is full: enough to finish or restore


@dataclass(frozen=True)
class Entry:
    """One line of the journal."""

    seq: int
    at: str
    epoch: int
    kind: str
    data: Mapping[str, Any]
    prev: str
    hash: str

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.at)


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Journal:
    """Reads and appends. Appending is safe between processes; who may append what is the lease's business."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "journal.jsonl"
        self.reserve = directory / "journal.reserve"

    def entries(self) -> list[Entry]:
        """Return all entries, verified. A torn last line (a crash while it was written) never happened and is left out.

        Raises JournalError when any other line is damaged or the chain is broken.
        """
        return self._parse(self._read())[0]

    def append(self, kind: str, data: Mapping[str, Any], epoch: int = 0) -> Entry:
        """Write one entry and return when it is on the disk. Not repeatable: each call is an entry.

        Raises JournalError when it cannot be written, the reserve used up included.
        """
        with self._locked():
            entries, length = self._parse(self._read())
            last = entries[-1] if entries else None
            body = {
                "v": FORMAT,
                "seq": last.seq + 1 if last else 1,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "epoch": epoch,
                "kind": kind,
                "data": dict(data),
                "prev": last.hash if last else GENESIS,
            }
            body["hash"] = _digest(body)
            line = json.dumps(body, separators=(",", ":")).encode() + b"\n"
            try:
                self._write(line, length)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise JournalError(f"{self.file}: cannot write: {error}") from error
                self.reserve.unlink(missing_ok=True)
                self._write_last_resort(line, length)
            return _entry(body)

    def _write_last_resort(self, line: bytes, length: int) -> None:
        try:
            self._write(line, length)
        except OSError as error:
            raise JournalError(f"{self.file}: the disk is full and its reserve is used up; free space") from error

    def _write(self, line: bytes, length: int) -> None:
        created = not self.file.exists()
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, length)  # drops a torn line, and our own half-written one after ENOSPC
            os.lseek(descriptor, length, os.SEEK_SET)
            view = memoryview(line)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, length)
            raise
        finally:
            os.close(descriptor)
        if created:
            _sync_directory(self.file.parent)

    def _read(self) -> bytes:
        try:
            return self.file.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise JournalError(f"{self.file}: cannot read: {error}") from error

    def _parse(self, raw: bytes) -> tuple[list[Entry], int]:
        """Return the entries and the length in bytes of the sound part."""
        entries: list[Entry] = []
        length = 0
        previous = GENESIS
        for number, line in enumerate(raw.split(b"\n"), 1):
            if length + len(line) >= len(raw):  # no newline after it: torn, or the empty rest
                break
            try:
                body = json.loads(line)
                entry = _entry(body)
                sound = _digest({k: v for k, v in body.items() if k != "hash"}) == entry.hash
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                sound = False
            if not sound or entry.prev != previous:
                raise JournalError(
                    f"{self.file}: line {number} is damaged or was changed; nothing is done here until a person has "
                    "looked: docs/operations.md, 'A damaged journal'"
                )
            entries.append(entry)
            previous = entry.hash
            length += len(line) + 1
        return entries, length

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            lock = open(self.file.with_suffix(".lock"), "a", encoding="utf-8")
        except OSError as error:
            raise JournalError(f"{self.file}: cannot write: {error}; make its directory writable") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._keep_reserve()
            yield

    def _keep_reserve(self) -> None:
        """Preallocate the reserve when there is room again; a full disk is no reason to stop here."""
        try:
            if self.reserve.exists() and self.reserve.stat().st_size == RESERVE_BYTES:
                return  # a smaller one was left by a process killed while it made it
            with open(self.reserve, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            self.reserve.unlink(missing_ok=True)


def _entry(body: Mapping[str, Any]) -> Entry:
    if body["v"] != FORMAT:
        raise ValueError(f"journal format {body['v']}, this version reads {FORMAT}")
    names = ("seq", "at", "epoch", "kind", "data", "prev", "hash")
    return Entry(**{name: body[name] for name in names})


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
