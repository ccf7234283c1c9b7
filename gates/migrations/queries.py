"""What a statement does that reads or writes rows, by itself and by the functions that it calls."""

from collections.abc import Sequence

from gates.migrations.expressions import calls, is_untold, may_be_null
from gates.migrations.functions import KNOWN, LOCKS, SETS
from gates.migrations.made import TABLE, Made, names_in
from gates.migrations.session import judge_set_config
from gates.migrations.sql import Statement, brackets, name_at, split_at_commas, until
from gates.migrations.statements import CONTRACT, EXPAND, LOCKING, UNKNOWN, Judged, unknown, worse

_CHANGES = frozenset({"DELETE", "UPDATE", "MERGE", "INSERT"})
_QUERIES = frozenset({"SELECT", "VALUES", "TABLE", "WITH", "("})


def judge_query(statement: Statement, made: Made) -> Judged:
    """Judge what only reads, by what it calls."""
    return _runs(statement)


def judge_made_of(statement: Statement, before: int) -> Judged:
    """Judge the query that fills what a CREATE makes, EXPAND without one. It begins `AS`, somewhere after `before`
    words.
    """
    words = statement.words
    start = before + len(until(words[before:], "AS")) + 1
    if start > len(words):
        return EXPAND
    return _runs(statement, start) if _QUERIES & {*words[start : start + 1]} else UNKNOWN


def judge_with(statement: Statement, made: Made) -> Judged:
    """Judge `WITH ...` by what follows it, which works on what it tells."""
    main = _main(statement.words)
    if rule := _RULES.get("".join(main[:1])):
        return rule(statement, main, made)
    return _runs(statement) if main and main[0] in _QUERIES else UNKNOWN


def _main(words: Sequence[str]) -> Sequence[str]:
    """Return what follows a WITH, nothing of one that is not understood."""
    pairs = brackets(words)
    at = 1 + (words[1:2] == ("RECURSIVE",))
    while True:
        _, at = name_at(words, at)
        if words[at : at + 1] == ("(",):
            at = pairs[at] + 1
        if words[at : at + 1] != ("AS",):
            return ()
        at += 1
        while words[at : at + 1] in (("NOT",), ("MATERIALIZED",)):
            at += 1
        if words[at : at + 1] != ("(",):
            return ()
        at = pairs[at] + 1
        if words[at : at + 1] != (",",):
            return words[at:]
        at += 1


def judge_insert(statement: Statement, made: Made) -> Judged:
    """What follows ON CONFLICT DO UPDATE is judged as an UPDATE is."""
    return _insert(statement, statement.words, made)


def _insert(statement: Statement, words: Sequence[str], made: Made) -> Judged:
    runs = _runs(statement)
    if words[1:2] != ("INTO",):
        return UNKNOWN
    if "DO" not in words or made.rows(name_at(words, 2)[0]):
        return runs
    return worse([runs, _keeps(words[words.index("DO") :])])


def judge_update(statement: Statement, made: Made) -> Judged:
    """A value that becomes NULL is lost to old code, unless the column or its table is new."""
    return _update(statement, statement.words, made)


def _update(statement: Statement, words: Sequence[str], made: Made) -> Judged:
    runs = _runs(statement)
    table, at = name_at(words, 2 if words[1:2] == ("ONLY",) else 1)
    at += words[at : at + 1] == ("*",)
    at += 2 if words[at : at + 1] == ("AS",) else int(words[at : at + 1] != ("SET",))
    if words[at : at + 1] != ("SET",):
        return UNKNOWN
    columns = _assigned(words[at + 1 :])
    if made.rows(table) or all((table, column) in made.columns for column in columns):
        return runs
    return worse([runs, _keeps(statement.words)])


def _assigned(words: Sequence[str]) -> list[str]:
    """Return the columns that a SET gives values to, whatever else it says."""
    found: list[str] = []
    for part in split_at_commas(until(words, "FROM", "WHERE", "RETURNING")):
        if part[:1] == ("(",):
            found += names_in(part[1 : brackets(part)[0]])
        else:
            found.append(name_at(part, 0)[0])
    return found


def _keeps(words: Sequence[str]) -> Judged:
    """Judge the values of a SET, and where they come from: all that stands before WHERE."""
    values = until(words, "WHERE")
    if is_untold(values):
        return unknown("a value is not told")
    return CONTRACT if may_be_null(values) else EXPAND


def judge_delete(statement: Statement, made: Made) -> Judged:
    """Rows of a table that is new may go."""
    return _delete(statement, statement.words, made)


def _delete(statement: Statement, words: Sequence[str], made: Made) -> Judged:
    table, _ = name_at(words, 3 if words[2:3] == ("ONLY",) else 2)
    return _runs(statement) if words[1:2] == ("FROM",) and made.rows(table) else CONTRACT


def judge_truncate(statement: Statement, made: Made) -> Judged:
    """Rows of tables that are new may go."""
    words = statement.words
    names = names_in([word for word in words[2 if words[1:2] == ("TABLE",) else 1 :] if word != "ONLY"])
    mine = all(made.has(name, TABLE) for name in names)
    return EXPAND if mine and "CASCADE" not in words else CONTRACT


def _runs(statement: Statement, start: int = 0) -> Judged:
    """Judge what a statement runs beside itself, from a word on: `WITH gone AS (DELETE ...)`, and functions."""
    words = statement.words[start:]
    main = len(words) - len(_main(words)) if words[:1] == ("WITH",) else 0
    for index, pair in enumerate(zip(words, words[1:], strict=False), start=1):
        if pair[0] in ("(", ")") and pair[1] in _CHANGES and index != main:
            return unknown("a part of it changes rows")
    named = calls(words)
    opened = [at + start for name, at in named if name == SETS]
    return worse([judge_set_config(statement, opened), *(_call(name) for name, _ in named)])


def _call(name: str) -> Judged:
    if name in LOCKS:
        return LOCKING
    return EXPAND if name in KNOWN else unknown(f"it calls {name[:60] or 'a function'}")


_RULES = {"INSERT": _insert, "UPDATE": _update, "DELETE": _delete}
