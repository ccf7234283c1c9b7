"""What a migration sets for its own session: of that, only how long it may wait for a lock holds up anybody."""

import re
from collections.abc import Sequence

from gates.migrations.sql import TEXT, Statement, name_at
from gates.migrations.statements import EXPAND, LOCKING, Judged, unknown, worse

MOST_LOCK_TIMEOUT_MS = 10_000.0  # a migration that may wait longer for a lock holds up everybody behind it
_UNITS_MS = {"us": 0.001, "": 1.0, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6, "d": 8.64e7}
_DURATION = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*(us|ms|s|min|h|d)?\s*")
_SETTING = re.compile(r"[a-z_][a-z0-9_.]*", re.ASCII)
_UNTOLD = unknown("which setting it changes is not told")


def judge_set(statement: Statement) -> Judged:
    """Judge `SET name = value`. Back to the default is as if it had never been set."""
    words = statement.words[1:]
    if words[:1] in (("SESSION",), ("LOCAL",)):
        words = words[1:]
    name, at = name_at(words, 0)
    if words[at : at + 1] not in (("=",), ("TO",)):
        return EXPAND  # TIME ZONE, TRANSACTION, ROLE
    said = words[at + 1 :]
    if said == ("DEFAULT",):
        return EXPAND
    return _setting(name.lower(), statement.texts[0] if said == (TEXT,) else "".join(said).lower())


def judge_set_config(statement: Statement, opened: Sequence[int]) -> Judged:
    """Judge each `set_config('name', 'value', ...)` as the SET that it is; `opened` is where their brackets open."""
    texts = iter(statement.texts)
    said = {index: next(texts) for index, word in enumerate(statement.words) if word == TEXT} if opened else {}
    return worse([_set_config(statement.words, said, at) for at in opened])


def _set_config(words: Sequence[str], said: dict[int, str], at: int) -> Judged:
    if words[at + 1 : at + 3] != (TEXT, ","):
        return _UNTOLD
    value = said.get(at + 3, "") if words[at + 4 : at + 5] == (",",) else ""
    return _setting(said[at + 1].lower(), value)


def _setting(name: str, value: str) -> Judged:
    """Without a limit, or with a long one, the migration waits for a lock, and everybody behind it waits, too."""
    if not _SETTING.fullmatch(name):
        return _UNTOLD
    if name != "lock_timeout":
        return EXPAND
    found = _DURATION.fullmatch(value)
    most_ms = float(found[1]) * _UNITS_MS[found[2] or ""] if found else 0.0
    return EXPAND if 0 < most_ms <= MOST_LOCK_TIMEOUT_MS else LOCKING
