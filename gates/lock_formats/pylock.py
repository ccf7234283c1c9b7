"""pylock.toml (PEP 751), which is also what uv makes of its own lock."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError
from packaging.version import Version

from gates.lock_formats.assemble import OTHER_SOURCE, Candidate, Converted, assemble
from gates.lock_formats.selection import LockError, Selection, Target, holds_in_lock, parse_marker, shown
from gates.lock_formats.tables import unknown_keys
from gates.strict_toml import TomlError, parse

NO_FILES = "lock it anew with the tool that wrote it"
TOP_KEYS, PACKAGE_KEYS = (
    frozenset(field.name.replace("_", "-") for field in dataclasses.fields(table)) for table in (Pylock, Package)
)


def read_pylock(text: str, selection: Selection, target: Target) -> Converted:
    """Read a pylock.toml: its default groups, with what is selected. Raises LockError."""
    lock = _parsed(text)
    if selection.package:
        raise LockError(f"package {selection.package}: only a uv.lock has members of a workspace")
    _refuse_unknown("group", selection.groups, lock.dependency_groups or ())
    _refuse_unknown("extra", selection.extras, lock.extras or ())
    groups = frozenset([*(lock.default_groups or ()), *selection.groups])
    extras = frozenset(selection.extras)
    markers = [package.marker for package in lock.packages]
    patches = target.patches({str(marker) for marker in [*markers, *(lock.environments or ())] if marker})
    asked = {str(marker): marker for marker in markers if marker}

    def choose(patch: int) -> list[int]:
        environment = target.environment(patch)
        if lock.environments and not any(holds_in_lock(one, environment) for one in lock.environments):
            raise LockError(f"it is for other systems than Linux with Python {target.python}: lock it for this one")
        held = {words: holds_in_lock(marker, environment, extras, groups) for words, marker in asked.items()}
        return [number for number, marker in enumerate(markers) if marker is None or held[str(marker)]]

    _refuse_python(lock, target)
    refused = [_refused(package, target) for package in lock.packages]
    candidates = [_candidate(package, why) for package, why in zip(lock.packages, refused, strict=True)]
    return assemble(candidates, choose, target, patches)


def _parsed(text: str) -> Pylock:
    try:
        raw = parse(text)
        _bound_markers(raw)
        lock = Pylock.from_dict(raw)
        _refuse_newer(raw, lock)
        return lock
    except (TomlError, PylockValidationError) as error:
        raise LockError(str(error)[:300]) from None
    except RecursionError:
        raise LockError("nested too deeply") from None


def _refuse_newer(raw: Mapping[str, Any], lock: Pylock) -> None:
    """Raise LockError for keys that version 1.0 of the format does not have, and for a later version.

    The specification has a warning for a later minor version. Nobody reads one here, and what is not understood would
    be left out.
    """
    if lock.lock_version != Version("1.0"):
        raise LockError(f"lock-version {lock.lock_version}, expected 1.0: {NO_FILES}")
    tables = [("the lock", raw, TOP_KEYS), *((f"packages.{one['name']}", one, PACKAGE_KEYS) for one in raw["packages"])]
    for where, table, known in tables:
        if unknown := unknown_keys(table, known):
            raise LockError(f"{where}: keys that lock-version 1.0 does not have: {unknown}: {NO_FILES}")


def _bound_markers(raw: Mapping[str, Any]) -> None:
    """Raise LockError for a marker that is longer or deeper than any, before it is parsed."""
    packages, environments = raw.get("packages"), raw.get("environments")
    texts = list(environments) if isinstance(environments, list) else []
    texts += [one.get("marker") for one in packages if isinstance(one, dict)] if isinstance(packages, list) else []
    for one in {text for text in texts if isinstance(text, str)}:
        parse_marker(one)


def _refuse_unknown(kind: str, wanted: tuple[str, ...], known: Any) -> None:
    if unknown := [name for name in wanted if name not in known]:
        raise LockError(f"it has no {kind} {', '.join(unknown)}; it has: {', '.join(sorted(known)[:20]) or 'none'}")


def _refuse_python(lock: Pylock, target: Target) -> None:
    wants = lock.requires_python
    if wants and not target.fits(str(wants)):
        raise LockError(f"it is for Python {wants}, and the app has {target.python} (app.python)")


def _files(package: Package) -> list[PackageSdist | PackageWheel]:
    return [*(package.wheels or ()), *([package.sdist] if package.sdist else [])]


def _candidate(package: Package, refused: str) -> Candidate:
    files = _files(package)
    hashes = tuple(sorted({str(file.hashes.get("sha256", "")).lower() for file in files} - {""}))
    return Candidate(
        package.name,
        str(package.version or ""),
        hashes,
        tuple(file.filename for file in files),
        package.index or "",
        refused,
    )


def _refused(package: Package, target: Target) -> str:
    vcs = shown(package.vcs.type) if package.vcs else ""
    for kind, where in ((vcs, package.vcs), ("a folder", package.directory), ("a URL", package.archive)):
        if where is not None:
            return f"it comes from {kind}: {OTHER_SOURCE}"
    if local := next((file.path for file in _files(package) if file.path), ""):
        return f"it comes from a file beside the lock ({shown(local)}): {OTHER_SOURCE}"
    if package.requires_python and not target.fits(str(package.requires_python)):
        return f"it is for Python {package.requires_python}, and the app has {target.python} (app.python)"
    return "" if package.version else f"it has no version: {NO_FILES}"
