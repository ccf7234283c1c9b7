"""Pipfile.lock of Pipenv."""

from collections.abc import Mapping
from typing import Any

from gates.lock_formats.assemble import OTHER_SOURCE, Candidate, Converted, assemble, name_of, refused_keys, sha256_of
from gates.lock_formats.selection import LockError, Selection, Target, holds, parse_marker, shown
from gates.lock_formats.tables import list_of, table_of, text_of, texts_of
from gates.strict_json import JsonError, parse

META, DEFAULT = "_meta", "default"
FORMAT = 6
# What Pipfiles call `dev-packages` stands in the lock under another name.
NAMES = {"dev": "develop", "dev-packages": "develop"}
SOURCES = (
    *((tool, tool) for tool in ("git", "hg", "svn", "bzr")),
    *(("path", "a folder"), ("editable", "a folder"), ("file", "a URL"), ("url", "a URL"), ("uri", "a URL")),
    *(("ref", "a repository"), ("subdirectory", "a part of a repository")),
)
# Markers in Pipfiles' short form: `sys_platform = "== 'linux'"`.
SHORT_MARKERS = (
    *("os_name", "sys_platform", "platform_machine", "platform_python_implementation", "platform_release"),
    *("platform_system", "platform_version", "python_version", "python_full_version"),
    *("implementation_name", "implementation_version"),
)
KNOWN = frozenset(("hashes", "index", "version", "markers", "extras", "editable", *SHORT_MARKERS))


def read_pipfile(text: str, selection: Selection, target: Target) -> Converted:
    """Read a Pipfile.lock: the packages of `default`, with the chosen categories (`dev` is `develop`). Raises
    LockError.
    """
    try:
        raw = parse(text)
    except JsonError as error:
        raise LockError(str(error)) from None
    if not isinstance(raw, dict):
        raise LockError("expected a JSON object")
    meta = table_of(raw, META)
    if meta.get("pipfile-spec") != FORMAT:
        raise LockError(f"pipfile-spec {shown(meta.get('pipfile-spec'))}, expected {FORMAT}: make it anew: pipenv lock")
    _refuse_python(meta, target)
    if selection.extras or selection.package:
        raise LockError("it has groups (categories), and neither extras nor members of a workspace")
    groups = [DEFAULT, *(NAMES.get(group, group) for group in selection.groups)]
    if unknown := [group for group in groups if group not in raw or group == META]:
        known = sorted(set(raw) - {META, DEFAULT})
        raise LockError(f"it has no group {', '.join(map(shown, unknown))}; it has: {', '.join(map(shown, known))}")
    return _read(raw, list(dict.fromkeys(groups)), target)


def _read(raw: Mapping[str, Any], groups: list[str], target: Target) -> Converted:
    sources = list_of(table_of(raw, META), "sources")
    addresses = {text_of(one, "name"): text_of(one, "url") for one in sources}
    if len(addresses) < len(sources):
        raise LockError(f"sources: two of one name, of: {', '.join(map(shown, addresses))}")
    first = next(iter(addresses), "")
    every = [group for group in raw if group != META]
    entries = [(group, name, table_of(table_of(raw, group), name)) for group in every for name in table_of(raw, group)]
    candidates = [_candidate(name, entry, addresses, first) for _, name, entry in entries]
    markers = [_markers(entry) for _, _, entry in entries]

    def choose(patch: int) -> list[int]:
        environment = target.environment(patch)
        return [
            number
            for number, several in enumerate(markers)
            if entries[number][0] in groups and all(holds(parse_marker(one), environment) for one in several)
        ]

    return assemble(candidates, choose, target, target.patches({one for several in markers for one in several}))


def _markers(entry: Mapping[str, Any]) -> list[str]:
    """Return the markers under which a package is installed: all of them must hold."""
    short = [f"{key} {text_of(entry, key)}" for key in SHORT_MARKERS if key in entry]
    return [*filter(None, [text_of(entry, "markers", "")]), *short]


def _refuse_python(meta: Mapping[str, Any], target: Target) -> None:
    """Raise LockError for a lock that was resolved for another Python: its packages are not those of this one."""
    requires = table_of(meta, "requires")
    for key, any_patch in (("python_version", ".*"), ("python_full_version", "")):
        wanted = text_of(requires, key, "*")
        if wanted != "*" and not target.fits(f"=={wanted}{any_patch}"):
            raise LockError(f"it is for Python {shown(wanted)}, and the app has {target.python} (app.python)")


def _candidate(name: str, entry: Mapping[str, Any], addresses: Mapping[str, str], first: str) -> Candidate:
    where = next((kind for key, kind in SOURCES if entry.get(key, False) is not False), "")
    version = text_of(entry, "version", "")
    refused = f"it comes from {where}: {OTHER_SOURCE}" if where else refused_keys(entry, KNOWN)
    if not refused and not version.startswith("=="):
        refused = "it is not pinned to one version: make it anew: pipenv lock"
    index = text_of(entry, "index", first) or first
    if not refused and index and index not in addresses:
        refused = f"its index {shown(index)} is none of the lock's sources: make it anew: pipenv lock"
    return Candidate(
        name_of(name, "package"),
        version.removeprefix("=="),
        sha256_of(texts_of(entry, "hashes")),
        index=addresses.get(index, index),
        refused=refused,
    )
