"""Options in the lists that a lock is made of, of which the lock itself says nothing."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from gates.addresses import without_passwords
from gates.locks import option_lines
from host.errors import SourceError
from host.locks import read_lock_text

INDEX = "uv asked it, and the lock does not name it: ci asks what UV_INDEX and PIP_EXTRA_INDEX_URL of its host name"
FIRST_INDEX = (
    "uv asked it, and the lock does not name it: ci asks what UV_DEFAULT_INDEX and PIP_INDEX_URL of its host name"
)
FOLDER = (
    "uv looked there, and the lock does not name it: ci takes wheels from its host's index alone, so put them on one"
)
LIMITS = "it chose among the versions, and the lock has those alone"
BINARY = "the lock does not say so: ci installs wheels and builds nothing"
UNREAD = "uv passes over it, and so does the lock: take it out, or write versions that say the same"
SAID = {
    **dict.fromkeys(("-i", "--index-url"), FIRST_INDEX),
    **dict.fromkeys(("--extra-index-url", "--no-index"), INDEX),
    **dict.fromkeys(("-f", "--find-links"), FOLDER),
    **dict.fromkeys(("-c", "--constraint"), LIMITS),
    **dict.fromkeys(("--no-binary", "--only-binary"), BINARY),
}
FOLLOWED = ("-r", "--requirement", "-c", "--constraint")
# uv takes them over into the lock, where they are refused by name.
TAKEN_OVER = ("-r", "--requirement", "-e", "--editable")
OPTION = re.compile(r"(--[A-Za-z0-9-]+|-[A-Za-z])(?:\s*=\s*|\s*)(.*)")
MOST_FILES = 100


def dropped_options(folder: Path, source: str) -> list[str]:
    """Return the options of a list, and of the lists that it names, that the lock made of it does not hold: each with
    its place and what becomes of it, without the logins of addresses. `source` is a path from `folder`.
    """
    said: list[str] = []
    left, seen = [source], {source}
    while left:
        name = left.pop(0)
        for number, option, value in _options(folder, name):
            if option not in TAKEN_OVER:
                words = without_passwords(f"{option} {value}".strip())
                said.append(f"{name} line {number}: {words}: {SAID.get(option, UNREAD)}")
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), value))
            if option in FOLLOWED and other not in seen and len(seen) < MOST_FILES:
                seen.add(other)
                left.append(other)
    return said


def _options(folder: Path, name: str) -> Iterator[tuple[int, str, str]]:
    """Yield the options of a list: number of the line, name and value. What is no file there uv tells itself."""
    if posixpath.isabs(name) or name.startswith("../") or not name.endswith((".txt", ".in")):
        return
    try:
        text = read_lock_text(folder / name, name)
    except SourceError:
        return
    for number, line in option_lines(text):
        if found := OPTION.match(line):
            yield number, found[1].lower(), found[2].strip("\"'")
