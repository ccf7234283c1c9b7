"""The one store for what crosses hosts: artifacts, evidence, promotions. A directory, addressed by content.

blobs/sha256/<hex>                     wheels, source archives, locks: shared by the artifacts that name them
artifacts/<hex>.json                   a bundle's manifest; its SHA-256 is the artifact's digest
statements/<hex>/<kind>-<hex12>.json   signed statements about that artifact
"""

import hashlib
import io
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from host.errors import ArtifactError
from host.files import replacing, sha256_file, write_atomically

BLOCK_BYTES = 1 << 20
QUARANTINE = "slipway verify --quarantine"
DIGEST = re.compile("[0-9a-f]{64}")


class Store:
    """A directory on this host. Writing the same content twice is harmless."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _blob(self, digest: str) -> Path:
        return self.root / "blobs" / "sha256" / digest

    def put_file(self, file: Path) -> str:
        """Copy a file in, also over a blob that was damaged since; return its hex SHA-256.

        Raises ArtifactError if the file changes meanwhile.
        """
        digest = sha256_file(file)
        target = self._blob(digest)
        if target.exists() and sha256_file(target) == digest:
            return digest
        with open(file, "rb") as source, replacing(target) as sink:
            copied = _copy(source, sink)
            if copied != digest:
                raise ArtifactError(f"{file}: it changed while it was stored; nothing was kept")
        return digest

    def verify_blob(self, digest: str) -> None:
        """Hash a blob. Raises ArtifactError if it is missing or changed.

        Others may write to the store: who needs the bytes takes them by `copy_blob`, `read_blob` or `open_blob`.
        """
        self._copy_genuine(digest, None)

    def copy_blob(self, digest: str, target: Path) -> Path:
        """Copy a blob to a file of our own, which it replaces, and return that; the copy is what was hashed.

        Raises ArtifactError if it is missing or changed, and leaves no file then.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            with open(target, "xb") as sink:
                self._copy_genuine(digest, sink)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return target

    def read_blob(self, digest: str) -> bytes:
        """Return the bytes of a blob, after hashing these. Raises ArtifactError if it is missing or changed."""
        with io.BytesIO() as sink:
            self._copy_genuine(digest, sink)
            return sink.getvalue()

    @contextmanager
    def open_blob(self, digest: str) -> Iterator[BinaryIO]:
        """Yield an open copy of a blob, which nobody else can write to. Raises ArtifactError like `read_blob`."""
        with tempfile.TemporaryFile() as copy:
            self._copy_genuine(digest, copy)
            copy.seek(0)
            yield copy

    def _copy_genuine(self, digest: str, sink: BinaryIO | None) -> None:
        file = self._blob(digest)
        if not file.is_file():
            raise ArtifactError(f"{file}: missing; build the commit again: prefect deployment run ci/push")
        with open(file, "rb") as source:
            found = _copy(source, sink)
        if found != digest:
            raise ArtifactError(f"{file}: changed since it was stored: SHA-256 is {found}; nothing was started")

    def put_manifest(self, manifest: bytes) -> str:
        """Store an artifact's manifest; return the artifact's digest (hex)."""
        digest = hashlib.sha256(manifest).hexdigest()
        write_atomically(self.root / "artifacts" / f"{digest}.json", manifest)
        return digest

    def manifest_file(self, digest: str) -> Path:
        """Return where an artifact's manifest lies."""
        return self.root / "artifacts" / f"{digest}.json"

    def manifest(self, digest: str) -> bytes:
        """Return an artifact's manifest. Raises ArtifactError if it is missing or is not what the digest says."""
        file = self.manifest_file(digest)
        try:
            content = file.read_bytes()
        except FileNotFoundError as error:
            build = "build it: prefect deployment run ci/push"
            raise ArtifactError(f"no artifact {digest[:12]} in {self.root}; {build}") from error
        except OSError as error:
            raise ArtifactError(f"{file}: cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise ArtifactError(f"{file}: the manifest was changed: it no longer is {digest[:12]}; nothing was started")
        return content

    def artifacts(self) -> list[str]:
        """Return the digests of all artifacts, oldest first."""
        files = [file for file in (self.root / "artifacts").glob("*.json") if DIGEST.fullmatch(file.stem)]
        return [file.stem for file in sorted(files, key=_written)]

    def put_statement(self, digest: str, kind: str, envelope: dict[str, Any]) -> Path:
        """Store a signed statement about an artifact (or, for a failed build, about a commit)."""
        raw = json.dumps(envelope, sort_keys=True).encode()
        name = f"{kind}-{hashlib.sha256(raw).hexdigest()[:12]}.json"
        file = self.root / "statements" / digest / name
        write_atomically(file, raw)
        return file

    def statements(self, digest: str, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the envelopes of one kind about one artifact, oldest first. Unsigned bytes: verify before use."""
        for file in self.statement_files(digest, kind):
            try:
                yield self.read_statement(file)
            except FileNotFoundError:
                continue  # an old one, which was removed in this moment

    def statement_files(self, digest: str, kind: str) -> list[Path]:
        """Return where the statements of one kind about one artifact lie, oldest first."""
        return sorted((self.root / "statements" / digest).glob(f"{kind}-*.json"), key=_written)

    def read_statement(self, file: Path) -> dict[str, Any]:
        """Return the envelope in a statement's file. Raises ArtifactError if it is none."""
        try:
            envelope: dict[str, Any] = json.loads(file.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ArtifactError(f"{file}: not JSON ({error}); restore it from a copy, or: {QUARANTINE}") from error
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ArtifactError(f"{file}: cannot be read: {error.strerror}") from error
        return envelope


def _copy(source: BinaryIO, sink: BinaryIO | None) -> str:
    """Read a file to its end, into another one or nowhere; return the hex SHA-256 of what was read."""
    digest = hashlib.sha256()
    while block := source.read(BLOCK_BYTES):
        digest.update(block)
        if sink:
            sink.write(block)
    return digest.hexdigest()


def _written(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
