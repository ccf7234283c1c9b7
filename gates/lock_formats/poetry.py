"""poetry.lock of Poetry 1 and 2.

Poetry 2 (format 2.1) writes beside each package its groups and the marker under which they install it. Before, that is
to be found out from the project's own requirements: gates/lock_formats/poetry_walk.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gates.lock_formats.assemble import OTHER_SOURCE, Candidate, Converted, assemble, name_of, sha256_of
from gates.lock_formats.poetry_walk import Asked, Walk, asked_by
from gates.lock_formats.selection import LockError, Selection, Target, holds, parse_marker, shown
from gates.lock_formats.tables import list_of, table_of, text_of
from gates.strict_toml import TomlError, parse

MAIN = "main"
WITH_GROUPS, OLDER = "2.1", ("1.1", "2.0")
ANEW = "make it anew with Poetry 2: poetry lock --regenerate"
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
        if version in OLDER:
            asked = asked_by(parse(project), selection, table_of(raw, "extras"))
            return _walked(packages, table_of(metadata, "files"), asked, target)
    except TomlError as error:
        raise LockError(str(error)) from None
    if version != WITH_GROUPS:
        raise LockError(f"format {shown(version)}, expected {', '.join((*OLDER, WITH_GROUPS))}: {ANEW}")
    return _with_groups(packages, raw, selection, target)


def _with_groups(
    packages: Sequence[Mapping[str, Any]], raw: Mapping[str, Any], selection: Selection, target: Target
) -> Converted:
    known = {group for package in packages for group in _groups(package)}
    if unknown := sorted(set(selection.groups) - known - {MAIN}):
        raise LockError(f"no package is of the group {', '.join(unknown)}; it has: {', '.join(sorted(known))}")
    if unknown := sorted(set(selection.extras) - {name_of(one, "extras") for one in table_of(raw, "extras")}):
        raise LockError(f"it has no extra {', '.join(unknown)}")
    wanted = {MAIN, *selection.groups}
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


def _groups(package: Mapping[str, Any]) -> list[str]:
    groups = package.get("groups")
    if not isinstance(groups, list) or not all(isinstance(one, str) for one in groups):
        raise LockError(f"{shown(package.get('name'))}: groups: expected a list of names: {ANEW}")
    return groups


def _markers(package: Mapping[str, Any], wanted: set[str]) -> list[str]:
    """Return the markers under which the wanted groups install a package, "" for always."""
    groups, markers = set(_groups(package)) & wanted, package.get("markers", "")
    if isinstance(markers, str):
        return [markers] if groups else []
    return [text_of(markers, group, "") for group in sorted(groups)] if isinstance(markers, dict) else []


def _walked(
    packages: Sequence[Mapping[str, Any]], files: Mapping[str, Any], asked: Sequence[Asked], target: Target
) -> Converted:
    candidates = [_candidate(package, files) for package in packages]
    walk = Walk(list(zip([one.name for one in candidates], packages, strict=True)), asked)
    return assemble(
        candidates, lambda patch: walk.reached(target.environment(patch)), target, target.patches(walk.markers)
    )


def _candidate(package: Mapping[str, Any], files: Mapping[str, Any]) -> Candidate:
    name = name_of(package.get("name"), "package")
    own = files.get(str(package.get("name")), []) if "files" not in package else package["files"]
    listed = [one for one in own if isinstance(one, dict)] if isinstance(own, list) else []
    source = table_of(package, "source")
    kind = str(source.get("type", ""))
    refused = f"it comes from {ELSEWHERE[kind]}: {OTHER_SOURCE}" if kind in ELSEWHERE else ""
    if kind and not refused and kind != "legacy":
        refused = f"it comes from a source of a kind that is not known ({shown(kind)}): {OTHER_SOURCE}"
    return Candidate(
        name,
        text_of(package, "version"),
        sha256_of(one.get("hash") for one in listed),
        tuple(str(one.get("file")) for one in listed),
        str(source.get("url", "")) if kind == "legacy" else "",
        refused,
    )
