"""The secrets that a commit itself declares: a tool that reads its files may repeat them in what it says."""

import os
import re
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from gates.check import Check
from host.json_logs import veiled
from host.masking import declared_secrets, masked
from tasks.source.tracked import contents, names

WORDS = re.compile(r"[^/.]+")
LARGEST_BYTES, MOST_BYTES = 2_000_000, 20_000_000
# Files of settings: what one of them declares, a message about any other file may show.
SETTINGS = (
    *(".env*", "*.env", "*compose*.y*ml", "*.ini", "*.cfg", "*.conf", "*.toml", "*.properties", ".netrc", "_netrc"),
    *(".npmrc", ".pypirc", "requirements*.txt", "requirements*.lock", "*settings*.py", "*config*.py"),
    *(
        "*.yml",
        "*.yaml",
        "*.json",
        "Dockerfile*",
        "Containerfile*",
        "*.tf",
        "*.tfvars",
        "*.sh",
        "constants.py",
        "db.py",
    ),
    *("*secret*", "*credential*"),
)


def told(check: Check, archive: Path) -> Check:
    """Return a check in whose words no secret stands: none of this host, and none that a file of the commit declares
    which is one of settings, or of which the check speaks. Reads only.

    Raises SourceError if the commit's archive cannot be read.
    """
    words = "\n".join((check.reason, check.examined, *check.notes, *(one.message for one in check.findings)))
    found = {one.file for one in check.findings}
    secrets, notes = _declared(archive, lambda name: name in found or name in words)

    def shown(text: str) -> str:
        return veiled(masked(text, secrets))

    findings = [one.model_copy(update={"message": shown(one.message)}) for one in check.findings]
    changed = {"reason": shown(check.reason), "examined": shown(check.examined), "findings": tuple(findings)}
    measures = [one.model_copy(update={"reason": shown(one.reason)}) for one in check.measures]
    return check.model_copy(
        update={**changed, "notes": (*map(shown, check.notes), *notes), "measures": tuple(measures)}
    )


def settings_secrets(archive: Path) -> list[str]:
    """Return the secrets that a commit's files of settings declare, longest first: what a program of it may print.

    Raises SourceError if the archive cannot be read.
    """
    return _declared(archive, lambda name: False)[0]


def _declared(archive: Path, is_spoken_of: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Return the secrets, longest first, and what to note: files that are spoken of are read first."""
    secrets: set[str] = set()
    left, unread = MOST_BYTES, 0
    for wanted in (is_spoken_of, lambda name: is_settings(name) and not is_spoken_of(name)):
        for content in contents(archive, wanted, LARGEST_BYTES):
            left -= len(content)
            if left < 0:
                unread += 1
            else:
                secrets.update(declared_secrets(content.decode(errors="replace")))
    # An app's own name as its database's password is common: to mask it would hide nothing, and spoil every path.
    known = {word for name in names(archive) for word in WORDS.findall(name.casefold())}
    kept = [secret for secret in secrets if secret.casefold() not in known]
    notes = [f"{unread} files of settings are too many to mask what they declare"] if unread else []
    return sorted(kept, key=len, reverse=True), notes


def is_settings(name: str) -> bool:
    """Return whether a file is one of settings by its name."""
    return any(fnmatch(os.path.basename(name), pattern) for pattern in SETTINGS)
