"""poetry.lock of Poetry 1 and 2.

Poetry 2 (format 2.1) writes beside each package its groups and the marker under which they install it. Before, that is
to be found out from the project's own requirements: gates/lock_formats/poetry_walk.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from gates.lock_formats.assemble import OTHER_SOURCE, Candidate, Converted, assemble, name_of, refused_keys, sha256_of
from gates.lock_formats.poetry_versions import allows
from gates.lock_formats.poetry_walk import Asked, Walk, asked_by
from gates.lock_formats.selection import LockError, Selection, Target, holds, parse_marker, shown
from gates.lock_formats.tables import list_of, table_of, text_of
from gates.strict_toml import TomlError, parse

MAIN = "main"
WITH_GROUPS, OLDER = "2.1", ("1.1", "2.0")
ANEW = "make it anew with Poetry 2: poetry lock --regenerate"
KNOWN = frozenset(
    "name version description optional category python-versions groups markers files dependencies extras source".split()
)
SOURCE_KEYS = frozenset(("type", "url", "reference"))
ELSEWHERE = {"git": "git", "url": "a URL", "file": "a file", "directory": "a folder"}


def read_poetry(text: str, project: str, selection: Selection, target: Target) -> Converted:
    """Read a poetry.lock. `project` is the text of the pyproject.toml beside it. Raises LockError."""
    if selection.package:
        raise LockError(f"package {selection.package}: only a uv.lock has members of a workspace")
    try:
        raw = parse(text)
        metadata = table_of(raw, "metadata")
        version = text_of(metadata, "lock-version")
        packages = list_of(raw, "package")
        _refuse_python(text_of(metadata, "python-versions", "*"), target)
        if version in OLDER:
            asked = asked_by(parse(project), selection, table_of(raw, "extras"))
            return _walked(packages, table_of(metadata, "files"), asked, target)
    except TomlError as error:
        raise LockError(str(error)) from None
    if version != WITH_GROUPS:
        raise LockError(f"format {shown(version)}, expected {', '.join((*OLDER, WITH_GROUPS))}: {ANEW}")
    return _with_groups(packages, raw, selection, target)


def _refuse_python(pythons: str, target: Target) -> None:
    """Raise LockError for a lock that was resolved for other versions of Python: its packages are not those of this."""
    if not any(allows(pythons, f"{target.python}.{patch}") for patch in target.patches([pythons])):
        raise LockError(f"it is for Python {shown(pythons)}, and the app has {target.python} (app.python)")


def _with_groups(
    packages: Sequence[Mapping[str, Any]], raw: Mapping[str, Any], selection: Selection, target: Target
) -> Converted:
    known = {group for package in packages for group in _groups(package)}
    selected = {str(canonicalize_name(group)) for group in selection.groups}
    if unknown := sorted(selected - known - {MAIN}):
        raise LockError(f"no package is of the group {', '.join(unknown)}; it has: {', '.join(sorted(known))}")
    if unknown := sorted(set(selection.extras) - {name_of(one, "extras") for one in table_of(raw, "extras")}):
        raise LockError(f"it has no extra {', '.join(unknown)}")
    wanted = {MAIN, *selected}
    texts = [_markers(package, wanted) for package in packages]
    patches = target.patches({one for several in texts for one in several})

    def choose(patch: int) -> list[int]:
        environment = target.environment(patch)
        return [
            number
            for number, several in enumerate(texts)
            if any(not one or holds(parse_marker(one), environment, selection.extras) for one in several)
        ]

    return assemble([_candidate(package, {}) for package in packages], choose, target, patches)


def _groups(package: Mapping[str, Any]) -> set[str]:
    groups = package.get("groups")
    if not isinstance(groups, list) or not groups or not all(isinstance(one, str) for one in groups):
        raise LockError(f"{shown(package.get('name'))}: groups: expected a list of names: {ANEW}")
    return {str(canonicalize_name(group)) for group in groups}


def _markers(package: Mapping[str, Any], wanted: set[str]) -> list[str]:
    """Return the markers under which the wanted groups install a package, "" for always."""
    groups, markers, name = _groups(package), package.get("markers", ""), shown(package.get("name"))
    if isinstance(markers, str):
        return [markers] if groups & wanted else []
    if not isinstance(markers, dict):
        raise LockError(f"{name}: markers: expected a text, or a table of them by group: {ANEW}")
    by_group = {str(canonicalize_name(group)): text_of(markers, group) for group in markers}
    if unknown := sorted(set(by_group) - groups):
        raise LockError(f"{name}: markers: the package is not of the group {shown(unknown[0])}: {ANEW}")
    return [by_group.get(group, "") for group in sorted(groups & wanted)]


def _walked(
    packages: Sequence[Mapping[str, Any]], files: Mapping[str, Any], asked: Sequence[Asked], target: Target
) -> Converted:
    candidates = [_candidate(package, files) for package in packages]
    walk = Walk(list(zip([one.name for one in candidates], packages, strict=True)), asked)
    return assemble(
        candidates, lambda patch: walk.reached(target.environment(patch)), target, target.patches(walk.markers)
    )


def _strange_source(source: Mapping[str, Any]) -> str:
    if source and not (source.get("type") and source.get("url")):
        return f"it comes from a source without a type or a url: {OTHER_SOURCE}"
    return refused_keys(source, SOURCE_KEYS)


def _candidate(package: Mapping[str, Any], files: Mapping[str, Any]) -> Candidate:
    name = name_of(package.get("name"), "package")
    own = files.get(str(package.get("name")), []) if "files" not in package else package["files"]
    listed = [one for one in own if isinstance(one, dict)] if isinstance(own, list) else []
    source = table_of(package, "source")
    kind = str(source.get("type", ""))
    refused = f"it comes from {ELSEWHERE[kind]}: {OTHER_SOURCE}" if kind in ELSEWHERE else ""
    if kind and not refused and kind != "legacy":
        refused = f"it comes from a source of a kind that is not known ({shown(kind)}): {OTHER_SOURCE}"
    refused = refused or _strange_source(source) or refused_keys(package, KNOWN)
    return Candidate(
        name,
        text_of(package, "version"),
        sha256_of(one.get("hash") for one in listed),
        tuple(str(one.get("file")) for one in listed),
        str(source.get("url", "")) if kind == "legacy" else "",
        refused,
    )
