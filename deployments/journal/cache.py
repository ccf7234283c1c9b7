"""What was read of a journal before, so that a report reads only what came since: 10,000 releases are 75 MB.

It holds for exactly the bytes that were verified then: their SHA-256 is compared, which is ten times as quick as to
verify their chain again. A file that does not fit or cannot be read is no loss: the journal is read whole.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from deployments.journal.journal import GENESIS
from deployments.journal.ledger import Approval
from gates.release.operation import Live, Operation
from host.files import write_atomically


@dataclass(frozen=True)
class CachedHistory:
    """What the first `length` bytes of a journal add up to; `head` is the newest entry's number and hash."""

    length: int = 0
    head: tuple[int, str] = (0, GENESIS)
    operations: tuple[Operation, ...] = ()
    approvals: tuple[Approval, ...] = ()
    live: Live | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[2] = 2
    sha256: str
    history: CachedHistory


def recall_past(file: Path, journal: bytes) -> CachedHistory | None:
    """Return what is known of the journal's beginning, None when nothing is that holds for these bytes."""
    try:
        cached = _File.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
    history = cached.history
    return history if history.length <= len(journal) and cached.sha256 == _digest(journal, history.length) else None


def remember_past(file: Path, journal: bytes, history: CachedHistory) -> None:
    """Write down what was read. Safe to repeat; a disk that is full is no reason to fail a report."""
    cached = _File(sha256=_digest(journal, history.length), history=history)
    try:
        write_atomically(file, cached.model_dump_json().encode())
    except OSError:
        return


def _digest(journal: bytes, length: int) -> str:
    return hashlib.sha256(memoryview(journal)[:length]).hexdigest()
