"""The secrets that a commit itself declares: a tool that reads its files may repeat them in what it says."""

import functools
import os
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar, cast

from gates.check import Check
from host.json_logs import veiled
from host.masking import declared_secrets, masked

Run = TypeVar("Run", bound=Callable[..., Check])
LARGEST_BYTES, MOST_BYTES = 2_000_000, 20_000_000
# Files of settings: what one of them declares, a message about any other file may show.
SETTINGS = (
    *(".env*", "*.env", "*compose*.y*ml", "*.ini", "*.cfg", "*.conf", "*.toml", "*.properties", ".netrc", "_netrc"),
    *(".npmrc", ".pypirc", "requirements*.txt", "requirements*.lock", "*settings*.py", "*config*.py"),
)


def in_our_words(scan: Run) -> Run:
    """Decorate what looks at a commit: its check is told without secrets (see `told`)."""

    @functools.wraps(scan)
    def looked(subject: Any, *given: Any, **named: Any) -> Check:
        return told(scan(subject, *given, **named), subject.tree)

    return cast(Run, looked)


def told(check: Check, tree: Path) -> Check:
    """Return a check in whose words no secret stands: none of this host, and none that a file of the commit declares
    which is one of settings, or of which the check speaks. Reads only.
    """
    words = (check.reason, check.examined, *check.notes, *(one.message for one in check.findings))
    secrets, notes = _declared(tree, {one.file for one in check.findings}, "\n".join(words))

    def shown(text: str) -> str:
        return veiled(masked(text, secrets))

    findings = [one.model_copy(update={"message": shown(one.message)}) for one in check.findings]
    changed = {"reason": shown(check.reason), "examined": shown(check.examined), "findings": tuple(findings)}
    measures = [one.model_copy(update={"reason": shown(one.reason)}) for one in check.measures]
    return check.model_copy(
        update={**changed, "notes": (*map(shown, check.notes), *notes), "measures": tuple(measures)}
    )


def _declared(tree: Path, found: set[str], words: str) -> tuple[list[str], list[str]]:
    """Return the secrets, longest first, and what to note: files of which the check speaks are read first."""
    spoken_of, others = [], []
    for name in _files(tree):
        if name in found or name in words:
            spoken_of.append(name)
        elif any(fnmatch(os.path.basename(name), pattern) for pattern in SETTINGS):
            others.append(name)
    secrets: set[str] = set()
    left = MOST_BYTES
    for number, name in enumerate((*spoken_of, *others)):
        content = (tree / name).read_bytes()
        left -= len(content)
        if left < 0:
            unread = len(spoken_of) + len(others) - number
            return _longest_first(secrets), [f"{unread} files of settings are too many to mask what they declare"]
        secrets.update(declared_secrets(content.decode(errors="replace")))
    return _longest_first(secrets), []


def _longest_first(secrets: set[str]) -> list[str]:
    return sorted(secrets, key=len, reverse=True)


def _files(tree: Path) -> Iterator[str]:
    """Yield the regular files that may be text by their size; links are not followed."""
    for folder, _, names in os.walk(tree):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_BYTES:
                yield str(path.relative_to(tree))
