"""pdm.lock, which says beside each package its groups and the marker under which they install it."""

from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from gates.lock_formats.assemble import OTHER_SOURCE, Candidate, Converted, assemble, name_of, sha256_of
from gates.lock_formats.selection import LockError, Selection, Target, holds, parse_marker, shown
from gates.lock_formats.tables import list_of, table_of, text_of, texts_of
from gates.strict_toml import TomlError, parse

DEFAULT = "default"
# `inherit_metadata` came with 4.4.1 and is the default since.
FORMATS = ("4.4", "4.4.1", "4.4.2", "4.5.0")
INHERIT = "inherit_metadata"
ANEW = f"make it anew: pdm lock --update-reuse --strategy {INHERIT}"
SOURCES = (("git", "git"), ("hg", "hg"), ("path", "a folder"), ("url", "a URL"))


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
    groups = [{str(canonicalize_name(group)) for group in texts_of(package, "groups")} for package in packages]
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


def _candidate(package: Mapping[str, Any]) -> Candidate:
    files = list_of(package, "files")
    where = next((kind for key, kind in SOURCES if key in package), "")
    names = [str(one.get("file") or str(one.get("url", "")).partition("#")[0].rpartition("/")[2]) for one in files]
    return Candidate(
        name_of(package.get("name"), "package"),
        text_of(package, "version", ""),
        sha256_of(one.get("hash") for one in files),
        tuple(names),
        refused=f"it comes from {where}: {OTHER_SOURCE}" if where else "",
    )
