"""How far a journal had come, told beside it: so that a lost end is known, and not taken for what never happened.

The file holds the number and hash of the newest entry that is on the disk. It is written after the entry, so it may be
behind. A journal of an earlier version has none. What was found lost is noted in a third file, which outlasts the head.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import TypeAdapter, ValidationError

from host.errors import JournalError

LENGTH = 128  # bytes, in one sector of a disk: written in place, it needs no room when the disk is full
log = logging.getLogger(__name__)


class Head(NamedTuple):
    """The newest entry that was on the disk."""

    seq: int
    hash: str


class Numbered(Protocol):
    @property
    def seq(self) -> int: ...
    @property
    def hash(self) -> str: ...


@dataclass(frozen=True)
class Loss:
    """What is not there any more, or never was whole. `after`: the entry behind which it stood, 0 for the beginning.

    `lost`: entries that had been on the disk and are certainly gone, at least; `torn`: bytes of a line that has no end;
    `head`: the hash of the newest entry that is gone, "" when none is. `found` is "" until it is noted.
    """

    after: int
    lost: int
    torn: int
    head: str
    found: str = ""

    def __str__(self) -> str:
        parts = []
        if self.lost:
            parts.append(f"at least {self.lost} entries that were on the disk are lost")
        if self.torn:
            parts.append(f"a line of {self.torn} bytes is torn: its entry never counted")
        when = f", found at {self.found}" if self.found else ""
        return f"the journal's end after entry {self.after}: {'; '.join(parts)}{when}"


_LOSS = TypeAdapter(Loss)


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_head(file: Path) -> Head | None:
    """Return what a head says, None without one and for one that was torn itself: then nothing is known to be lost."""
    try:
        words = file.read_bytes()[:LENGTH].decode("ascii").split()
        seq, mark, check = words
        return Head(int(seq), mark) if _mark(f"{seq} {mark}") == check else None
    except (OSError, ValueError):
        return None


def write_head(file: Path, head: Head) -> None:
    """Say how far the journal has come. A head that cannot be written stays behind: it claims no loss then."""
    text = f"{head.seq} {head.hash}"
    content = f"{text} {_mark(text)}".ljust(LENGTH - 1).encode() + b"\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, content, 0)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("%s: cannot be written: %s", file, error)


def find_loss(head: Head | None, entries: Sequence[Numbered], torn: int) -> Loss | None:
    """Say what lacks at the end of the entries that were read, None when nothing does."""
    last = entries[-1].seq if entries else 0
    lost, mark = 0, ""
    if head and head.seq > last:
        lost, mark = head.seq - last, head.hash
    elif head and not any(one.hash == head.hash for one in reversed(entries)):
        lost, mark = 1, head.hash  # others stand in the place of the newest that was there
    return Loss(last, lost, torn, mark) if lost or torn else None


def unnoted(loss: Loss, noted: Sequence[Loss]) -> Loss | None:
    """Return what of a loss was not noted before: a process may have died between its note and what it then wrote."""
    if loss.head and any(one.head == loss.head for one in noted):
        loss = replace(loss, lost=0, head="")
    known = any((one.after, one.torn) == (loss.after, loss.torn) for one in noted)
    return None if not loss.lost and (known or not loss.torn) else loss


def read_losses(file: Path) -> tuple[Loss, ...]:
    """Return the losses that were noted, oldest first; a note that cannot be read is told as a torn one.

    Raises JournalError if the file cannot be read.
    """
    try:
        lines = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise JournalError(f"{file}: cannot be read: {error}") from error
    return tuple(_noted(line) for line in lines if line)


def _noted(line: bytes) -> Loss:
    try:
        return _LOSS.validate_json(line)
    except ValidationError:
        return Loss(0, 0, len(line), "", "a time that cannot be read")


def note_loss(file: Path, loss: Loss) -> bool:
    """Write a loss down, with the time; say whether that could be done."""
    noted = replace(loss, found=datetime.now(UTC).isoformat(timespec="seconds"))
    line = b"\n" + json.dumps(asdict(noted)).encode() + b"\n"  # the one before may be torn
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("%s: cannot be written: %s", file, error)
        return False
    log.warning("%s: %s", file, noted)
    return True
