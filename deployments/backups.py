"""A dump of an environment's database before a migration, kept on this host: the way back that a migration has not."""

import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deployments.candidate import Artifact
from deployments.environment import Environment
from deployments.journal.entries import BackupMade
from deployments.journal.lease import Lease
from deployments.runtimes.layout import Installed
from gates.migrations.steps import Step
from host.errors import SlipwayError, ToolError

SUFFIX = ".dump"


@dataclass(frozen=True)
class Backups:
    """One environment's: 0600 files in a 0700 directory, the newest BACKUPS_KEPT of them."""

    place: Environment

    @property
    def directory(self) -> Path:
        return self.place.directory / "backups"

    def kept(self) -> list[Path]:
        """Return the dumps that are there, oldest first."""
        return sorted(self.directory.glob(f"*{SUFFIX}"))

    def before(self, artifact: Artifact, migrations: Sequence[Step], lease: Lease) -> str:
        """Dump the database if this artifact is going to migrate it and BACKUP_BEFORE_MIGRATION says so.

        `migrations` are those that it brings beyond what is live.

        Returns what was done. Call it before the first effect: raises ToolError if there is no room or the dump fails,
        and then nothing was changed and no older dump removed.
        """
        if not self.place.settings.backup_before_migration:
            return "no backup: BACKUP_BEFORE_MIGRATION is false"
        if not self._migrates(artifact, migrations):
            return "no backup: no migration is pending"
        try:
            return self._make(self.place.runtime.installed(artifact), lease)
        except (SlipwayError, OSError) as error:
            raise ToolError(f"the backup before the migration failed, and nothing was changed: {error}") from error

    def _migrates(self, artifact: Artifact, migrations: Sequence[Step]) -> bool:
        """Say whether a migration may be pending: what nobody judged or names none, and the first release here, may
        have any.
        """
        if artifact.bundle.run.migrate is None:
            return False
        return not artifact.bundle.migrations or self.place.ledger().live is None or bool(migrations)

    def _make(self, installed: Installed, lease: Lease) -> str:
        began = time.monotonic()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for unfinished in self.directory.glob("*.part"):
            unfinished.unlink()
        self._check_room(self.place.runtime.database.size_bytes(installed))
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}Z-{installed.digest[:12]}{SUFFIX}"
        part = self.directory / f"{name}.part"
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            self.place.runtime.database.dump(installed, part, self.place.settings.backup_timeout_seconds)
            digest = _settled(part, self.place.runtime.database.dump_magic)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        part.rename(self.directory / name)
        size, seconds = (self.directory / name).stat().st_size, round(time.monotonic() - began, 3)
        made = BackupMade(digest=installed.digest, file=name, bytes=size, sha256=digest, seconds=seconds)
        self.place.journal.append(made, lease.epoch)
        for old in self.kept()[: -self.place.settings.backups_kept]:
            old.unlink()
        return f"backup {self.directory / name}: {size / 1e6:.1f} MB in {seconds:.1f} s"

    def _check_room(self, wanted: int) -> None:
        """A dump is smaller than its database, mostly: indexes are not in it, and it is compressed."""
        spare = int(self.place.settings.min_free_disk_mb * 2**20)
        free = shutil.disk_usage(self.directory).free
        if free < wanted + spare:
            raise ToolError(
                f"{self.directory}: {free / 2**20:.0f} MB free, expected {(wanted + spare) / 2**20:.0f}: the "
                f"database's {wanted / 2**20:.0f} and MIN_FREE_DISK_MB; free some, or lower BACKUPS_KEPT"
            )


def _settled(file: Path, magic: bytes) -> str:
    """Have a dump on disk for good; return its SHA-256. Raises ToolError if it is none."""
    digest = hashlib.sha256()
    with open(file, "rb") as content:
        head = content.read(len(magic))
        digest.update(head)
        while chunk := content.read(1 << 20):
            digest.update(chunk)
        os.fsync(content.fileno())
    if head != magic:
        raise ToolError(f"there is no dump, but {file.stat().st_size} bytes beginning with {head!r}")
    return digest.hexdigest()
