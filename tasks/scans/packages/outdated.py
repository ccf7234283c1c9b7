"""What in the app's locks has a newer release. Told every week; decides nothing."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from packaging.version import InvalidVersion, Version
from prefect.logging import get_run_logger

from host.errors import SlipwayError
from host.home import Home
from host.virtual_environments import uv
from settings.locks import LockChoice
from tasks.artifacts import cell
from tasks.retries import repeatable
from tasks.scans.packages.pins import Pin, read_pins
from tasks.source.app_locks import AppLocks

TIMEOUT_S = 120


class Distance(StrEnum):
    """How far a newer release is, by the first number that differs."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


@dataclass(frozen=True)
class Row:
    """One package that has a newer release. `locks` are the files that pin it."""

    package: str
    installed: str
    latest: str
    kind: Distance
    locks: tuple[str, ...]


@dataclass(frozen=True)
class Outdated:
    """The table, and how many packages were looked at. `problem` says why that is not all of them, "" when it is."""

    rows: tuple[Row, ...] = ()
    packages: int = 0
    problem: str = ""


@repeatable("outdated")
def list_outdated(locks: AppLocks) -> Outdated:
    """Ask the package index for the newest release of everything that the locks of a commit pin. Safe to repeat."""
    named = [lock for lock in locks.locks.every if (locks.tree / lock.file).is_file()]
    found = outdated({str(lock): _text(locks, lock) for lock in named}, locks.python)
    get_run_logger().info("%d of %d packages are outdated %s", len(found.rows), found.packages, found.problem)
    return found


def outdated(locks: dict[str, str], python: str) -> Outdated:
    """Return which pins of the locks (their text by name) have a newer final release for Python `python` ("3.11").

    Asks by the ordinary client, so by this host's own settings. An index that cannot be reached is told, not raised.
    """
    where: dict[Pin, list[str]] = {}
    problems = []
    for lock, text in locks.items():
        pins = read_pins(text, python)
        problems += [f"{lock}: {problem}" for problem in pins.problems]
        for pin in pins.audited:
            where.setdefault(pin, []).append(lock)
    newest, problem = _newest(sorted({pin.name for pin in where}), python) if where else ({}, "")
    unknown = sorted({pin.name for pin in where} - set(newest))
    if unknown and not problem:
        problem = f"nothing is known of {', '.join(unknown[:10])}"
    rows = [
        Row(pin.name, pin.version, newest[pin.name], kind, tuple(where[pin]))
        for pin in sorted(where)
        if pin.name in newest and (kind := distance(pin.version, newest[pin.name]))
    ]
    said = "; ".join([*([problem] if problem else []), *problems[:5]])
    return Outdated(tuple(rows), sum(pin.name in newest for pin in where), said)


def distance(installed: str, latest: str) -> Distance | None:
    """Return how far `latest` is ahead; None when it is not ahead, or either is no version."""
    try:
        now, then = Version(installed), Version(latest)
    except InvalidVersion:
        return None
    if then <= now:
        return None
    if (then.epoch, then.major) != (now.epoch, now.major):
        return Distance.MAJOR
    return Distance.MINOR if then.minor != now.minor else Distance.PATCH


def outdated_page(found: Outdated) -> str:
    """Return the table as a page, the farthest behind first."""
    lines = [f"# {len(found.rows)} of {found.packages} packages are outdated", ""]
    if found.problem:
        lines += [f"Not everything could be looked at: {cell(found.problem)}", ""]
    lines += ["| package | locked | newest | behind by | in |", "|---|---|---|---|---|"]
    for row in sorted(found.rows, key=lambda row: (list(Distance).index(row.kind), row.package)):
        words = (row.package, row.installed, row.latest, row.kind, ", ".join(row.locks))
        lines.append("| " + " | ".join(cell(word) for word in words) + " |")
    return "\n".join(lines) + "\n"


def _newest(names: list[str], python: str) -> tuple[dict[str, str], str]:
    """Return the newest release by name, and what went wrong. One resolution without dependencies tells them all."""
    argv = [uv(), "pip", "compile", "--quiet", "--no-deps", "--no-header", "--no-annotate", "--no-emit-index-url"]
    argv += ["--no-config", "--no-progress", "--python-version", python, "--cache-dir", str(Home.find().cache / "uv")]
    # Elsewhere: whatever the app says about uv must not be read.
    with tempfile.TemporaryDirectory() as directory:
        wanted = Path(directory) / "names.in"
        wanted.write_text("\n".join(names) + "\n", encoding="utf-8")
        try:
            done = subprocess.run(
                [*argv, str(wanted)],
                cwd=directory,
                env=_environment(),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {}, f"the package index did not answer within {TIMEOUT_S} s"
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["uv printed nothing"]
        return {}, f"the package index could not be asked: {' '.join(' '.join(said).split())[:300]}"
    return {pin.name: pin.version for pin in read_pins(done.stdout, python).audited}, ""


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "HTTPS_PROXY", "NO_PROXY")
    return {name: value for name, value in os.environ.items() if name in kept or name.startswith(("UV_", "SSL_"))}


def _text(locks: AppLocks, lock: LockChoice) -> str:
    try:
        return locks.listed(lock).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, SlipwayError):
        return ""
