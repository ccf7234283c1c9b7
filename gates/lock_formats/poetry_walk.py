"""The packages that a project's requirements reach in a lock of Poetry 1, which does not say whose each of them is."""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from gates.lock_formats.assemble import name_of
from gates.lock_formats.poetry_versions import allows, python_marker
from gates.lock_formats.selection import LockError, Selection, holds, parse_marker, shown
from gates.lock_formats.tables import table_of, text_of, texts_of, unknown_keys
from gates.locks import NAME

# A name, and behind it nothing that could belong to one.
LISTED = re.compile(rf"\s*({NAME})\s*(?:$|\s|[\[(<>=!~;@,])")
# Keys of a requirement, and those of them that only say where it comes from: the lock says that, too.
KEYS = frozenset("version markers python platform extras optional allow-prereleases allows-prereleases".split())
ORIGINS = frozenset("source git svn hg bzr branch tag rev path file url develop subdirectory".split())
NEWER = (
    "which only Poetry 2 reads, and the lock is one of Poetry 1: make it anew with Poetry 2 (poetry lock --regenerate)"
)
STALE = "the lock does not fit pyproject.toml: poetry lock"
TWO = "of which the lock has several that fit: make it anew with Poetry 2 (poetry lock --regenerate), which says which"


@dataclass(frozen=True)
class Asked:
    """One requirement: a name, the versions that do, extras, and where it holds ("" everywhere)."""

    name: str
    versions: str
    extras: tuple[str, ...]
    markers: tuple[str, ...]
    optional: bool


def asked_by(project: Mapping[str, Any], selection: Selection, locked_extras: Mapping[str, Any]) -> list[Asked]:
    """Return what the chosen groups and extras of a pyproject.toml of Poetry 1 ask for. Raises LockError."""
    poetry = table_of(table_of(project, "tool"), "poetry")
    _refuse_newer(project, poetry, selection)
    if "dependencies" not in poetry:
        raise LockError("the pyproject.toml beside it has no [tool.poetry.dependencies]")
    named = table_of(poetry, "group")
    groups = {name: list(_asked(table_of(table_of(named, name), "dependencies"))) for name in named}
    groups.setdefault("dev", []).extend(_asked(table_of(poetry, "dev-dependencies")))
    if unknown := [group for group in selection.groups if group not in (*groups, "main")]:
        raise LockError(f"pyproject.toml has no group {', '.join(unknown)}; it has: {', '.join(sorted(groups))}")
    extras = {name_of(name, "extras"): name for name in locked_extras}
    if unknown := [extra for extra in selection.extras if extra not in extras]:
        raise LockError(f"it has no extra {', '.join(unknown)}; it has: {', '.join(sorted(extras)) or 'none'}")
    opted = _named(word for extra in selection.extras for word in texts_of(locked_extras, extras[extra]))
    main = [one for one in _asked(table_of(poetry, "dependencies")) if not one.optional or one.name in opted]
    return main + [one for group in selection.groups for one in groups.get(group, ())]


def _refuse_newer(project: Mapping[str, Any], poetry: Mapping[str, Any], selection: Selection) -> None:
    """Raise LockError for requirements that Poetry 1 does not know, so that the lock cannot have been made of them."""
    standard, groups = table_of(project, "project"), table_of(poetry, "group")
    for key in ("dependencies", "optional-dependencies"):
        if standard.get(key):
            raise LockError(f"pyproject.toml has [project] {key}, {NEWER}")
    for name in selection.groups:
        if name in table_of(project, "dependency-groups"):
            raise LockError(f"pyproject.toml has {shown(name)} in [dependency-groups], {NEWER}")
        if "include-groups" in table_of(groups, name):
            raise LockError(f"pyproject.toml has include-groups in the group {shown(name)}, {NEWER}")


def _asked(dependencies: Mapping[str, Any]) -> Iterator[Asked]:
    for name, value in dependencies.items():
        if name == "python":
            continue
        for one in value if isinstance(value, list) else [value]:
            yield _one(name_of(name, "dependencies"), one)


def _one(name: str, value: Any) -> Asked:
    if isinstance(value, str):
        return Asked(name, value, (), (), False)
    if not isinstance(value, dict):
        raise LockError(f"{name}: expected a version or a table")
    if unknown := unknown_keys(value, KEYS | ORIGINS):
        raise LockError(f"{name}: keys that are not known: {unknown}")
    markers = [text_of(value, "markers", ""), _platform_marker(name, text_of(value, "platform", ""))]
    if python := text_of(value, "python", ""):
        markers.append(python_marker(python))
    extras = tuple(sorted(str(canonicalize_name(extra)) for extra in texts_of(value, "extras")))
    versions = text_of(value, "version", "*")  # a path or git: of that name there is one
    return Asked(name, versions, extras, tuple(filter(None, markers)), value.get("optional") is True)


def _platform_marker(name: str, platform: str) -> str:
    if not re.fullmatch("[a-z0-9_]*", platform):
        raise LockError(f"{name}: platform: got {shown(platform)}, expected one name; use markers for more")
    return f"sys_platform == '{platform}'" if platform else ""


class Walk:
    """The packages of a lock, by number, and what each asks for."""

    def __init__(self, packages: Sequence[tuple[str, Mapping[str, Any]]], roots: Sequence[Asked]) -> None:
        self._roots = roots
        self._numbers: dict[str, list[int]] = {}
        self._versions: list[str] = []
        self._asks: list[list[Asked]] = []
        self._extras: list[dict[str, set[str]]] = []
        self._own: list[dict[str, set[str]]] = []
        self._pythons: list[str] = []
        for number, (name, package) in enumerate(packages):
            self._numbers.setdefault(name, []).append(number)
            self._versions.append(text_of(package, "version"))
            self._asks.append(list(_asked(table_of(package, "dependencies"))))
            self._extras.append(_extras(package))
            self._own.append(_own_extras(name, package))
            python = text_of(package, "python-versions", "*")
            self._pythons.append(python_marker(python))

    @property
    def markers(self) -> set[str]:
        """Return every marker that decides something."""
        asked = [*self._roots, *(one for several in self._asks for one in several)]
        return {marker for one in asked for marker in one.markers} | set(self._pythons)

    def reached(self, environment: dict[str, str]) -> set[int]:
        """Return the numbers of the packages that are installed there. Raises LockError."""
        left: deque[tuple[Asked, tuple[str, ...]]] = deque((one, ()) for one in self._roots)
        seen: dict[int, set[str]] = {}
        while left:
            one, extras = left.popleft()
            if not all(holds(parse_marker(marker), environment, extras) for marker in one.markers):
                continue
            number = self._find(one, environment)
            new = self._with_own({"", *one.extras}, number) - seen.setdefault(number, set())
            seen[number] |= new
            if new:
                left += self._asked_of(number, new)
        return set(seen)

    def _with_own(self, extras: set[str], number: int) -> set[str]:
        """Return extras with those that they name themselves: `all = ["package[a,b]"]`."""
        left, found = list(extras), set(extras)
        while left:
            new = self._own[number].get(left.pop(), set()) - found
            found |= new
            left += new
        return found

    def _asked_of(self, number: int, extras: set[str]) -> Iterator[tuple[Asked, tuple[str, ...]]]:
        opted = {name for extra in extras for name in self._extras[number].get(extra, ())}
        for one in self._asks[number]:
            if one.name in opted if one.optional else "" in extras or _asks_extra(one):
                yield one, tuple(extras)

    def _find(self, asked: Asked, environment: dict[str, str]) -> int:
        numbers = [number for number in self._numbers.get(asked.name, ()) if self._fits(number, asked, environment)]
        if not numbers:
            raise LockError(f"{asked.name} {shown(asked.versions)} is asked for and not in it: {STALE}")
        if len(numbers) > 1:
            raise LockError(f"{asked.name} {shown(asked.versions)} is asked for, {TWO}")
        return numbers[0]

    def _fits(self, number: int, asked: Asked, environment: dict[str, str]) -> bool:
        python = self._pythons[number]
        return allows(asked.versions, self._versions[number]) and (
            not python or holds(parse_marker(python), environment)
        )


def _asks_extra(one: Asked) -> bool:
    return any("extra" in marker for marker in one.markers)


def _extras(package: Mapping[str, Any]) -> dict[str, set[str]]:
    extras = table_of(package, "extras")
    return {str(canonicalize_name(extra)): _named(texts_of(extras, extra)) for extra in extras}


def _own_extras(name: str, package: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the extras of the package itself that each of its extras lists."""
    extras = table_of(package, "extras")
    return {
        str(canonicalize_name(extra)): {
            str(canonicalize_name(one.strip()))
            for word in texts_of(extras, extra)
            if _named([word]) == {name} and "[" in word
            for one in word.partition("[")[2].partition("]")[0].split(",")
        }
        for extra in extras
    }


def _named(words: Iterable[str]) -> set[str]:
    """Return the names in what an extra lists: `name (>=1.0)`, `name>=1.0`, `name[extra] (>=1.0) ; marker`. Raises
    LockError for what begins with no name.
    """
    return {_first_name(word) for word in words}


def _first_name(word: str) -> str:
    found = LISTED.match(word)
    if not found:
        raise LockError(f"extras: not a requirement: {shown(word)}")
    return str(canonicalize_name(found[1]))
