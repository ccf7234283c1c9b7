"""pdm.lock, which says beside each package its groups and the marker under which they install it."""

from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from gates.lock_formats.assemble import OTHER_SOURCE, Candidate, Converted, assemble, name_of, refused_keys, sha256_of
from gates.lock_formats.selection import LockError, Selection, Target, holds, parse_marker, shown
from gates.lock_formats.tables import list_of, table_of, text_of, texts_of
from gates.strict_toml import TomlError, parse

DEFAULT = "default"
# `inherit_metadata` came with 4.4.1 and is the default since.
FORMATS = ("4.4", "4.4.1", "4.4.2", "4.5.0", "4.5.1")
INHERIT = "inherit_metadata"
ANEW = f"make it anew: pdm lock --update-reuse --strategy {INHERIT}"
SOURCES = (
    *((tool, tool) for tool in ("git", "hg", "svn", "bzr")),
    *(("path", "a folder"), ("url", "a URL"), ("editable", "a folder"), ("subdirectory", "a part of a repository")),
)
KNOWN = frozenset("name version extras requires_python summary groups marker dependencies files ref revision".split())
LINUX = ("linux", "manylinux", "musllinux")


def read_pdm(text: str, selection: Selection, target: Target) -> Converted:
    """Read a pdm.lock: the group `default`, with what is selected. PDM calls extras groups, too. Raises LockError."""
    try:
        raw = parse(text)
    except TomlError as error:
        raise LockError(str(error)) from None
    metadata = table_of(raw, "metadata")
    _refuse_format(metadata)
    known = {str(canonicalize_name(group)) for group in texts_of(metadata, "groups")}
    wanted = {str(canonicalize_name(group)) for group in (DEFAULT, *selection.groups, *selection.extras)}
    if selection.package:
        raise LockError(f"package {selection.package}: only a uv.lock has members of a workspace")
    if unknown := sorted(wanted - known):
        raise LockError(f"it has no group or extra {', '.join(unknown)}; it has: {', '.join(sorted(known))}")
    packages = list_of(raw, "package")
    groups = [_groups(package, known) for package in packages]
    _refuse_targets(metadata, target)
    markers = [text_of(package, "marker", "") for package in packages]

    def choose(patch: int) -> list[int]:
        environment = target.environment(patch)
        return [
            number
            for number, marker in enumerate(markers)
            if groups[number] & wanted and (not marker or holds(parse_marker(marker), environment, selection.extras))
        ]

    return assemble([_candidate(package) for package in packages], choose, target, target.patches(set(markers)))


def _refuse_format(metadata: Mapping[str, Any]) -> None:
    version = text_of(metadata, "lock_version")
    if version not in FORMATS:
        raise LockError(f"format {shown(version)}, expected {', '.join(FORMATS)}: {ANEW}")
    if INHERIT not in texts_of(metadata, "strategy"):
        raise LockError(f"it does not say which group asks for which package: {ANEW}")


def _groups(package: Mapping[str, Any], known: set[str]) -> set[str]:
    """Return the groups that ask for a package. Raises LockError if it has none, or one that the lock does not have."""
    groups = {str(canonicalize_name(group)) for group in texts_of(package, "groups")}
    if not groups:
        raise LockError(f"{shown(package.get('name'))}: groups: expected those that ask for it: {ANEW}")
    if unknown := sorted(groups - known):
        raise LockError(f"{shown(package.get('name'))}: groups: {shown(unknown[0])} is no group of the lock: {ANEW}")
    return groups


def _refuse_targets(metadata: Mapping[str, Any], target: Target) -> None:
    """Raise LockError for a lock that was resolved for other systems only: its packages are not those of this one."""
    targets = list_of(metadata, "targets")
    if targets and not any(_fits(one, target) for one in targets):
        raise LockError(f"targets: none is CPython {target.python} on Linux on {target.machine}: lock it for that")


def _fits(one: Mapping[str, Any], target: Target) -> bool:
    platform, python = text_of(one, "platform", ""), text_of(one, "requires_python", "")
    system = not platform or (platform.startswith(LINUX) and platform.endswith(("linux", f"_{target.machine}")))
    return system and text_of(one, "implementation", "cpython") == "cpython" and target.fits(python)


def _candidate(package: Mapping[str, Any]) -> Candidate:
    files = list_of(package, "files")
    where = next((kind for key, kind in SOURCES if key in package), "")
    refused = f"it comes from {where}: {OTHER_SOURCE}" if where else refused_keys(package, KNOWN)
    names = [str(one.get("file") or str(one.get("url", "")).partition("#")[0].rpartition("/")[2]) for one in files]
    return Candidate(
        name_of(package.get("name"), "package"),
        text_of(package, "version", ""),
        sha256_of(one.get("hash") for one in files),
        tuple(names),
        refused=refused,
    )
