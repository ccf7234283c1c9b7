"""What a migration does to the version that still runs: nothing, take something away, or hold a lock.

A statement that is not known to be safe counts as one that takes away: what we cannot judge is not called safe.
"""

from collections.abc import Mapping, Sequence

from gates.findings import Finding
from gates.migrations.commands import judge
from gates.migrations.made import Made
from gates.migrations.sql import UnreadableSql, statements
from gates.migrations.statements import ORDER, UNKNOWN, Judged, Kind
from gates.migrations.steps import Step

# What squawk sees and the rules above may not. Its other rules are about style.
_SQUAWK: Mapping[str, Kind] = {
    "adding-foreign-key-constraint": Kind.LOCKING,
    "adding-field-with-default": Kind.LOCKING,
    "require-concurrent-index-creation": Kind.LOCKING,
    "require-concurrent-index-deletion": Kind.LOCKING,
    "constraint-missing-not-valid": Kind.LOCKING,
    "adding-required-field": Kind.CONTRACT,
    "ban-drop-column": Kind.CONTRACT,
    "ban-drop-table": Kind.CONTRACT,
    "ban-drop-database": Kind.CONTRACT,
    "changing-column-type": Kind.CONTRACT,
    "renaming-column": Kind.CONTRACT,
    "renaming-table": Kind.CONTRACT,
    "adding-not-nullable-field": Kind.CONTRACT,
}


def judge_migration(revision: str, sql: str, findings: Sequence[Finding] = ()) -> Step:
    """Judge one revision's SQL by its worst statement, and by what squawk found in it.

    A table that the revision itself creates may be done anything to: nobody uses it yet.
    """
    judged = _statements(sql)
    judged += [
        (Judged(_SQUAWK[one.rule]), f"squawk {one.rule}: {one.message}") for one in findings if one.rule in _SQUAWK
    ]
    kind, reason = max(judged, key=lambda one: ORDER.index(one[0].kind), default=(Judged(Kind.EXPAND), "no statements"))
    return Step(revision=revision, kind=kind.kind, reason=reason[:200])


def _statements(sql: str) -> list[tuple[Judged, str]]:
    """Judge each statement, with its text. Those before it say what is new."""
    try:
        found = statements(sql)
    except UnreadableSql as error:
        return [(UNKNOWN, str(error))]
    judged: list[tuple[Judged, str]] = []
    made = Made()
    for one in found:
        result = judge(one, made)
        said = ("" if result.known else "not known to be safe", result.why, one.text)
        judged.append((result, ": ".join(part for part in said if part)))
        made.note(one)
    return judged


def without_own(sql: str) -> str:
    """Return a migration's SQL without the statements that are harmless only as what they change is new: squawk does
    not know that. Each line stays where it is.
    """
    try:
        found = statements(sql)
    except UnreadableSql:
        return sql
    parts, at, made = [], 0, Made()
    for one in found:
        if one.words[0] in _CHANGES and judge(one, made).kind is Kind.EXPAND and judge(one, Made()) != judge(one, made):
            parts += [sql[at : one.start], "\n" * sql.count("\n", one.start, one.end)]
            at = one.end
        made.note(one)
    return "".join((*parts, sql[at:]))


_CHANGES = ("ALTER", "DROP", "TRUNCATE")
