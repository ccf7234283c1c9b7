"""Exactly what a requirements lock pins. A line that pins nothing cannot be audited, so it is a problem, named."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from packaging.markers import Marker, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

HASH = re.compile(r"\s--hash[=\s]\S+")
COMMENT = re.compile(r"(^|\s)#.*$")
LARGEST_LOCK_BYTES = 20_000_000
PLATFORM = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}


@dataclass(frozen=True, order=True)
class Pin:
    """One package of a lock at one version; the name is canonical."""

    name: str
    version: str


@dataclass(frozen=True)
class Pins:
    """What a lock pins for one Python. `elsewhere` are lines whose marker excludes it, `private` packages that no
    advisory source knows, `problems` lines that cannot be audited.
    """

    audited: tuple[Pin, ...] = ()
    private: tuple[Pin, ...] = ()
    elsewhere: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def read_pins(text: str, python: str, private: tuple[str, ...] = ()) -> Pins:
    """Read a lock as Linux with Python `python` ("3.11") would install it; `private` are globs of canonical names."""
    chosen: dict[str, Pin] = {}
    elsewhere, problems = [], []
    for number, line in logical_lines(text):
        found = _read_line(line)
        if isinstance(found, str):
            problems.append(f"line {number}: {found}: {line[:80]}")
            continue
        pin, marker = found
        if marker is not None and not _matches(marker, python):
            elsewhere.append(f"{pin.name} {pin.version} ({marker})")
        elif chosen.setdefault(pin.name, pin) != pin:
            problems.append(f"line {number}: {pin.name} is pinned twice: {chosen[pin.name].version}, {pin.version}")
    if not chosen and not problems:
        problems.append("it pins nothing")
    hidden = tuple(pin for pin in chosen.values() if any(fnmatchcase(pin.name, glob) for glob in private))
    audited = tuple(pin for pin in chosen.values() if pin not in hidden)
    return Pins(audited, hidden, tuple(elsewhere), tuple(problems))


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each requirement, with continued lines joined and without comments and
    hashes.
    """
    pending, start = "", 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        line = COMMENT.sub("", line)
        start = start if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole = HASH.sub("", pending + line).strip()
        pending = ""
        if whole:
            yield start, whole


def _read_line(line: str) -> tuple[Pin, Marker | None] | str:
    """Return what a line pins and where, or why it pins nothing."""
    if line.startswith("-"):
        return "an option, not a package"
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return "a URL or path, not a package" if "/" in line else "not a requirement"
    if requirement.url:
        return "a URL has no version to look up"
    exact = [one for one in requirement.specifier if one.operator in ("==", "===")]
    if len(exact) != 1 or len(requirement.specifier) != 1 or exact[0].version.endswith("*"):
        return "not pinned to one version"
    try:
        version = str(Version(exact[0].version))
    except InvalidVersion:
        return "not a version"
    return Pin(canonicalize_name(requirement.name), version), requirement.marker


def _matches(marker: Marker, python: str) -> bool:
    """Return whether any patch release of that Python installs it."""
    for patch in ("0", "99"):
        where = {**PLATFORM, "python_version": python, "python_full_version": f"{python}.{patch}"}
        try:
            if marker.evaluate({**where, "implementation_version": where["python_full_version"], "extra": ""}):
                return True
        except UndefinedEnvironmentName:
            return True
    return False
