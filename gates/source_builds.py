"""How a source distribution says that it is built (PEP 517 and 518), what of it is there, what a failure means."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gates.lock_formats.selection import LockError, Target, holds, shown
from gates.locks import LONGEST_MARKER, MOST_PARENTHESES, NEWEST_PATCH, Lock, Locked
from gates.strict_toml import TomlError, parse

SETUPTOOLS = "setuptools.build_meta:__legacy__"  # of sources that do not say how they are built
MOST_REQUIRED = 100
MOST_NAMED = 20
LONGEST_BACKEND = 200
ELSEWHERE = "build its wheel elsewhere (pip wheel --no-deps), put it on an index of yours and lock it from there"
ADDED = "add it to requirements/build.in of the release repository and run: make lock"
MODULE = re.compile(r"No module named '?([\w.]{1,100})|BackendUnavailable: Cannot import '([\w.]{1,100})'")
NOT_FETCHED = re.compile(r"No matching distribution found for ([\w.-]{1,100})")
COMPILER = re.compile(
    r"(?:command|execute) '([\w./+-]{1,100})' failed: No such|unable to execute '?([\w./+-]{1,100})'?: No such"
    r"|error: (Microsoft Visual C\+\+|linker `cc`)|\b((?:gcc|cc|c\+\+|g\+\+|clang|rustc|cargo)): (?:command )?not found"
    r"|No such file or directory: '((?:[\w./-]*/)?(?:[\w-]+-)?(?:gcc|cc|g\+\+|c\+\+|clang|rustc|cargo)(?:-\d+)?)'"
)
HEADER = re.compile(r"fatal error: '?([\w./+-]{1,150}\.h(?:pp|xx)?)'?(?: file not found|: No such file)")


class BuildError(ValueError):
    """A source distribution cannot be built here. The message holds the way out."""


@dataclass(frozen=True)
class BuildSystem:
    """The table [build-system] of a pyproject.toml: the backend's name, and what must be there when it runs."""

    backend: str = SETUPTOOLS
    requires: tuple[Requirement, ...] = (Requirement("setuptools"),)


@dataclass(frozen=True)
class Tools:
    """What a build gets: packages with their versions. `unlike` are those that were asked for at another version."""

    given: tuple[str, ...]
    unlike: tuple[str, ...] = ()


def read_build_system(text: bytes | None) -> BuildSystem:
    """Return what a pyproject.toml says; None and one that says nothing mean setuptools. Raises BuildError."""
    try:
        table = parse(text or b"").get("build-system")
    except TomlError as error:
        raise BuildError(f"its pyproject.toml cannot be read: {shown(error)}") from None
    if table is None:
        return BuildSystem()
    requires = table.get("requires") if isinstance(table, dict) else None
    if not isinstance(requires, list) or len(requires) > MOST_REQUIRED:
        raise BuildError(f"[build-system] requires in its pyproject.toml: expected a list of at most {MOST_REQUIRED}")
    backend = table.get("build-backend", SETUPTOOLS)
    if not isinstance(backend, str) or not re.fullmatch(rf"[\w.:]{{1,{LONGEST_BACKEND}}}", backend):
        raise BuildError(f"[build-system] build-backend in its pyproject.toml is no name: {shown(backend)}")
    return BuildSystem(backend, tuple(map(_requirement, requires)))


def _requirement(text: object) -> Requirement:
    if not isinstance(text, str) or len(text) > LONGEST_MARKER or text.count("(") > MOST_PARENTHESES:
        raise BuildError("[build-system] requires in its pyproject.toml: an entry is no requirement")
    try:
        return Requirement(text)
    except InvalidRequirement:
        raise BuildError(f"[build-system] requires in its pyproject.toml: no requirement: {shown(text)}") from None


def tools_of(system: BuildSystem, backends: Lock, target: Target) -> Tools:
    """Return what of our locked build backends a build gets. Raises BuildError if it asks for one that is none of them.

    One of another version than it asks for is given all the same, and told: backends stay compatible for long.
    """
    have = {package.name: package.version for package in backends.packages if package.applies(target.python)}
    given: list[str] = []
    unlike: list[str] = []
    missing: list[str] = []
    for one in system.requires:
        name = canonicalize_name(one.name)
        if not _applies(one, target):
            continue
        if name not in have or one.url:
            missing.append(shown(str(one)))
            continue
        given.append(f"{name} {have[name]}")
        if not one.specifier.contains(have[name], prereleases=True):
            unlike.append(f"{name}{one.specifier} (given {have[name]})")
    if missing:
        raise BuildError(
            f"it is built with {', '.join(missing)}, which is none of Slipway's build backends: {ADDED}; or {ELSEWHERE}"
        )
    return Tools(tuple(dict.fromkeys(given)), tuple(unlike))


def _applies(requirement: Requirement, target: Target) -> bool:
    try:
        return requirement.marker is None or holds(requirement.marker, target.environment(int(NEWEST_PATCH)))
    except LockError as error:
        raise BuildError(f"[build-system] requires in its pyproject.toml: {error}") from None


def way_out(output: str) -> str:
    """Return what the output of a failed build means for a person, after a full stop; "" when nobody can tell."""
    if found := COMPILER.search(output):
        program = next(filter(None, found.groups()))
        return f". It needs a compiler that this host does not have: {program}: install it, or {ELSEWHERE}"
    if found := HEADER.search(output):
        return f". This host does not have the header {found[1]}: install its development package, or {ELSEWHERE}"
    if found := MODULE.search(output) or NOT_FETCHED.search(output):
        name = next(filter(None, found.groups()))
        return (
            f". Its build wants {name}, which is none of Slipway's build backends, and has no network: {ADDED}, if it"
            f" is a package; or {ELSEWHERE}"
        )
    return ""


def build_cure(names: Sequence[str]) -> str:
    """Return the way out for packages of which there is no wheel."""
    listed = ", ".join(f'"{name}"' for name in names[:MOST_NAMED]) + ", ..." * (len(names) > MOST_NAMED)
    return (
        "to have their sources built once, in the sandbox without network, say so by name in config/pipeline.toml:"
        f" locks.build_from_source = [{listed}]; or pin a version that has a wheel"
    )


def to_build(lock: Lock, names: Collection[str], python: str) -> tuple[Locked, ...]:
    """Return the packages of a lock that are built from source for Python `python` ("3.11")."""
    return tuple(package for package in lock.packages if package.name in names and package.applies(python))


def with_built(lock: Lock, built: Mapping[tuple[str, str], str]) -> Lock:
    """Return a lock with the hashes of wheels that were built, by name and version, in place of their sources'."""
    packages = (
        replace(one, hashes=(built[one.name, one.version],)) if (one.name, one.version) in built else one
        for one in lock.packages
    )
    return Lock(tuple(packages), lock.problems)
