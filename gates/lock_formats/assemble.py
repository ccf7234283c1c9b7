"""From the packages of a lock that are chosen to the lock that is installed."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from gates.addresses import without_passwords
from gates.lock_formats.selection import LockError, Target, shown
from gates.lock_formats.tables import unknown_keys
from gates.locks import NAME, Lock, Locked, normal_version

SHA256 = re.compile("[0-9a-f]{64}")
OTHER_SOURCE = "put its wheel on an index and lock it from there"
UNWANTED = "of this selection, for this Python on Linux: name the groups or extras that are wanted, or lock it anew"
OTHER_INDEX = "name that index in this host's UV_INDEX and PIP_EXTRA_INDEX_URL, or lock it from the index of the others"


@dataclass(frozen=True)
class Candidate:
    """One package of a lock at one version. `refused` says why it cannot be installed from there ("" when it can),
    `files` are the names of its files, none when the lock does not tell.
    """

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    index: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Converted:
    """The lock that is installed, and what of the original is not in it.

    `left_out` are packages that another selection or another system would install, `own` the app's own. `unbuilt` are
    packages of which the lock knows no wheel for this Python.
    """

    lock: Lock
    left_out: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    unbuilt: tuple[str, ...] = ()


# Which candidates, by number, one patch release installs.
Choose = Callable[[int], Collection[int]]


@dataclass
class _Chosen:
    """One version of a package, with the places among the patches where it is chosen."""

    candidate: Candidate
    at: set[int] = field(default_factory=set)


def assemble(
    candidates: Sequence[Candidate], choose: Choose, target: Target, patches: Sequence[int], own: Iterable[str] = ()
) -> Converted:
    """Return the lock of what `choose` names for each of the patch releases.

    What another source, a missing hash or a second version keeps from being installed is a problem of the lock, by
    name.
    """
    main = _main_index(candidates)
    chosen: dict[tuple[str, str], _Chosen] = {}
    problems: list[str] = []
    for place, patch in enumerate(patches):
        versions: dict[str, str] = {}
        for number in sorted(choose(patch)):
            one = candidates[number]
            if versions.setdefault(one.name, one.version) != one.version:
                problems.append(f"{one.name} is chosen twice: {versions[one.name]}, {one.version}")
            known = chosen.setdefault((one.name, one.version), _Chosen(one))
            problems += _differing(known.candidate, one)
            known.at.add(place)
    packages: list[Locked] = []
    for number, (_, of_one) in enumerate(sorted(chosen.items()), 1):
        made = _problem(of_one.candidate, main, target) or _locked(number, of_one, target.python, patches)
        if isinstance(made, str):
            problems.append(made)
        else:
            packages.append(made)
    names = {name for name, _ in chosen}
    if candidates and not names:
        problems.append(f"none of its {len(candidates)} packages is {UNWANTED}")
    left_out = sorted({one.name for one in candidates} - names)
    unbuilt = {of_one.candidate.name for of_one in chosen.values() if _lacks_wheel(of_one.candidate, target)}
    lock = Lock(tuple(packages), tuple(dict.fromkeys(problems)))
    return Converted(lock, tuple(left_out), tuple(sorted(own)), tuple(sorted(unbuilt)))


def _differing(first: Candidate, other: Candidate) -> list[str]:
    """Return what differs between two entries of one version: nobody can tell which of them is meant."""
    pairs = (
        ("hashes", first.hashes, other.hashes),
        ("files", first.files, other.files),
        ("sources", (first.index.rstrip("/"), first.refused), (other.index.rstrip("/"), other.refused)),
    )
    found = [what for what, one, another in pairs if one != another]
    return (
        [f"{other.name} {shown(other.version)} stands there twice, with other {' and '.join(found)}"] if found else []
    )


def _main_index(candidates: Sequence[Candidate]) -> str:
    """Return the index that most packages come from: this host's settings say where it is."""
    counted = Counter(one.index for one in candidates if not one.refused)
    return counted.most_common(1)[0][0] if counted else ""


def _problem(one: Candidate, main: str, target: Target) -> str:
    if one.refused:
        return f"{one.name}: {one.refused}"
    if one.index != main and one.index.rstrip("/") not in target.indexes:
        where = shown(without_passwords(one.index)) or "the default index"
        return f"{one.name} comes from another index than the others ({where}): {OTHER_INDEX}"
    if not one.hashes:
        return f"{one.name} has no SHA-256 in the lock: lock it anew, from an index that tells SHA-256"
    if bad := [digest for digest in one.hashes if not SHA256.fullmatch(digest)]:
        return f"{one.name}: a hash that is not 64 digits of SHA-256: {shown(bad[0])}"
    return ""


def _locked(number: int, one: _Chosen, python: str, patches: Sequence[int]) -> Locked | str:
    candidate = one.candidate
    if not re.fullmatch(NAME, candidate.name):
        return f"{shown(candidate.name)}: not a name of a package"
    try:
        version = normal_version(candidate.version)
    except InvalidVersion:
        return f"{candidate.name}: {shown(candidate.version)} is no version"
    marker = _marker(one.at, python, patches)
    return Locked(number, candidate.name, version, marker=marker, hashes=tuple(sorted(set(candidate.hashes))))


def _marker(at: Collection[int], python: str, patches: Sequence[int]) -> Marker | None:
    """Return the marker that holds exactly for the chosen patch releases; None when that is all."""
    if len(at) == len(patches):
        return None
    ranges = []
    for place in sorted(at):
        if place - 1 in at:
            continue
        after = next(end for end in range(place, len(patches) + 1) if end not in at)
        bounds = [] if place == 0 else [f"python_full_version >= '{python}.{patches[place]}'"]
        bounds += [] if after == len(patches) else [f"python_full_version < '{python}.{patches[after]}'"]
        ranges.append(" and ".join(bounds))
    return Marker(" or ".join(ranges))


def _lacks_wheel(one: Candidate, target: Target) -> bool:
    return bool(one.files and target.tags and not one.refused and not target.takes(one.files))


def refused_keys(raw: Mapping[str, Any], known: Collection[str]) -> str:
    """Return why a package cannot be installed whose entry has keys that its format does not have; "" without any."""
    unknown = unknown_keys(raw, known)
    return f"it has keys that are not known ({unknown}), so what they ask for would be left out" if unknown else ""


def sha256_of(texts: Iterable[object]) -> tuple[str, ...]:
    """Return the digests of `sha256:...` texts, in lower case; those of other algorithms are none."""
    words = [str(text).lower() for text in texts]
    return tuple(word.removeprefix("sha256:") for word in words if word.startswith("sha256:"))


def name_of(raw: object, where: str) -> str:
    """Return a package's canonical name. Raises LockError if there is none."""
    if not isinstance(raw, str) or not re.fullmatch(NAME, raw):
        raise LockError(f"{where}: not a name of a package: {shown(raw)}")
    return str(canonicalize_name(raw))
