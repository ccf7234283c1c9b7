"""What is known of an expression: which functions it calls, whether it may be NULL, and whether its value is told."""

from collections.abc import Sequence

from gates.migrations.functions import GRAMMAR, NAMES, STEADY, UNIQUE
from gates.migrations.sql import TEXT, brackets, last_part, name_at

_EMPTY = frozenset({"NULL", "NULLIF", "DEFAULT"})
_BEFORE_NAMES = frozenset({"AS", "INTO", "WITH", "RECURSIVE", "ORDINALITY"})
_SOURCES = frozenset({"FROM", "JOIN", "LATERAL"})
_BUILT_IN = "pg_catalog."


def calls(words: Sequence[str]) -> list[tuple[str, int]]:
    """Return the functions that are called, each as `name_at` names it and with where its bracket opens.

    What PostgreSQL has itself stands without its schema. Whatever may be a call is one.
    """
    pairs = brackets(words)
    found = []
    for index in pairs:
        if words[index] != "(" or index == 0 or not _is_name(words[index - 1]):
            continue
        start = _begin(words, index - 1)
        if start == index - 1 and words[start] in GRAMMAR:
            continue
        if not _is_alias_or_type(words, start, index, pairs):
            found.append((name_at(words, start)[0].removeprefix(_BUILT_IN), index))
    return sorted(found, key=lambda one: one[1])


def _begin(words: Sequence[str], index: int) -> int:
    """Return where a name begins whose last part stands at `index`."""
    while index >= 2 and words[index - 1] == "." and _is_name(words[index - 2]):
        index -= 2
    return index


def _is_name(word: str) -> bool:
    return word[:1].isalpha() or word[:1] in ('"', "_") or not word[:1].isascii()


def _is_alias_or_type(words: Sequence[str], start: int, opens: int, pairs: dict[int, int]) -> bool:
    """Say whether a name before a bracket is none of a function: `AS x (a)`, `INTO t (a)`, `WITH x (a)`, `::x (2)`."""
    before = words[start - 1] if start else ""
    if before in _BEFORE_NAMES or tuple(words[max(0, start - 2) : start]) == (":", ":"):
        return True
    if before == ")":
        return _is_source(words, pairs[start - 1])
    after = tuple(words[pairs[opens] + 1 : pairs[opens] + 5])
    after = tuple(word for word in after if word not in ("NOT", "MATERIALIZED"))
    return before == "," and after[:2] == ("AS", "(") and after[2:3] in (("SELECT",), ("WITH",))  # WITH ..., x (a) AS


def _is_source(words: Sequence[str], opens: int) -> bool:
    """Say whether the bracket that opens there is of what is read from: `FROM (VALUES (1)) x (a)`, `FROM f(1) x (a)`,
    not that of `FROM OPERATOR(+) f(1)`.
    """
    before = opens - 1
    if before > 0 and _is_name(words[before]) and words[before] not in GRAMMAR:
        before = _begin(words, before) - 1
    return before >= 0 and words[before] in _SOURCES


def may_be_null(words: Sequence[str]) -> bool:
    """Say whether words tell of a value that may be NULL, or of a column's default, which may be."""
    for index, word in enumerate(words):
        tested = words[index - 1 : index] == ("IS",) or tuple(words[max(0, index - 2) : index]) == ("IS", "NOT")
        if word in _EMPTY and not tested:
            return True
    return words.count("CASE") > words.count("ELSE")


def is_untold(words: Sequence[str]) -> bool:
    """Say whether a driver's placeholder stands for a value: `%(a)s`, `%s`, `$1`, `:a` or `?`."""
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        if word == "$" or (word == "?" and before in ("=", ",", "(")) or (word == "%" and not _ends_operand(before)):
            return True
        if word == ":" and ":" not in (before, *words[index + 1 : index + 2]) and not _ends_operand(before):
            return True
    return False


def _ends_operand(word: str) -> bool:
    if word in (TEXT, ")", "]"):
        return True
    return word not in GRAMMAR and (_is_name(word) or word[:1].isdigit())


def is_steady(words: Sequence[str]) -> bool:
    """Say whether an expression is computed once, so that no row is written again for it."""
    return bool(words) and all(name in STEADY for name, _ in calls(words))


def is_unique(words: Sequence[str]) -> bool:
    """Say whether an expression is another one in each row."""
    return any(name in UNIQUE for name, _ in calls(words))


def is_known_name(name: str) -> bool:
    """Say whether a name, as `name_at` returns it, means something here, in any schema. So does one that cannot be
    read.
    """
    return not name or last_part(name) in NAMES
