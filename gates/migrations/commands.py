"""The rules for each command of SQL, by its first word: CREATE, ALTER, DROP, SET and those that only read."""

from collections.abc import Callable, Mapping

from gates.migrations.expressions import calls, is_known_name
from gates.migrations.functions import KNOWN
from gates.migrations.made import SEQUENCE, TABLE, VIEW, Made, dropped, kind_at, made_words, signature
from gates.migrations.queries import (
    judge_delete,
    judge_insert,
    judge_made_of,
    judge_query,
    judge_truncate,
    judge_update,
    judge_with,
)
from gates.migrations.session import judge_set
from gates.migrations.sql import Statement, name_at, outside_brackets
from gates.migrations.statements import CONTRACT, EXPAND, LOCKING, UNKNOWN, Judged, unknown
from gates.migrations.tables import judge_alter_table

_HARMLESS = frozenset("ANALYZE BEGIN COMMENT COMMIT END GRANT RELEASE RESET SAVEPOINT SHOW START".split())
_MADE = frozenset({"SEQUENCE", "TYPE", "EXTENSION", "VIEW", "ROLE"})


def judge(statement: Statement, made: Made) -> Judged:
    """Judge one statement of a migration that has made all that `made` says."""
    first = statement.words[0]
    if rule := _RULES.get(first):
        return rule(statement, made)
    return EXPAND if first in _HARMLESS and not statement.starts("COMMIT", "PREPARED") else UNKNOWN


def _create(statement: Statement, made: Made) -> Judged:
    words = statement.words
    rest = made_words(words)
    if rest[:1] == ("INDEX",) or rest[:2] == ("UNIQUE", "INDEX"):
        return _create_index(rest, made)
    rule = _CREATES.get("".join(rest[:1]))
    if rule:
        return rule(statement, rest, made)
    return EXPAND if rest and rest[0] in _MADE else UNKNOWN


def _create_table(statement: Statement, rest: tuple[str, ...], made: Made) -> Judged:
    name_starts = 4 if rest[1:4] == ("IF", "NOT", "EXISTS") else 1
    _, at = name_at(rest, name_starts)
    if rest[at : at + 2] == ("PARTITION", "OF"):
        return EXPAND if made.has(name_at(rest, at + 2)[0], TABLE) else LOCKING
    return judge_made_of(statement, len(statement.words) - len(rest) + at)


def _create_view_of_rows(statement: Statement, rest: tuple[str, ...], made: Made) -> Judged:
    return judge_made_of(statement, len(statement.words) - len(rest)) if rest[1:2] == (VIEW,) else UNKNOWN


def _create_statistics(statement: Statement, rest: tuple[str, ...], made: Made) -> Judged:
    return LOCKING


def _create_on(statement: Statement, rest: tuple[str, ...], made: Made) -> Judged:
    """Judge a trigger or a policy, which changes what old code gets."""
    return EXPAND if made.relation(_on(rest)) else UNKNOWN


def _create_constraint(statement: Statement, rest: tuple[str, ...], made: Made) -> Judged:
    return _create_on(statement, rest, made) if rest[1:2] == ("TRIGGER",) else UNKNOWN


def _create_schema(statement: Statement, rest: tuple[str, ...], made: Made) -> Judged:
    """Judge a schema, which may hold other statements."""
    at = 4 if rest[1:4] == ("IF", "NOT", "EXISTS") else 1
    if rest[at : at + 1] != ("AUTHORIZATION",):
        _, at = name_at(rest, at)
    if rest[at : at + 1] == ("AUTHORIZATION",):
        _, at = name_at(rest, at + 1)
    return EXPAND if at == len(rest) else unknown("it holds other statements")


def _create_domain(statement: Statement, rest: tuple[str, ...], made: Made) -> Judged:
    """A domain that refuses NULL makes each column of it, in any later migration, one that old code must fill."""
    if "NULL" in rest or any(name not in KNOWN for name, _ in calls(rest)):
        return unknown("a column of this domain may refuse what old code writes")
    return EXPAND


def _create_function(statement: Statement, rest: tuple[str, ...], made: Made) -> Judged:
    if statement.words[1:3] == ("OR", "REPLACE"):
        return unknown("it may replace what old code calls; without OR REPLACE it cannot")
    if is_known_name(name_at(rest, 1)[0]):
        return unknown("it may be called in place of PostgreSQL's own")
    return EXPAND


def _create_index(rest: tuple[str, ...], made: Made) -> Judged:
    if made.relation(_on(rest)):
        return EXPAND
    if rest[0] == "UNIQUE":
        return CONTRACT  # old code may write what is there twice
    return EXPAND if rest[1:2] == ("CONCURRENTLY",) else LOCKING


def _on(rest: tuple[str, ...]) -> str:
    """Return the table that an index, a trigger or a policy is made on."""
    at = rest.index("ON") + 1 if "ON" in rest else len(rest)
    return name_at(rest, at + (rest[at : at + 1] == ("ONLY",)))[0]


def _drop(statement: Statement, made: Made) -> Judged:
    words = statement.words
    if words[1:2] == ("INDEX",) and "CASCADE" not in words:
        return EXPAND if words[2:3] == ("CONCURRENTLY",) else LOCKING
    names = dropped(words)
    return EXPAND if names and all(made.has(name, kind_at(words)) for name in names) else CONTRACT


def _alter(statement: Statement, made: Made) -> Judged:
    words = statement.words
    if words[1:2] == ("TABLE",):
        return judge_alter_table(statement, made)
    at = 3 if words[1:2] == ("MATERIALIZED",) else 2
    at += 2 if words[at : at + 2] == ("IF", "EXISTS") else 0
    name, at = name_at(words, at)
    kind = kind_at(words)
    if (kind, *words[at : at + 2]) in (("TYPE", "ADD", "VALUE"), ("INDEX", "ATTACH", "PARTITION")):
        return EXPAND
    if kind == SEQUENCE and words[at : at + 2] == ("OWNED", "BY") and name_at(words, at + 2)[1] == len(words):
        return EXPAND
    owner = words[-3:-1] == ("OWNER", "TO")
    return EXPAND if owner and made.has(name, kind + signature(words[at:-3])) else UNKNOWN


def _set(statement: Statement, made: Made) -> Judged:
    return judge_set(statement)


def _maintains(statement: Statement, made: Made) -> Judged:
    """Judge `REINDEX TABLE CONCURRENTLY` and the like."""
    outside = outside_brackets(statement.words)
    return EXPAND if "CONCURRENTLY" in outside[1:4] else LOCKING


def _vacuum(statement: Statement, made: Made) -> Judged:
    return LOCKING if "FULL" in statement.words else UNKNOWN


def _locks(statement: Statement, made: Made) -> Judged:
    return LOCKING


_CREATES: Mapping[str, Callable[[Statement, tuple[str, ...], Made], Judged]] = {
    "AGGREGATE": _create_function,
    "CONSTRAINT": _create_constraint,
    "DOMAIN": _create_domain,
    "FUNCTION": _create_function,
    "MATERIALIZED": _create_view_of_rows,
    "POLICY": _create_on,
    "PROCEDURE": _create_function,
    "SCHEMA": _create_schema,
    "STATISTICS": _create_statistics,
    "TABLE": _create_table,
    "TRIGGER": _create_on,
}
_RULES: Mapping[str, Callable[[Statement, Made], Judged]] = {
    "ALTER": _alter,
    "CLUSTER": _locks,
    "CREATE": _create,
    "DELETE": judge_delete,
    "DROP": _drop,
    "INSERT": judge_insert,
    "LOCK": _locks,
    "REFRESH": _maintains,
    "REINDEX": _maintains,
    "SELECT": judge_query,
    "SET": _set,
    "TRUNCATE": judge_truncate,
    "UPDATE": judge_update,
    "VACUUM": _vacuum,
    "VALUES": judge_query,
    "WITH": judge_with,
}
