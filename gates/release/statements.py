"""What one SQL statement does to the version that still runs: nothing, hold a lock, or take something away.

A statement that is not known to be safe counts as one that takes away: what we cannot judge is not called safe. What
PostgreSQL locks or rewrites is as its documentation says (ALTER TABLE, "Notes"; "Explicit Locking"; version 17).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from gates.release.sql import TEXT, Statement, name_at, outside_brackets, split_at_commas


class Kind(StrEnum):
    """EXPAND: old code keeps working. LOCKING: so it does, but waits. CONTRACT: old code breaks, no way back."""

    EXPAND = "expand"
    LOCKING = "locking"
    CONTRACT = "contract"


@dataclass(frozen=True)
class Judged:
    """The kind of a statement or of a part of it. `known` is false where no rule speaks of it."""

    kind: Kind
    known: bool = True


_EXPAND, _LOCKING, _CONTRACT = Judged(Kind.EXPAND), Judged(Kind.LOCKING), Judged(Kind.CONTRACT)
UNKNOWN = Judged(Kind.CONTRACT, known=False)
ORDER = (Kind.EXPAND, Kind.LOCKING, Kind.CONTRACT)

MOST_LOCK_TIMEOUT_MS = 10_000.0  # a migration that may wait longer for a lock holds up everybody behind it
_UNITS_MS = {"us": 0.001, "": 1.0, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6, "d": 8.64e7}
_DURATION = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*(us|ms|s|min|h|d)?\s*")

_TABLE_WORDS = frozenset({"TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "FOREIGN"})
_MADE = frozenset(
    {"TABLE", "SEQUENCE", "TYPE", "EXTENSION", "SCHEMA", "VIEW", "FUNCTION", "PROCEDURE", "DOMAIN", "AGGREGATE", "ROLE"}
)
_HARMLESS = frozenset(
    {
        "COMMENT",
        "GRANT",
        "RESET",
        "SELECT",
        "VALUES",
        "ANALYZE",
        "BEGIN",
        "START",
        "COMMIT",
        "END",
        "SAVEPOINT",
    }
    | {"RELEASE", "SHOW"}
)
_SERIAL = frozenset({"SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL2", "SERIAL4", "SERIAL8"})
# Evaluated once for the statement, so no row is written again.
_ONCE = frozenset(
    {"NOW", "TRANSACTION_TIMESTAMP", "STATEMENT_TIMESTAMP", "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"}
    | {"LOCALTIMESTAMP", "LOCALTIME", "CURRENT_USER", "SESSION_USER", "CURRENT_ROLE", "USER", "TRUE", "FALSE", "NULL"}
)
# Where the expression of a DEFAULT ends: the words that begin another constraint of the column.
_CONSTRAINTS = frozenset(
    {"NOT", "DEFAULT", "GENERATED", "UNIQUE", "PRIMARY", "CHECK", "REFERENCES", "CONSTRAINT", "COLLATE", "DEFERRABLE"}
    | {"INITIALLY", "STORAGE", "COMPRESSION"}
)


def worse(judged: Sequence[Judged]) -> Judged:
    """Return the worst, EXPAND of none. Of two that take away, the one that no rule speaks of."""
    return max(judged, key=lambda one: (ORDER.index(one.kind), not one.known), default=_EXPAND)


def judge(statement: Statement, created: AbstractSet[str] = frozenset()) -> Judged:
    """Judge one statement. `created` are tables that did not exist before: nobody uses them yet."""
    words = statement.words
    rule = _RULES.get(words[0])
    if rule:
        return rule(statement, created)
    return _EXPAND if words[0] in _HARMLESS else UNKNOWN


def created_table(statement: Statement) -> str | None:
    """Return the table that a statement certainly creates: with IF NOT EXISTS it may be there already. One that goes at
    the transaction's end leaves its name to another.
    """
    words = _made(statement.words)
    if statement.words[0] != "CREATE" or words[:1] != ("TABLE",) or words[1:2] == ("IF",):
        return None
    if words[-3:] == ("ON", "COMMIT", "DROP") or ("COMMIT", "DROP") in zip(words, words[1:], strict=False):
        return None
    return name_at(words, 1)[0]


def changes_search_path(statement: Statement) -> bool:
    """Say whether names without a schema may mean other tables afterwards, or at the transaction's end."""
    words = statement.words
    sets = words[0] in ("SET", "RESET") and bool(_PATH & {*words[:3]})
    return sets or "SET_CONFIG" in words or '"set_config"' in words


_PATH = frozenset({"SEARCH_PATH", '"search_path"', "SCHEMA", "ROLE", "AUTHORIZATION", "ALL"})


def _made(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words after CREATE, without OR REPLACE and what kind of table it is."""
    rest = tuple(words[1:])
    if rest[:2] == ("OR", "REPLACE"):
        rest = rest[2:]
    while rest and rest[0] in _TABLE_WORDS:
        rest = rest[1:]
    return rest


def _create(statement: Statement, created: AbstractSet[str]) -> Judged:
    rest = _made(statement.words)
    if rest[:1] == ("INDEX",) or rest[:2] == ("UNIQUE", "INDEX"):
        return _create_index(rest, created)
    if rest[:1] == ("TABLE",):
        _, at = name_at(rest, 4 if rest[1:4] == ("IF", "NOT", "EXISTS") else 1)
        return _LOCKING if rest[at : at + 2] == ("PARTITION", "OF") else _EXPAND
    if rest[:1] == ("STATISTICS",):
        return _LOCKING
    if rest[:1] == ("MATERIALIZED",):
        return _EXPAND
    if rest[:1] == ("TRIGGER",) or rest[:2] == ("CONSTRAINT", "TRIGGER"):
        return _EXPAND if _on(rest) in created else UNKNOWN
    return _EXPAND if rest and rest[0] in _MADE else UNKNOWN


def _create_index(rest: tuple[str, ...], created: AbstractSet[str]) -> Judged:
    if _on(rest) in created:
        return _EXPAND
    if rest[0] == "UNIQUE":
        return _CONTRACT  # old code may write what is there twice
    return _EXPAND if rest[1:2] == ("CONCURRENTLY",) else _LOCKING


def _on(rest: tuple[str, ...]) -> str:
    """Return the table that an index or a trigger is made on."""
    at = rest.index("ON") + 1 if "ON" in rest else len(rest)
    return name_at(rest, at + (rest[at : at + 1] == ("ONLY",)))[0]


def _drop(statement: Statement, created: AbstractSet[str]) -> Judged:
    words = statement.words
    if words[1:2] != ("INDEX",) or "CASCADE" in words:
        return _CONTRACT
    return _EXPAND if words[2:3] == ("CONCURRENTLY",) else _LOCKING


def _unless_concurrently(statement: Statement, created: AbstractSet[str]) -> Judged:
    return _EXPAND if "CONCURRENTLY" in statement.words else _LOCKING


def _vacuum(statement: Statement, created: AbstractSet[str]) -> Judged:
    return _LOCKING if "FULL" in statement.words else UNKNOWN


def _update(statement: Statement, created: AbstractSet[str]) -> Judged:
    """A value that becomes NULL is lost to old code."""
    return _new_values(statement.words)


def _new_values(words: Sequence[str]) -> Judged:
    if _changes_rows_inside(words):
        return UNKNOWN
    outside = outside_brackets(words)
    pairs = set(zip(outside, outside[1:], strict=False))
    row = ("SET", "=") in pairs and "NULL" in words  # SET (a, b) = (1, NULL)
    bare = [word for word in _before_where(words) if word != "("]
    return _CONTRACT if row or ("=", "NULL") in zip(bare, bare[1:], strict=False) else _EXPAND


def _before_where(words: Sequence[str]) -> Sequence[str]:
    depth = 0
    for index, word in enumerate(words):
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if word == "WHERE" and depth == 0:
            return words[:index]
    return words


def _insert(statement: Statement, created: AbstractSet[str]) -> Judged:
    """What follows ON CONFLICT DO UPDATE is judged as an UPDATE is."""
    words = statement.words
    if _changes_rows_inside(words):
        return UNKNOWN
    return _new_values(words[words.index("DO") :]) if "DO" in words else _EXPAND


def _changes_rows_inside(words: Sequence[str]) -> bool:
    """Say whether a statement may hold others that change rows: `WITH gone AS (DELETE ...)`."""
    return any(one == "(" and other in _CHANGES for one, other in zip(words, words[1:], strict=False))


_CHANGES = frozenset({"DELETE", "UPDATE", "MERGE", "INSERT"})


def _set(statement: Statement, created: AbstractSet[str]) -> Judged:
    """Without a limit, or with a long one, the migration waits for a lock, and everybody behind it waits, too."""
    words = [word for word in statement.words[1:] if word not in ("SESSION", "LOCAL")]
    if words[:1] != ["LOCK_TIMEOUT"] or words[2:] == ["DEFAULT"]:
        return _EXPAND
    value = statement.texts[0] if TEXT in words and statement.texts else "".join(words[2:]).lower()
    found = _DURATION.fullmatch(value)
    most_ms = float(found[1]) * _UNITS_MS[found[2] or ""] if found else 0.0
    return _EXPAND if 0 < most_ms <= MOST_LOCK_TIMEOUT_MS else _LOCKING


def _alter(statement: Statement, created: AbstractSet[str]) -> Judged:
    words = statement.words
    if words[1:2] == ("TABLE",):
        return _alter_table(words, created)
    if words[1:2] == ("TYPE",):
        _, at = name_at(words, 2)
        return _EXPAND if words[at : at + 2] == ("ADD", "VALUE") else UNKNOWN
    return UNKNOWN


def _alter_table(words: tuple[str, ...], created: AbstractSet[str]) -> Judged:
    at = 2
    if words[at : at + 2] == ("IF", "EXISTS"):
        at += 2
    if words[at : at + 1] == ("ONLY",):
        at += 1
    table, at = name_at(words, at)
    if table in created:
        return _EXPAND
    if words[at : at + 1] == ("*",):
        at += 1
    return worse([_action(part) for part in split_at_commas(words[at:])])


def _action(words: tuple[str, ...]) -> Judged:
    """Judge one part of ALTER TABLE."""
    rule = _ACTIONS.get(words[0]) if words else None
    return rule(words[1:]) if rule else UNKNOWN


def _drop_part(words: tuple[str, ...]) -> Judged:
    return _LOCKING if words[:1] == ("CONSTRAINT",) and "CASCADE" not in words else _CONTRACT


def _alter_column(words: tuple[str, ...]) -> Judged:
    rest = words[1:] if words[:1] == ("COLUMN",) else words
    change = rest[1:]
    safe = change[:2] in (("SET", "DEFAULT"), ("SET", "STATISTICS")) or change == ("DROP", "NOT", "NULL")
    if safe:
        return _EXPAND
    taken = change[:1] == ("TYPE",) or change[:3] in (("SET", "DATA", "TYPE"), ("SET", "NOT", "NULL"))
    return _CONTRACT if taken or change == ("DROP", "DEFAULT") else UNKNOWN


def _add(words: tuple[str, ...]) -> Judged:
    rest = words[2:] if words[:1] == ("CONSTRAINT",) else words
    if rest[:1] in (("UNIQUE",), ("CHECK",), ("EXCLUDE",), ("PRIMARY",), ("NOT",)):
        return _CONTRACT
    if rest[:2] == ("FOREIGN", "KEY"):
        return _EXPAND if rest[-2:] == ("NOT", "VALID") else _LOCKING
    if words[:1] == ("CONSTRAINT",):
        return UNKNOWN
    if words[:1] == ("COLUMN",):
        words = words[1:]
    if words[:3] == ("IF", "NOT", "EXISTS"):
        words = words[3:]
    return _add_column(words[1:])


def _add_column(words: tuple[str, ...]) -> Judged:
    """Judge a new column by what follows its name."""
    parts = _column(words)
    default = parts.get("DEFAULT")
    serial = bool(words) and words[0] in _SERIAL
    filled = serial or "GENERATED" in parts or default not in (None, ("NULL",))
    if ("NULL" in parts.get("NOT", ()) or "PRIMARY" in parts) and not filled:
        return _CONTRACT  # old code does not name it
    if "CHECK" in parts:
        return UNKNOWN
    if "UNIQUE" in parts and default is not None and _is_constant(default):
        return _CONTRACT  # the second row of old code has the same value
    if serial or {"UNIQUE", "PRIMARY", "REFERENCES"} & parts.keys():
        return _LOCKING
    if "GENERATED" in parts:
        return _EXPAND if parts["GENERATED"][-1:] == ("VIRTUAL",) else _LOCKING
    return _EXPAND if default is None or _is_constant(default) else _LOCKING


def _column(words: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return a column's constraints by their first word, each with the words up to the next."""
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    depth = 0
    for index, word in enumerate(words):
        depth += (word in ("(", "[")) - (word in (")", "]"))
        if depth == 0 and word in _CONSTRAINTS and words[max(0, index - 1)] != "BY":  # GENERATED BY DEFAULT
            current = parts.setdefault(word, [])
        else:
            current.append(word)
    return {word: tuple(rest) for word, rest in parts.items()}


def _is_constant(words: tuple[str, ...]) -> bool:
    """Say whether an expression is computed once, so that no row is written again for it."""
    if not words:
        return False
    for index, word in enumerate(words):
        if words[index + 1 : index + 2] == ("(",) and _names(word) and word not in _ONCE and not _is_type(words, index):
            return False
    return True


def _names(word: str) -> bool:
    return word[:1].isalpha() or word[:1] in ('"', "_")


def _is_type(words: tuple[str, ...], index: int) -> bool:
    """Say whether a name with brackets is a type's, `::numeric(10, 2)`, or the like of `ARRAY` and `CAST`."""
    cast = words[max(0, index - 2) : index] == (":", ":") or words[index - 1 : index] == ("AS",)
    return cast or words[index] in ("CAST", "ARRAY", "ROW", "INTERVAL")


def _renames(words: tuple[str, ...]) -> Judged:
    return _CONTRACT


def _validates(words: tuple[str, ...]) -> Judged:
    return _EXPAND if words[:1] == ("CONSTRAINT",) else UNKNOWN


def _owns(words: tuple[str, ...]) -> Judged:
    return _EXPAND if words[:1] == ("TO",) else UNKNOWN


_ACTIONS: Mapping[str, Callable[[tuple[str, ...]], Judged]] = {
    "DROP": _drop_part,
    "RENAME": _renames,
    "ALTER": _alter_column,
    "ADD": _add,
    "VALIDATE": _validates,
    "OWNER": _owns,
}


def _locks(statement: Statement, created: AbstractSet[str]) -> Judged:
    return _LOCKING


def _takes(statement: Statement, created: AbstractSet[str]) -> Judged:
    return _CONTRACT


_RULES: Mapping[str, Callable[[Statement, AbstractSet[str]], Judged]] = {
    "ALTER": _alter,
    "CLUSTER": _locks,
    "CREATE": _create,
    "DELETE": _takes,
    "DROP": _drop,
    "INSERT": _insert,
    "LOCK": _locks,
    "REFRESH": _unless_concurrently,
    "REINDEX": _unless_concurrently,
    "SET": _set,
    "TRUNCATE": _takes,
    "UPDATE": _update,
    "VACUUM": _vacuum,
}
