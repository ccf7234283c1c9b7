"""Parts of a stranger's document, each of the type that its format says."""

from collections.abc import Collection, Mapping
from typing import Any

from gates.lock_formats.selection import LockError, shown

MISSING = object()
MOST_SHOWN = 5


def table_of(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table, empty when there is none. Raises LockError if it is something else."""
    found = raw.get(key, {})
    if not isinstance(found, dict):
        raise LockError(f"{_where(raw, key)}: expected a table")
    return found


def list_of(raw: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return a list of tables, empty when there is none. Raises LockError if it is something else."""
    found = raw.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise LockError(f"{_where(raw, key)}: expected a list of tables")
    return found


def text_of(raw: Mapping[str, Any], key: str, absent: object = MISSING) -> str:
    """Return a text. Raises LockError if it is something else, or absent without `absent`."""
    found = raw.get(key, absent)
    if not isinstance(found, str):
        raise LockError(f"{_where(raw, key)}: expected a text")
    return found


def texts_of(raw: Mapping[str, Any], key: str) -> list[str]:
    """Return a list of texts, empty when there is none. Raises LockError if it is something else."""
    found = raw.get(key, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise LockError(f"{_where(raw, key)}: expected a list of texts")
    return found


def unknown_keys(raw: Mapping[str, Any], known: Collection[str]) -> str:
    """Return the keys of a table that its format does not have, "" without any: nobody knows what they change."""
    unknown = sorted(key for key in raw if key not in known)
    return ", ".join(map(shown, unknown[:MOST_SHOWN])) + f" and {len(unknown) - MOST_SHOWN} more" * (
        len(unknown) > MOST_SHOWN
    )


def _where(raw: Mapping[str, Any], key: str) -> str:
    name = raw.get("name")
    return f"{shown(name)}: {shown(key)}" if isinstance(name, str) else shown(key)
