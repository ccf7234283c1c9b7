"""What each scan's result depends on: while none of it changes, a pass of the same day holds.

A scan's files are chosen by the functions by which the scan itself chooses them, and its programs are named. Three
scans read every file of the commit: `code` counts in all the comments that silence a tool, `policy` judges every
name and size and runs the app's migrations, which may import what they like, `secrets` looks at the whole history.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from host.errors import ToolError
from host.home import CHECKOUT
from tasks.checks.memory import files_digest, key_of
from tasks.scans import Subject
from tasks.scans.container import HADOLINT_RULES
from tasks.scans.files import RELEASE, named
from tasks.scans.packages.debian_archive import security_archive
from tasks.scans.packages.npm import OTHER_LOCKS, npm_program
from tasks.scans.policy import DOCKERFILES
from tasks.scans.sast import PYTHON, TEMPLATES
from tasks.scans.tools import program_variable
from tasks.scans.tree import left_out
from tasks.source.workspace import tool_path

NPM_FILES = ("package.json", "package-lock.json", *OTHER_LOCKS)


@dataclass(frozen=True)
class Reads:
    """The commit's files that a scan reads, by name, and whatever else decides what it comes to."""

    files: Sequence[str]
    parts: tuple[Any, ...]


def scan_key(name: str, subject: Subject, day: date) -> str:
    """Return what a scan's result is kept under. The day stands for the advisories of the day, and keeps every scan as
    fresh as a release wants it. A scan that nobody described here depends on everything.
    """
    source = subject.workspace.source
    read = READS.get(name, _everything)(subject)
    return key_of(f"scan {name}", files_digest(source, read.files), *read.parts, day.isoformat())


def _everything(subject: Subject) -> Reads:
    source = subject.workspace.source
    parts = (subject.pipeline.digest, source.commit, subject.image, subject.workspace.environment.name)
    return Reads(list(source.files), parts)


def _dependency(subject: Subject) -> Reads:
    pipeline, settings = subject.pipeline, subject.pipeline.scans
    oldest = float(settings.max_advisory_age_hours)
    asked = (settings.osv_url, settings.npm_audit_url, oldest, settings.private_packages)
    programs = (_ours("pip-audit"), _npm())
    parts = (pipeline.app.python, _contents(subject, pipeline.locks.every), asked, programs)
    return Reads(named(list(subject.workspace.source.files), NPM_FILES), parts)


def _code(subject: Subject) -> Reads:
    settings = subject.pipeline.scans
    parts = (settings.code_excludes, settings.max_suppressions, _ours("bandit"))
    return Reads(list(subject.workspace.source.files), parts)


def _sast(subject: Subject) -> Reads:
    settings = subject.pipeline.scans
    files = [file for file in subject.workspace.source.files if file.lower().endswith((*PYTHON, *TEMPLATES))]
    out = left_out(files, settings.code_excludes)
    # How many were left out is told with the result.
    parts = (settings.code_excludes, settings.open_routes, len(out), _ours("semgrep"))
    return Reads([file for file in files if file not in out], parts)


def _secrets(subject: Subject) -> Reads:
    settings, source = subject.pipeline.scans, subject.workspace.source
    demands = (settings.require_trufflehog, settings.trufflehog_verifies)
    return Reads(list(source.files), (source.commit, demands, _ours("kingfisher"), _hosts("trufflehog")))


def _licence(subject: Subject) -> Reads:
    pipeline = subject.pipeline
    locks = _contents(subject, (*pipeline.locks.shipped, pipeline.locks.ci))
    parts = (pipeline.app.python, locks, subject.workspace.environment.name)
    return Reads(named(list(subject.workspace.source.files), ("package-lock.json",)), parts)


def _policy(subject: Subject) -> Reads:
    image, programs = subject.pipeline.image, (_ours("zizmor"), _ours("squawk"))
    files = _contents(subject, (image.dockerfile, *image.compose.values())) if image else {}
    allowed = [one.model_dump() for one in subject.pipeline.scans.allow]
    parts = (subject.pipeline.locks.every, files, allowed, subject.workspace.environment.name, programs)
    return Reads(list(subject.workspace.source.files), parts)


def _container(subject: Subject) -> Reads:
    image, settings = subject.pipeline.image, subject.pipeline.scans
    dockerfile = _contents(subject, (image.dockerfile,)) if image else {}
    rules, programs = _content(HADOLINT_RULES), (_ours("hadolint"), _hosts("trivy"))
    parts = (dockerfile, rules, subject.image, _archive(settings.debian_security_url), settings.require_trivy, programs)
    return Reads(named(list(subject.workspace.source.files), DOCKERFILES), parts)


READS: Mapping[str, Callable[[Subject], Reads]] = {
    "dependency": _dependency,
    "code": _code,
    "container": _container,
    "secrets": _secrets,
    "sast": _sast,
    "licence": _licence,
    "policy": _policy,
}


def _contents(subject: Subject, names: Sequence[str]) -> dict[str, str]:
    """Return a digest of what each file that pipeline.toml names holds: a link's is that of what it leads to."""
    ours = {name: CHECKOUT / name.removeprefix(RELEASE) for name in names if name.startswith(RELEASE)}
    return {name: _content(ours.get(name, subject.tree / name)) for name in names}


def _content(file: Path) -> str:
    if not file.is_file():
        return "absent"
    with open(file, "rb") as content:
        link = os.readlink(file) if file.is_symlink() else ""
        return f"{link} {hashlib.file_digest(content, 'sha256').hexdigest()}"


def _ours(name: str) -> Any:
    """Return what tells one of our scanners from another version; our rules hold the lock of the locked one."""
    chosen = os.environ.get(program_variable(name))
    return _mark(Path(chosen).absolute()) if chosen else "locked"


def _hosts(name: str) -> Any:
    found = shutil.which(name, path=tool_path())
    return _mark(Path(found)) if found else "absent"


def _npm() -> Any:
    try:
        program, script = npm_program()[:2]
    except ToolError:
        return "absent"
    return [_mark(Path(one)) for one in (str(program), *script)]


def _mark(program: Path) -> tuple[str, int, int]:
    """Return what changes when a program is replaced: a digest of a hundred megabytes would cost more than a scan."""
    try:
        state = program.stat()
    except OSError:
        return str(program), 0, 0
    return str(program.resolve()), state.st_size, state.st_mtime_ns


def _archive(configured: str) -> str:
    try:
        return security_archive(configured)
    except ToolError:
        return "none"
