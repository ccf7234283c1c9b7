"""pylock.toml (PEP 751), which is also what uv makes of its own lock."""

from collections.abc import Mapping
from typing import Any

from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock, PylockValidationError

from gates.lock_formats.assemble import OTHER_SOURCE, Candidate, Converted, assemble
from gates.lock_formats.selection import LockError, Selection, Target, holds_in_lock, parse_marker
from gates.strict_toml import TomlError, parse

NO_FILES = "lock it anew with the tool that wrote it"


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
    return assemble([_candidate(package) for package in lock.packages], choose, target, patches)


def _parsed(text: str) -> Pylock:
    try:
        raw = parse(text)
        _bound_markers(raw)
        return Pylock.from_dict(raw)
    except (TomlError, PylockValidationError) as error:
        raise LockError(str(error)[:300]) from None
    except RecursionError:
        raise LockError("nested too deeply") from None


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
    if wants and not any(wants.contains(f"{target.python}.{patch}") for patch in target.patches([str(wants)])):
        raise LockError(f"it is for Python {wants}, and the app has {target.python} (app.python)")


def _candidate(package: Package) -> Candidate:
    files: list[PackageSdist | PackageWheel] = [*(package.wheels or ())]
    files += [package.sdist] if package.sdist else []
    hashes = tuple(sorted({str(file.hashes.get("sha256", "")).lower() for file in files} - {""}))
    return Candidate(
        package.name,
        str(package.version or ""),
        hashes,
        tuple(file.filename for file in files),
        package.index or "",
        _refused(package),
    )


def _refused(package: Package) -> str:
    for kind, where in (("git", package.vcs), ("a folder", package.directory), ("a URL", package.archive)):
        if where is not None:
            return f"it comes from {kind}: {OTHER_SOURCE}"
    return "" if package.version else f"it has no version: {NO_FILES}"
