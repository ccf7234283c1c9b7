"""What a run of `security` saw, for programs: unsigned, kept for a while, never a reason to promote anything."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from evidence.statements import Scanned
from host.files import write_atomically
from host.home import Home

KEPT = 50


class ScanReport(BaseModel):
    """The scans of one commit. `title` says why it was scanned, `new` are the fingerprints not seen there before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    scanned: Scanned
    new: tuple[str, ...] = ()


class ScanReports(BaseModel):
    """All that one run scanned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reports: tuple[ScanReport, ...]


def keep_scans(home: Home, run: str, reports: ScanReports) -> None:
    """Write a run's reports; the oldest beyond the newest 50 are removed."""
    folder = home.root / "scans"
    write_atomically(folder / f"{run}.json", reports.model_dump_json().encode())
    for file in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)[KEPT:]:
        file.unlink(missing_ok=True)


def read_scans_of(home: Home, run: str) -> tuple[ScanReport, ...]:
    """Return what a run scanned; nothing when that cannot be read."""
    file: Path = home.root / "scans" / f"{run}.json"
    try:
        return ScanReports.model_validate_json(file.read_bytes()).reports
    except (OSError, ValidationError):
        return ()
