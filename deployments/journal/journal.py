"""The journal of one environment: append-only, fsynced, hash-chained. What it says is the truth about what is live.

One JSON object a line: `v` (format), `seq`, `at` (UTC, ISO 8601), `epoch` of the lease, `kind`, `data` (both:
entries.py), `prev` (the hash of the line before) and `hash` (SHA-256 over the canonical form of all the others).
Intent is written before each effect.
"""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from deployments.journal.entries import Entry, Event
from deployments.journal.head import Head, Loss, find_loss, note_loss, read_head, read_losses, unnoted, write_head
from host.errors import JournalError
from host.files import locked, sync_directory

FORMAT = 1
GENESIS = "0" * 64
# How a line in canonical form goes on after its data: "hash":"<64>","kind":"<kind>","prev":"<64>","seq":<n>,"v":1}
HASH, KIND, PREV = b'"hash":"', b'","kind":"', b'","prev":"'
END = b',"v":%d}' % FORMAT
FIELDS = (int, str, int, str, dict, str, str)  # the types of an entry's
log = logging.getLogger(__name__)
RESERVE_BYTES = 256 * 1024  # room for some 500 entries when the disk is full: enough to finish or restore


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Journal:
    """Reads and appends. Appending is safe between processes; who may append what is the lease's business."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "journal.jsonl"
        self.reserve = directory / "journal.reserve"
        self.head = directory / "journal.head"
        self.lost = directory / "journal.losses"
        self._lock = self.file.with_suffix(".lock")
        self._said: Loss | None = None

    def entries(self) -> list[Entry]:
        """Return all entries, verified. A torn last line (a crash while it was written) never happened and is left out;
        that, and an end that was lost, are logged (see `losses`).

        Raises JournalError when any other line is damaged or the chain is broken.
        """
        entries, loss = self._look()
        if loss and loss != self._said:
            log.warning("%s: %s", self.file, loss)
        self._said = loss
        return entries

    def losses(self) -> tuple[Loss, ...]:
        """Return what was ever lost of the end, oldest first, also what nobody noted yet. Raises JournalError."""
        loss = self._look()[1]
        return (*read_losses(self.lost), *([loss] if loss else []))

    def _look(self) -> tuple[list[Entry], Loss | None]:
        """Return the entries, and what lacks after them and was not noted yet.

        The head is read first: what is appended meanwhile is no loss. Nor is a line that is just being written.
        """
        head = read_head(self.head)
        raw = self.read()
        entries, length = self.parse(raw)
        if length < len(raw) and self._lock.exists():
            with suppress(OSError), locked(self._lock):
                head, raw = read_head(self.head), self.read()
                entries, length = self.parse(raw)
        return entries, self._unnoted(head, entries, len(raw) - length)

    def _unnoted(self, head: Head | None, entries: Sequence[Entry], torn: int) -> Loss | None:
        loss = find_loss(head, entries, torn)
        return unnoted(loss, read_losses(self.lost)) if loss else None

    def append(self, event: Event, epoch: int = 0) -> Entry:
        """Write one event and return when it is on the disk. Not repeatable: each call is an entry.

        Raises JournalError when it cannot be written, the reserve used up included.
        """
        return self.write(event.kind.value, event.to_data(), epoch)

    def write(self, kind: str, data: Mapping[str, Any], epoch: int = 0) -> Entry:
        """Write one line, whatever its kind and data: for `append`, which knows what they may be."""
        with self._locked():
            raw = self.read()
            entries, length = self.parse(raw)
            loss = self._unnoted(read_head(self.head), entries, len(raw) - length)
            noted = loss is None or note_loss(self.lost, loss)
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
            line = json.dumps(body, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            try:
                self._write(line, length)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise JournalError(f"{self.file}: cannot write: {error}") from error
                self.reserve.unlink(missing_ok=True)
                self._write_last_resort(line, length)
            entry = _entry(body)
            if noted:  # else the head stays the proof of what was lost
                write_head(self.head, Head(entry.seq, entry.hash))
            return entry

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
            sync_directory(self.file.parent)

    def read(self) -> bytes:
        """Return the file as it is, unverified. Raises JournalError if it cannot be read."""
        try:
            return self.file.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise JournalError(f"{self.file}: cannot read: {error}") from error

    def parse(self, raw: bytes, after: str = GENESIS) -> tuple[list[Entry], int]:
        """Return the entries that follow the one with the hash `after`, and the length in bytes of the sound part."""
        entries: list[Entry] = []
        length = 0
        for entry, length in self.walk(raw, after):
            entries.append(entry)
        return entries, length

    def walk(
        self, raw: bytes, after: str = GENESIS, kinds: Collection[bytes] | None = None
    ) -> Iterator[tuple[Entry, int]]:
        """Yield the entries that follow the one with the hash `after`, each with the length in bytes up to its end.

        Every line is verified; with `kinds` only entries of these are read and yielded, and the newest of all.
        """
        length = 0
        previous = after.encode()
        lines = raw.split(b"\n")[:-1]  # what has no newline after it is torn, or the empty rest
        for number, line in enumerate(lines, 1):
            length += len(line) + 1
            known = _skim(line)
            if known and known[1] == previous and kinds and known[0] not in kinds and number < len(lines):
                previous = known[2]
                continue
            entry = _read_quickly(line) if known else _read(line)
            if entry is None or entry.prev.encode() != previous:
                raise JournalError(
                    f"{self.file}: line {number} is damaged or was changed; nothing is done here until a person has "
                    "looked: docs/operations.md, 'A damaged journal'"
                )
            previous = entry.hash.encode()
            yield entry, length

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with locked(self._lock):
                self._keep_reserve()
                yield
        except OSError as error:
            raise JournalError(f"{self.file}: cannot write: {error}; make its directory writable") from error

    def _keep_reserve(self) -> None:
        """Preallocate the reserve when there is room again; a full disk is no reason to stop here."""
        try:
            if self.reserve.exists() and self.reserve.stat().st_size == RESERVE_BYTES:
                return  # a smaller one was left by a process killed while it made it
            with open(self.reserve, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        except OSError:
            self.reserve.unlink(missing_ok=True)


def _skim(line: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return kind, prev and hash of a sound line in canonical form, None when that takes the slow way to say.

    Such a line is what was hashed, but for the hash: nothing has to be written again to check it.
    """
    at = line.rfind(HASH)
    if at < 0 or not line.endswith(END):
        return None
    start = at + len(HASH)
    end = start + 64
    mark = line[start:end]
    if hashlib.sha256(line[:at] + line[end + 2 :]).hexdigest().encode() != mark:
        return None
    kind_at = end + len(KIND)
    kind_end = line.find(b'"', kind_at)
    prev_at = kind_end + len(PREV)
    if line[end:kind_at] != KIND or line[kind_end:prev_at] != PREV:
        return None
    return line[kind_at:kind_end], line[prev_at : prev_at + 64], mark


def _read_quickly(line: bytes) -> Entry | None:
    """Return the entry of a line that was found sound; by the slow way when the quick one cannot read it."""
    try:
        return _entry(orjson.loads(line))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _read(line)


def _read(line: bytes) -> Entry | None:
    """Return a sound line's entry, None for a damaged line."""
    try:
        body = json.loads(line)
        entry = _entry(body)
        sound = _digest({k: v for k, v in body.items() if k != "hash"}) == entry.hash
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return entry if sound else None


def _entry(body: Mapping[str, Any]) -> Entry:
    if body["v"] != FORMAT:
        raise ValueError(f"journal format {body['v']}, this version reads {FORMAT}")
    entry = Entry(body["seq"], body["at"], body["epoch"], body["kind"], body["data"], body["prev"], body["hash"])
    if tuple(map(type, entry)) != FIELDS:
        raise TypeError("a field of another type")
    if datetime.fromisoformat(entry.at).tzinfo is None:
        raise ValueError("a time without a zone")
    return entry
