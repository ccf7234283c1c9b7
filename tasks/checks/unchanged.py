"""A working tree of which nothing changed since a good run: its report is told again, in a fraction of a second.

Whether anything changed is told without Prefect, whose import alone takes longer. What is compared here is more than
what the results of single checks hang on (tasks/checks/memory.py): in doubt the run looks again.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from evidence.check_report import KEPT, Report, read_report
from gates.check import Outcome
from gates.scans.security_score import SCORE
from host.errors import SourceError
from host.files import write_atomically
from host.git import git
from host.home import CHECKOUT, Home
from tasks.source.taken import take

# How long it holds that nobody could look because a source outside was away: then the source is asked again.
UNRUN_HOLDS = timedelta(minutes=10)
# Of our checkout, what is neither code of ours nor decides anything that a check finds.
NOT_OURS = ("tests", "docs", "examples", "benchmarks")
READ_VARIABLES = ("PATH", "HOME", "LANG", "TZ", "PYENV_ROOT", "REDIS_SERVER_PATH")
READ_PREFIXES = ("SLIPWAY_", "PIP_", "UV_", "NPM_", "NODE_", "SSL_", "GIT_", "DOCKER_")


@dataclass(frozen=True)
class Seen:
    """A working tree and all around it that decides what a run finds: as a commit, and as one digest."""

    place: str
    commit: str
    digest: str


class Held(BaseModel):
    """Which run's report holds, for what was seen, from one moment until another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str
    run: str
    since: AwareDatetime
    until: AwareDatetime


def see(home: Home, path: Path) -> Seen:
    """Look at a git working tree and what is around it. Raises SourceError for what is no git working tree."""
    with tempfile.TemporaryDirectory(prefix="slipway-seen-") as directory:
        taken = take(path, Path(directory))
    references = git("for-each-ref", "--format=%(objectname) %(refname)", at=taken.top)
    digest = hashlib.sha256()
    for part in (taken.commit, taken.name, _branch(taken.top), references, *_variables(), *_state(home), *_ours()):
        digest.update(f"{part}\0".encode(errors="surrogateescape"))
    return Seen(str(taken.top / taken.folder), taken.commit, digest.hexdigest())


def hold(home: Home, seen: Seen, report: Report, now: datetime) -> None:
    """Let a run's report hold for what was seen before it, if the run was good and would find it all remembered.

    It holds for the rest of the day (UTC), as the scans' results do; UNRUN_HOLDS if a check was accepted un-run.
    """
    looked = [check for check in report.checks if check.name != SCORE]
    unrun = any(check.outcome is Outcome.ACCEPTED_UNRUN for check in looked)
    forgotten = [
        check.name for check in looked if check.outcome is Outcome.PASSED and check.name not in report.remembered
    ]
    if not report.good or forgotten or report.commit != seen.commit:
        return
    midnight = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
    until = min(midnight, now + UNRUN_HOLDS) if unrun else midnight
    held = Held(digest=seen.digest, run=report.run, since=now, until=until)
    write_atomically(_file(home, seen.place), held.model_dump_json().encode())
    files = sorted(_folder(home).glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[KEPT:]:
        file.unlink(missing_ok=True)


def held(home: Home, seen: Seen, now: datetime) -> tuple[Report, datetime] | None:
    """Return the report that holds for what was seen, and since when; None to look."""
    try:
        found = Held.model_validate_json(_file(home, seen.place).read_bytes())
    except (OSError, ValidationError):
        return None
    if found.digest != seen.digest or not found.since <= now < found.until:
        return None
    report = read_report(home, found.run)
    return (report, found.since) if report else None


def _branch(top: Path) -> str:
    try:
        return git("symbolic-ref", "--quiet", "HEAD", at=top)
    except SourceError:
        return ""


def _variables() -> Iterator[str]:
    for name, value in sorted(os.environ.items()):
        if name in READ_VARIABLES or name.startswith(READ_PREFIXES) or name.upper().endswith("_PROXY"):
            yield f"{name}={value}"
    yield f"{os.getuid()} {Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii')}"


def _state(home: Home) -> Iterator[str]:
    """Give what this host knows that a run compares with: what is live, what was promoted, built and measured; and when
    a program was last put where programs are looked for.
    """
    places = home.root.glob("environments/*/journal*")
    store = [home.store / name for name in ("statements", "artifacts", "history")]
    kept = [path for folder in store for path in (folder, *folder.glob("*"))]
    programs = [Path(name) for name in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    yield from _stamps([*places, *kept, *programs])


def _stamps(paths: Iterable[Path]) -> Iterator[str]:
    for path in sorted(paths):
        try:
            found = path.stat()
        except OSError:
            yield f"{path} -"
        else:
            yield f"{path} {found.st_size} {found.st_mtime_ns}"


def _ours() -> Iterator[str]:
    """Give the content of our code, configuration and locks."""
    packages = [file.parent for file in CHECKOUT.glob("*/__init__.py") if file.parent.name not in NOT_OURS]
    files = [file for package in packages for file in package.rglob("*") if file.suffix != ".pyc"]
    files += [file for name in ("config", "requirements") for file in (CHECKOUT / name).rglob("*")]
    for file in sorted(files):
        if file.is_file():
            yield f"{file} {hashlib.sha256(file.read_bytes()).hexdigest()}"


def _folder(home: Home) -> Path:
    return home.root / "reports" / "trees"


def _file(home: Home, place: str) -> Path:
    return _folder(home) / f"{hashlib.sha256(place.encode(errors='surrogateescape')).hexdigest()[:32]}.json"
