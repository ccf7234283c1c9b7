"""Which Python runs the app."""

import re
from collections.abc import Callable
from functools import partial

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from gates.adopt.draft import Draft
from gates.adopt.tree import Tree, below, joined, subtable
from gates.lock_formats.poetry_versions import allows
from gates.lock_formats.selection import LockError

PREFERRED = ("3.11", "3.12", "3.13", "3.14", "3.10", "3.9", "3.15")
MINOR = re.compile(r"3\.(\d{1,2})")
FROM = re.compile(r"^FROM\s+(?:--platform=\S+\s+)?(?:\S+/)?python:(3\.\d{1,2})", re.MULTILINE | re.IGNORECASE)
DEFAULT_ARG = re.compile(r"^ARG\s+PYTHON_?(?:VERSION)?=[\"']?(3\.\d{1,2})", re.MULTILINE | re.IGNORECASE)


def propose_python(tree: Tree, folder: str, draft: Draft) -> str:
    """Propose [app] python: what a file pins, else what the project allows."""
    for file, version, because in _pinned(tree, folder):
        if allowed(tree, folder, version):
            return _put(draft, version, because)
        draft.note(f"{file}: Python {version} is not what requires-python of the project allows; passed over")
    bounds, because = _bounds(tree, folder)
    if bounds and _reader(bounds) is None:
        draft.note(f"{because}: {bounds[:80]!r} cannot be read as bounds of Python's version")
    elif bounds:
        fitting = [one for one in PREFERRED if _fits(bounds, one)]
        if not fitting:
            draft.note(f"{because}: {bounds[:80]} allows no Python that is known here")
        if fitting:
            return _put(draft, fitting[0], f"{because}: {bounds} allows it, and nothing pins one")
    ask = "which Python runs the app (3.11, 3.12, ...)"
    version, why = draft.ask("app.python", ask, "3.11", "no file says which", MINOR.pattern)
    return _put(draft, version, why)


def _put(draft: Draft, version: str, because: str) -> str:
    draft.put("app", "python", version, because)
    draft.tell("Python", version, because)
    return version


def _pinned(tree: Tree, folder: str) -> list[tuple[str, str, str]]:
    found = []
    for name in _near(tree, folder, r"\.python-version", r"runtime\.txt"):
        if match := MINOR.search(tree.texts.get(name, "")):
            found.append((name, f"3.{match[1]}", tree.where(name, r"3\.")))
    for name in _near(tree, folder, r"(?:[\w-]+\.)?Dockerfile[\w.-]*", "Containerfile"):
        for pattern in (FROM, DEFAULT_ARG):
            if match := pattern.search(tree.texts.get(name, "")):
                found.append(
                    (
                        name,
                        match[1],
                        tree.where(
                            name, pattern.pattern.replace("^FROM", "(?i:^FROM)") if pattern is FROM else pattern.pattern
                        ),
                    )
                )
    for name in _near(tree, folder, "Pipfile"):
        if match := MINOR.fullmatch(str(subtable(tree.table(name), "requires").get("python_version", ""))):
            found.append((name, match[0], tree.where(name, "python_version")))
    return found


def _near(tree: Tree, folder: str, *patterns: str) -> list[str]:
    """Return files of these names that lie above the app or in its folder, or in a folder for containers."""
    places = [name for name in tree.called(*patterns) if name in tree.texts]
    return [
        name for name in places if below(name.rpartition("/")[0], folder) or below(folder, name) and name.count("/") < 3
    ]


def _bounds(tree: Tree, folder: str) -> tuple[str, str]:
    for name in dict.fromkeys((joined(folder, "pyproject.toml"), "pyproject.toml")):
        table = tree.table(name)
        if isinstance(bounds := subtable(table, "project").get("requires-python"), str):
            return bounds, tree.where(name, "requires-python")
        if isinstance(poetry := subtable(table, "tool", "poetry", "dependencies").get("python"), str):
            return poetry, tree.where(name, r"^python\s*=")
    return "", ""


def allowed(tree: Tree, folder: str, version: str) -> bool:
    """Return whether the project's own bounds allow a minor version; unknown bounds do."""
    bounds, _ = _bounds(tree, folder)
    return not bounds or _fits(bounds, version)


def _fits(bounds: str, version: str) -> bool:
    """Return whether bounds allow a minor version; those that nobody can read do."""
    inside = _reader(bounds)
    return inside is None or any(inside(f"{version}.{patch}") for patch in (*range(40), 99))


def _reader(bounds: str) -> Callable[[str], bool] | None:
    """Return what tells whether bounds allow a version: written as in PEP 440, or as Poetry does."""
    try:
        return SpecifierSet(bounds).contains
    except InvalidSpecifier:
        pass
    try:
        allows(bounds, "3.0")
    except LockError:
        return None
    return partial(allows, bounds)
