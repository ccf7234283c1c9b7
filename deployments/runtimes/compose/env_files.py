"""The files of variables of an artifact (`env_file`), each read once however many services name it."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deployments.runtimes.compose.parse import text_of
from deployments.runtimes.compose.problems import TooMuch
from deployments.runtimes.compose.variables import Entry, dangling, entries, may_be_shown

LARGEST_TOGETHER = 2_000_000  # characters of all files
MOST_TOGETHER = 200_000  # lines of all files, each counted as often as it is named
VARIABLE = re.compile(r"\$\$|\$\{?([A-Za-z_][A-Za-z0-9_]*)")
MENTION = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
# [^\S\n] is a blank within a line: a search for any would begin anew at each of many empty lines.
BARE = re.compile(r"^[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_]*)[^\S\n]*(?:#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class EnvFile:
    """One file: its lines, the variables that they refer to, and every name that some reader might look up."""

    entries: list[Entry]
    mentioned: set[str]
    looked_up: set[str]


@dataclass
class EnvFiles:
    """What was read so far."""

    files: dict[Path, EnvFile] = field(default_factory=dict)
    size: int = 0
    lines: int = 0

    def read(self, file: Path) -> EnvFile:
        """Return a file's variables. Raises ConfigError if it has no text, or if the files together have too much."""
        if file not in self.files:
            text = text_of(file, file.name)
            self.size += len(text)
            self._within(file)
            # There are readers with other escapes and line ends: each mention counts.
            plain = text.replace("\ufeff", "").replace("\r", "\n")
            mentioned = set(filter(None, VARIABLE.findall(text)))
            looked_up = mentioned | set(BARE.findall(plain)) | set(MENTION.findall(plain))
            self.files[file] = EnvFile(entries(text), mentioned, looked_up)
        self.lines += len(self.files[file].entries)
        self._within(file)
        return self.files[file]

    def _within(self, file: Path) -> None:
        if self.size > LARGEST_TOGETHER or self.lines > MOST_TOGETHER:
            raise TooMuch(
                f"{file.name}: the files of variables have more than {LARGEST_TOGETHER} characters together, or more "
                f"than {MOST_TOGETHER} lines, counted for each service; name fewer"
            )


def faults(file: str, given: EnvFile, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what of a file would lose a value or stops compose, with the way out, and the name of the variable that is
    set nowhere: "" where none is. `known`: what the environment and earlier files set.
    """
    yield from (
        (f"{file}:{one.line}: compose cannot read this line, expected NAME=value; correct or remove it", "")
        for one in given.entries
        if not one.key
    )
    earlier = set(known)
    for one in given.entries:
        if one.value is None and one.key and one.key not in earlier:
            way = f"give it one, set APP_{one.key} or SECRET_{one.key}, or remove it"
            yield f"{file}:{one.line}: {one.key}: it has no value, and nothing sets it; {way}", ""
        earlier |= {one.key} if one.value is not None else set()
    for entry, mention in dangling(given.entries, known):
        shown = may_be_shown(mention, entry.key)
        why = 'a "${" is not closed' if not mention.name else f'a "$" begins a variable{" " * shown}'
        why += f"{mention.name * shown} that nothing sets" if mention.name else ""
        cure = "write $$ for a plain $, or the value in single quotes"
        cure += f", or set APP_{mention.name}" if shown else ""
        yield f"{file}:{entry.line}: {entry.key}: {why}; {cure}", mention.name
