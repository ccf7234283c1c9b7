"""What ALTER TABLE does, part by part, to code that knows the table as it was."""

from collections.abc import Callable, Mapping, Sequence

from gates.migrations.expressions import is_steady, is_unique, may_be_null
from gates.migrations.made import SEQUENCE, TABLE, VIEW, Made, table_at
from gates.migrations.sql import Statement, fold, name_at, outside_brackets, split_at_commas
from gates.migrations.statements import CONTRACT, EXPAND, LOCKING, UNKNOWN, Judged, unknown, worse

_SERIAL = frozenset({"SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL2", "SERIAL4", "SERIAL8"})
# Where the expression of a DEFAULT ends: the words that begin another constraint of the column.
_CONSTRAINTS = frozenset(
    {"NOT", "DEFAULT", "GENERATED", "UNIQUE", "PRIMARY", "CHECK", "REFERENCES", "CONSTRAINT", "COLLATE", "DEFERRABLE"}
    | {"INITIALLY", "STORAGE", "COMPRESSION"}
)


def judge_alter_table(statement: Statement, made: Made) -> Judged:
    """Judge an ALTER TABLE. One that is new may be done anything to, but that it takes in another."""
    words = statement.words
    table, at = table_at(words)
    parts = split_at_commas(words[at:])
    if made.has(table, TABLE):
        return worse([_takes_in(part, made) for part in parts])
    if made.has(table, SEQUENCE, VIEW) and words[at : at + 2] == ("OWNER", "TO"):
        return EXPAND
    return worse([_action(part) for part in parts])


def _takes_in(words: tuple[str, ...], made: Made) -> Judged:
    at = {("ATTACH", "PARTITION"): 2, ("INHERIT",): 1}.get(words[: 2 if words[:1] == ("ATTACH",) else 1])
    if at is None or made.has(name_at(words, at)[0], TABLE):
        return EXPAND
    return unknown("the other table is not new")


def _action(words: tuple[str, ...]) -> Judged:
    """Judge one part of ALTER TABLE."""
    rule = _ACTIONS.get(words[0]) if words else None
    return rule(words[1:]) if rule else UNKNOWN


def _drop_part(words: tuple[str, ...]) -> Judged:
    return LOCKING if words[:1] == ("CONSTRAINT",) and "CASCADE" not in words else CONTRACT


def _alter_column(words: tuple[str, ...]) -> Judged:
    rest = words[1:] if words[:1] == ("COLUMN",) else words
    change = rest[1:]
    if change[:2] == ("SET", "DEFAULT"):
        return CONTRACT if may_be_null(change[2:]) else EXPAND
    if change[:2] == ("SET", "STATISTICS") or change == ("DROP", "NOT", "NULL"):
        return EXPAND
    taken = change[:1] == ("TYPE",) or change[:3] in (("SET", "DATA", "TYPE"), ("SET", "NOT", "NULL"))
    return CONTRACT if taken or change == ("DROP", "DEFAULT") else UNKNOWN


def _add(words: tuple[str, ...]) -> Judged:
    rest = words[2:] if words[:1] == ("CONSTRAINT",) else words
    if rest[:1] in (("UNIQUE",), ("CHECK",), ("EXCLUDE",), ("PRIMARY",), ("NOT",)):
        return CONTRACT
    if rest[:2] == ("FOREIGN", "KEY"):
        return EXPAND if rest[-2:] == ("NOT", "VALID") else LOCKING
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
    identity = "IDENTITY" in outside_brackets(parts.get("GENERATED", ()))
    numbered = identity or _is_serial(words)
    computed = "GENERATED" in parts and not identity
    filled = numbered or (default is not None and not may_be_null(default))
    if ("NULL" in parts.get("NOT", ()) or "PRIMARY" in parts) and not filled:
        return CONTRACT  # old code does not name it
    if "CHECK" in parts:
        return UNKNOWN
    if _refuses_twice(words, parts) or (computed and "REFERENCES" in parts):
        return CONTRACT
    if numbered or {"UNIQUE", "PRIMARY", "REFERENCES"} & parts.keys():
        return LOCKING
    if computed:
        return EXPAND if parts["GENERATED"][-1:] == ("VIRTUAL",) else LOCKING
    return EXPAND if default is None or is_steady(default) else LOCKING


def _is_serial(words: Sequence[str]) -> bool:
    """Say whether the type is one that makes a sequence. A quoted name is as good, in lower case."""
    name, at = name_at(words, 0)
    return at == 1 and fold(name, str.upper) in _SERIAL and name == fold(name, str.lower)


def _refuses_twice(words: Sequence[str], parts: Mapping[str, tuple[str, ...]]) -> bool:
    """Say whether a column's second row of old code may have the value of the first, and must not."""
    if not {"UNIQUE", "PRIMARY"} & parts.keys():
        return False
    default, generated = parts.get("DEFAULT"), parts.get("GENERATED", ())
    alike = default is not None and default != ("NULL",) and not is_unique(default)
    computed = bool(generated) and "IDENTITY" not in outside_brackets(generated)
    nulls = ("NULLS", "NOT", "DISTINCT") in zip(words, words[1:], words[2:], strict=False)
    return alike or computed or nulls


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


def _renames(words: tuple[str, ...]) -> Judged:
    return CONTRACT


def _validates(words: tuple[str, ...]) -> Judged:
    return EXPAND if words[:1] == ("CONSTRAINT",) else UNKNOWN


def _owns(words: tuple[str, ...]) -> Judged:
    return unknown("the role of old code may lose its rights")


_ACTIONS: Mapping[str, Callable[[tuple[str, ...]], Judged]] = {
    "DROP": _drop_part,
    "RENAME": _renames,
    "ALTER": _alter_column,
    "ADD": _add,
    "VALIDATE": _validates,
    "OWNER": _owns,
}
