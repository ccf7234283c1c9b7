"""The Python packages in a built image, against the locks that every other scan speaks of."""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from gates.findings import Finding, Severity, make_finding

# What base images of Python bring to install others with.
TOOLS = frozenset({"pip", "setuptools", "wheel"})
_METADATA = re.compile(
    r"(?:^|/)(?:site|dist)-packages/([A-Za-z0-9._-]+?)-([A-Za-z0-9.!+_]+?)(?:-py[\d.]+)?"
    r"\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)\Z"
)
_OF_THE_SYSTEM = re.compile(r"usr/lib/python3(?:\.\d+)?/(?:dist|site)-packages/")


@dataclass(frozen=True, order=True)
class Installed:
    """A package as its metadata's folder names it. `own` is one that was installed from a folder: the app itself."""

    name: str
    version: str
    own: bool = False


def package_of(path: str) -> Installed | None:
    """Return the package whose metadata lies at a path, None for any other file and for what the system installed."""
    match = None if _OF_THE_SYSTEM.match(path) else _METADATA.search(path)
    return Installed(canonicalize_name(match[1]), match[2]) if match else None


def judge_packages(image: str, found: Iterable[Installed], locked: Mapping[str, Set[str]]) -> list[Finding]:
    """Return a finding for each package of an image that the locks do not name, or name with another version.

    `locked` are the versions of the shipped locks by canonical name.
    """
    return [
        make_finding(
            "image", rule, Severity.HIGH, message, image, key=("image", rule, name), package=name, installed=version
        )
        for rule, name, version, message in _differences(sorted(set(found)), locked)
    ]


def _differences(found: Iterable[Installed], locked: Mapping[str, Set[str]]) -> Iterator[tuple[str, str, str, str]]:
    for package in found:
        name, version = package.name, package.version
        if package.own or (name in TOOLS and name not in locked):
            continue
        wanted = locked.get(name)
        if not wanted:
            message = f"{name} {version} is in the image and in no lock: no scan of packages looked at it"
            yield "package-not-locked", name, version, message
        elif not any(_same(version, other) for other in wanted):
            message = f"{name} {version} is in the image, {' or '.join(sorted(wanted))} in the lock that was scanned"
            yield "package-not-as-locked", name, version, message


def _same(one: str, other: str) -> bool:
    try:
        return Version(one.replace("_", "-")) == Version(other)
    except InvalidVersion:
        return one == other
