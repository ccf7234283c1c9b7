"""What was read of a journal before, so that a report reads only what came since: 10,000 releases are 75 MB.

It holds for exactly the bytes that were verified then: their SHA-256 is compared, which is ten times as quick as to
verify their chain again. A file that does not fit or cannot be read is no loss: the journal is read whole.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from gates.delivery import Operation
from host.files import write_atomically

FORMAT = 1
TIMES = ("began", "took_traffic", "ended")
Waited = tuple[tuple[datetime, float], ...]


@dataclass(frozen=True)
class Known:
    """What the first `length` bytes of a journal add up to; `head` is the newest entry's number and hash."""

    length: int
    head: tuple[int, str]
    operations: tuple[Operation, ...]
    waited: Waited


def recall_past(file: Path, journal: bytes) -> Known | None:
    """Return what is known of the journal's beginning, None when nothing is that holds for these bytes."""
    try:
        found = orjson.loads(file.read_bytes())
        length = int(found["length"])
        if found["format"] != FORMAT or length > len(journal) or found["sha256"] != _digest(journal, length):
            return None
        operations = tuple(_operation(one) for one in found["operations"])
        waited = tuple((datetime.fromisoformat(at), float(seconds)) for at, seconds in found["waited"])
        return Known(length, (int(found["head"][0]), str(found["head"][1])), operations, waited)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def remember_past(file: Path, journal: bytes, known: Known) -> None:
    """Write down what was read. Safe to repeat; a disk that is full is no reason to fail a report."""
    body = {
        "format": FORMAT,
        "length": known.length,
        "sha256": _digest(journal, known.length),
        "head": known.head,
        "operations": known.operations,
        "waited": known.waited,
    }
    try:
        write_atomically(file, orjson.dumps(body))
    except OSError:
        return


def _digest(journal: bytes, length: int) -> str:
    return hashlib.sha256(memoryview(journal)[:length]).hexdigest()


def _operation(data: dict[str, Any]) -> Operation:
    read: Callable[[str | None], datetime | None] = lambda at: datetime.fromisoformat(at) if at else None  # noqa: E731
    steps: Sequence[Any] = data["steps"]
    times = {name: read(data[name]) for name in TIMES}
    return Operation(**{**data, **times, "steps": tuple((str(name), float(took)) for name, took in steps)})
