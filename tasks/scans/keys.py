"""What a scan's result is kept under: while none of what it reads changes, a pass of the same day holds.

A scan names its files by the functions by which it chooses them, and its programs with the functions here.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from host.errors import SlipwayError
from settings.locks import LockChoice
from tasks.checks.memory import files_digest, key_of
from tasks.scans import Scan, Subject
from tasks.scans.files import named_path
from tasks.scans.tools import program_variable
from tasks.source.app_locks import is_converted
from tasks.source.workspace import tool_path


def scan_key(scan: Scan, subject: Subject, day: date) -> str:
    """Return the key of a scan's result. The day stands for the advisories of the day, and keeps every scan as fresh as
    a release wants it.
    """
    reads = scan.reads(subject)
    digest = files_digest(subject.workspace.source, reads.files)
    return key_of(f"scan {scan.name}", digest, *reads.parts, day.isoformat())


def contents(subject: Subject, names: Sequence[str]) -> dict[str, str]:
    """Return a digest of each file that pipeline.toml names: a link's is that of what it leads to."""
    return {name: content(named_path(subject, name)) for name in names}


def lock_contents(subject: Subject, locks: Sequence[LockChoice]) -> dict[str, str]:
    """Return a digest of each lock as it is installed, or why there is none, by what pipeline.toml calls it."""
    return {str(lock): _lock_content(subject, lock) for lock in locks}


def _lock_content(subject: Subject, lock: LockChoice) -> str:
    if not is_converted(lock):
        return content(named_path(subject, lock.file))
    try:
        return content(subject.locks.listed(lock))
    except SlipwayError as error:
        return f"unread: {error}"


def content(file: Path) -> str:
    """Return a digest of a file's content, "absent" when there is none."""
    if not file.is_file():
        return "absent"
    with open(file, "rb") as opened:
        link = os.readlink(file) if file.is_symlink() else ""
        return f"{link} {hashlib.file_digest(opened, 'sha256').hexdigest()}"


def our_program(name: str) -> Any:
    """Return what tells one of our scanners from another version; our rules hold the lock of the locked one."""
    chosen = os.environ.get(program_variable(name))
    return program_state(Path(chosen).absolute()) if chosen else "locked"


def host_program(name: str) -> Any:
    """Return what tells a program of this host from another version, "absent" when it is not installed."""
    program = os.environ.get(program_variable(name)) or shutil.which(name, path=tool_path())
    return program_state(Path(program).absolute()) if program else "absent"


def program_state(program: Path) -> tuple[str, int, int]:
    """Return what changes when a program is replaced: a digest of a hundred megabytes would cost more than a scan."""
    try:
        state = program.stat()
    except OSError:
        return str(program), 0, 0
    return str(program.resolve()), state.st_size, state.st_mtime_ns
