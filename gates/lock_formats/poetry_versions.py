"""Version constraints as Poetry writes them: `^1.2`, `~1.2`, `>=1,<2 || >=3`, `1.*`.

Source: https://python-poetry.org/docs/dependency-specification/
"""

import functools
import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from gates.lock_formats.selection import LockError, shown

LONGEST = 1000
WORD = re.compile(r"\s*(\^|~=|~|===|==|!=|<=|>=|<|>|=)?\s*([A-Za-z0-9*][A-Za-z0-9.*+!_-]*)\s*")
ANY = ("*", "")


def allows(constraint: str, version: str) -> bool:
    """Return whether a constraint allows a version. Raises LockError if one of them is none."""
    try:
        found = Version(version)
    except InvalidVersion:
        raise LockError(f"{shown(version)} is no version") from None
    return any(one.contains(found, prereleases=True) for one in _alternatives(constraint))


def python_marker(constraint: str) -> str:
    """Return a constraint on Python as a marker, "" when all are allowed."""
    alternatives = _alternatives(constraint)
    if any(not list(one) for one in alternatives):
        return ""
    ranges = [
        " and ".join(sorted(f"python_full_version {one.operator} '{one.version}'" for one in every))
        for every in alternatives
    ]
    return " or ".join(f"({one})" for one in ranges) if len(ranges) > 1 else ranges[0]


@functools.lru_cache(maxsize=20_000)
def _alternatives(constraint: str) -> tuple[SpecifierSet, ...]:
    if len(constraint) > LONGEST:
        raise LockError("a constraint is longer than any")
    return tuple(_all_of(one.strip()) for one in constraint.replace("||", "|").split("|"))


def _all_of(text: str) -> SpecifierSet:
    """Return one alternative: words with commas or spaces between them."""
    words, place = [], 0
    while text[place:].strip(", "):
        place += len(text[place:]) - len(text[place:].lstrip(", "))
        found = WORD.match(text, place)
        if not found:
            raise LockError(f"a constraint that cannot be read: {shown(text)}")
        words += _word(found[1] or "==", found[2])
        place = found.end()
    try:
        return SpecifierSet(",".join(words))
    except InvalidSpecifier:
        raise LockError(f"a constraint that cannot be read: {shown(text)}") from None


def _word(operator: str, version: str) -> list[str]:
    if version in ANY:
        return []
    if operator in ("^", "~"):
        return [f">={version}", f"<{_next(operator, version)}"]
    return [f"{'==' if operator == '=' else operator}{version}"]


def _next(operator: str, version: str) -> str:
    """Return the first version that a caret or a tilde excludes."""
    try:
        release = Version(version).release
    except InvalidVersion:
        raise LockError(f"a constraint that cannot be read: {shown(operator + version)}") from None
    if operator == "~":
        kept = min(2, len(release))
    else:
        kept = next((place + 1 for place, part in enumerate(release) if part), len(release))
    return ".".join(map(str, (*release[: kept - 1], release[kept - 1] + 1)))
