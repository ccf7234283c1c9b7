"""What is wanted of a lock, and for which interpreter."""

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from gates.locks import LONGEST_MARKER, MOST_PARENTHESES, NEWEST_PATCH, OLDEST_PATCH, PLATFORM

MOST_PATCHES = 60


class LockError(ValueError):
    """A lock is not of the format that its name says, or has not what is asked of it. The message holds its cure."""


@dataclass(frozen=True)
class Selection:
    """Groups and extras beside the project's own requirements, and the member of a workspace, "" for its root.

    Groups are as they are written, the other names canonical.
    """

    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    package: str = ""

    def __str__(self) -> str:
        named = {"package": self.package, "groups": ", ".join(self.groups), "extras": ", ".join(self.extras)}
        return "; ".join(f"{word} {names}" for word, names in named.items() if names)


@dataclass(frozen=True)
class Target:
    """Where a lock is installed: CPython `python` ("3.11") on Linux. `tags` are those of the wheels that it takes, and
    `indexes` the addresses that the host asks, beside the one that most packages of a lock come from.
    """

    python: str
    machine: str
    tags: frozenset[Tag] = frozenset()
    indexes: frozenset[str] = frozenset()

    def environment(self, patch: int) -> dict[str, str]:
        """Return the whole environment of markers for a patch release."""
        full = f"{self.python}.{patch}"
        return {
            **PLATFORM,
            "python_version": self.python,
            "python_full_version": full,
            "implementation_name": "cpython",
            "implementation_version": full,
            "platform_python_implementation": "CPython",
            "platform_machine": self.machine,
            "platform_release": "",
            "platform_version": "",
        }

    def patches(self, texts: Iterable[str]) -> tuple[int, ...]:
        """Return the patch releases at which markers of these texts can begin or cease to hold, and the outermost."""
        first, last = int(OLDEST_PATCH), int(NEWEST_PATCH)
        named = re.compile(rf"(?<![\d.]){re.escape(self.python)}\.(\d{{1,3}})(?!\d)")
        found = {first, last}
        for text in texts:
            for number in named.findall(text):
                found |= {patch for patch in range(int(number) - 1, int(number) + 2) if first <= patch <= last}
        if len(found) > MOST_PATCHES:
            raise LockError(f"its markers tell more than {MOST_PATCHES} patch releases of Python {self.python} apart")
        return tuple(sorted(found))

    def fits(self, pythons: str) -> bool:
        """Return whether specifiers of PEP 440 ("" for none) allow a patch release. Raises LockError for others."""
        try:
            wanted = SpecifierSet(pythons)
        except InvalidSpecifier:
            raise LockError(f"a constraint on Python that cannot be read: {shown(pythons)}") from None
        return any(wanted.contains(f"{self.python}.{patch}") for patch in self.patches([pythons]))

    def takes(self, files: Iterable[str]) -> bool:
        """Return whether one of these files is a wheel for it."""
        return any(_tags(file) & self.tags for file in files if file.endswith(".whl"))


def _tags(file: str) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(file)[3]
    except InvalidWheelFilename:
        return frozenset()


@functools.lru_cache(maxsize=20_000)
def parse_marker(text: str) -> Marker:
    """Return a marker. Raises LockError if it is none, or longer or deeper than any."""
    if len(text) > LONGEST_MARKER or text.count("(") > MOST_PARENTHESES:
        raise LockError("a marker is longer than any")
    try:
        return Marker(text)
    except InvalidMarker:
        raise LockError(f"a marker that cannot be read: {shown(text)}") from None


def holds_in_lock(
    marker: Marker,
    environment: dict[str, str],
    extras: frozenset[str] = frozenset(),
    groups: frozenset[str] = frozenset(),
) -> bool:
    """Return whether a marker of a pylock.toml holds, which may ask for extras and groups. Raises LockError."""
    try:
        return marker.evaluate({**environment, "extras": extras, "dependency_groups": groups}, context="lock_file")
    except (UndefinedComparison, UndefinedEnvironmentName, KeyError):
        raise LockError(f"a marker that nobody can judge: {shown(str(marker))}") from None


def holds(marker: Marker, environment: dict[str, str], extras: Iterable[str] = ()) -> bool:
    """Return whether a marker holds, for one of the extras or without any. Raises LockError if nobody can tell."""
    return any(_holds(marker, {**environment, "extra": extra}) for extra in _each(extras))


def _each(extras: Iterable[str]) -> Iterator[str]:
    yield ""
    yield from extras


def _holds(marker: Marker, environment: dict[str, str]) -> bool:
    try:
        return marker.evaluate(environment)
    except (UndefinedComparison, UndefinedEnvironmentName, KeyError):
        raise LockError(f"a marker that nobody can judge: {shown(str(marker))}") from None


def shown(text: object) -> str:
    """Return the beginning of a stranger's text on one line."""
    return "".join(one if one.isprintable() else "\ufffd" for one in str(text)[:100])
