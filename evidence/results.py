"""Earlier verdicts, by the content that they depend on: the result store that all workers share.

results/<scope>/<key>.json in the store: what the check came to, in which run, and the blobs that it left, under a MAC
whose key (`keys/results.key`, 0600) app code cannot read. Scope `shared` is read by everybody and written for protected
branches only; every other branch has a scope of its own. An entry that is truncated, changed, of another key or whose
blobs are damaged is no entry: the check looks again. Failures are never kept.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from evidence.scopes import Scope
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Check, Outcome
from host.errors import ArtifactError
from host.files import read_or_create, write_atomically

LARGEST_ENTRY_BYTES = 20_000_000


class Entry(BaseModel):
    """One remembered result. `files` maps the names of what the check left to blobs of the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    check: Check
    run: str
    commit: str
    at: datetime
    files: dict[str, str]


@dataclass(frozen=True)
class Results:
    """The result store, as one branch sees it. `protected` branches write what everybody reads."""

    store: Store
    keys: Keys
    branch: str
    protected: bool

    def recall(self, key: str) -> Entry | None:
        """Return the genuine entry for a key that this branch may recall; None when there is none."""
        for scope in self.scope.reads:
            entry = self._read(self._file(scope, key), key)
            if entry is not None:
                return entry
        return None

    def keep(self, entry: Entry) -> None:
        """Keep a pass; anything else is not kept."""
        if entry.check.outcome is not Outcome.PASSED:
            return
        body = entry.model_dump_json().encode()
        sealed = json.dumps({"body": body.decode(), "mac": self._mac(body)}).encode()
        write_atomically(self._file(self.scope.writes, entry.key), sealed)

    def fetch(self, entry: Entry, directory: Path) -> dict[str, Path]:
        """Lay the entry's files out in a directory; raises ArtifactError if one is missing or damaged."""
        directory.mkdir(parents=True, exist_ok=True)
        found = {}
        for name, digest in entry.files.items():
            found[name] = self.store.copy_blob(digest, directory / name)
        return found

    def put_files(self, files: Mapping[str, Path]) -> dict[str, str]:
        """Store files; return their blobs by name. Directories and links are left out: they are for this run only."""
        return {
            name: self.store.put_file(file) for name, file in files.items() if file.is_file() and not file.is_symlink()
        }

    @property
    def scope(self) -> Scope:
        """Return whose results these are."""
        return Scope(self.branch, self.protected)

    def _file(self, scope: str, key: str) -> Path:
        return self.store.root / "results" / scope / f"{key}.json"

    def _read(self, file: Path, key: str) -> Entry | None:
        try:
            if file.stat().st_size > LARGEST_ENTRY_BYTES:
                return None
            sealed = json.loads(file.read_bytes())
            body = sealed["body"].encode()
            if not hmac.compare_digest(str(sealed["mac"]), self._mac(body)):
                return None
            entry = Entry.model_validate_json(body)
            if entry.key != key or entry.check.outcome is not Outcome.PASSED:
                return None
            for digest in entry.files.values():
                self.store.verify_blob(digest)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError, ArtifactError):
            return None
        return entry

    def _mac(self, body: bytes) -> str:
        return hmac.new(results_key(self.keys), body, "sha256").hexdigest()


def results_key(keys: Keys) -> bytes:
    """Return the key of the result store's MAC, made on first use (0600). Hosts that share a store share this file."""
    file = keys.directory / "results.key"
    keys.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return read_or_create(file, lambda: secrets.token_bytes(32))
