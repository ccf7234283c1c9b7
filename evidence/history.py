"""What earlier runs measured on a branch: signed records, for trends and for comparing with the last good run.

history/<app>/<kind>/<time>-<commit12>.json in the store, each a DSSE envelope. A record that is damaged or that no
trusted key signed is left out, never trusted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from evidence.signing import Keys
from evidence.store import Store
from host.errors import EvidenceError
from host.files import write_atomically

RECORD = "urn:slipway:history:v1"


@dataclass(frozen=True)
class Record:
    """What one run on `branch` measured at `at` (aware UTC) for `commit`; `data` is JSON, by the kind's own rules."""

    kind: str
    branch: str
    commit: str
    run: str
    at: datetime
    data: Mapping[str, Any]


def remember(store: Store, keys: Keys, app: str, record: Record) -> None:
    """Sign and store one record. Raises EvidenceError if there is no key."""
    body = {
        "_type": RECORD,
        "app": app,
        "kind": record.kind,
        "branch": record.branch,
        "commit": record.commit,
        "run": record.run,
        "at": record.at.astimezone(UTC).isoformat(),
        "data": dict(record.data),
    }
    name = f"{record.at.astimezone(UTC):%Y%m%dT%H%M%S%f}-{record.commit[:12]}.json"
    folder = store.root / "history" / app / record.kind
    write_atomically(folder / name, json.dumps(keys.sign(body), sort_keys=True).encode())


def recall(store: Store, keys: Keys, app: str, kind: str, branch: str, most: int = 20) -> list[Record]:
    """Return the newest records of a kind on a branch, newest first, at most `most`."""
    found: list[Record] = []
    for file in sorted((store.root / "history" / app / kind).glob("*.json"), reverse=True):
        if len(found) == most:
            break
        try:
            body = keys.verify(json.loads(file.read_bytes()))
            if (body["_type"], body["app"], body["kind"]) != (RECORD, app, kind) or body["branch"] != branch:
                continue
            at = datetime.fromisoformat(body["at"])
            found.append(Record(kind, branch, body["commit"], body["run"], at, body["data"]))
        except (EvidenceError, KeyError, TypeError, ValueError):
            continue
    return found
