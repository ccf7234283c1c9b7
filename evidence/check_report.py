"""What a run of `ci` came to, for programs: unsigned, kept for a while, never a reason to promote anything."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gates.check import Check
from host.files import write_atomically
from host.home import Home

KEPT = 200


class Report(BaseModel):
    """One run. `scores` are of 100, None without data; `seconds` how long the whole run took; `remembered` the names of
    the checks that a run after it would find remembered, with nothing changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    version: str
    commit: str
    branch: str
    digest: str
    good: bool
    reason: str
    seconds: float
    checks: tuple[Check, ...]
    scores: Mapping[str, float | None] = Field(default_factory=dict)
    remembered: tuple[str, ...] = ()


def keep_report(home: Home, report: Report) -> None:
    """Write a run's report; the oldest beyond the newest 200 are removed."""
    folder = _folder(home)
    write_atomically(folder / f"{report.run}.json", report.model_dump_json().encode())
    files = sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[KEPT:]:
        file.unlink(missing_ok=True)


def read_report(home: Home, run: str) -> Report | None:
    """Return a run's report, None when there is none that can be read."""
    try:
        return Report.model_validate_json((_folder(home) / f"{run}.json").read_bytes())
    except (OSError, ValidationError):
        return None


def newest_report(home: Home, what: str = "") -> Report | None:
    """Return the newest report of a commit (7 or more characters) or run; without one, of any. None without such."""
    files = sorted(_folder(home).glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    reports = (report for file in files if (report := read_report(home, file.stem)))
    wanted = (one for one in reports if not what or one.run == what or (len(what) >= 7 and one.commit.startswith(what)))
    return next(wanted, None)


def expected_seconds(home: Home) -> dict[str, float]:
    """Return how long each check took here when it last looked, by name; empty before the first run."""
    newest = max(_folder(home).glob("*.json"), key=lambda file: file.stat().st_mtime, default=None)
    report = read_report(home, newest.stem) if newest else None
    return {check.name: check.seconds for check in report.checks} if report else {}


def _folder(home: Home) -> Path:
    return home.root / "reports"
