"""Parts of a stranger's document, each of the type that its format says."""

from collections.abc import Mapping
from typing import Any

from gates.lock_formats.selection import LockError, shown

MISSING = object()


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


def _where(raw: Mapping[str, Any], key: str) -> str:
    name = raw.get("name")
    return f"{shown(name)}: {shown(key)}" if isinstance(name, str) else shown(key)
