"""What a migration does to the version that still runs: nothing, take something away, or hold a lock.

A statement that is not known to be safe counts as one that takes away: what we cannot judge is not called safe.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from gates.findings import Finding


class Kind(StrEnum):
    """EXPAND: old code keeps working. LOCKING: so it does, but waits. CONTRACT: old code breaks, no way back."""

    EXPAND = "expand"
    LOCKING = "locking"
    CONTRACT = "contract"


class Step(BaseModel):
    """One revision of the app's migrations, judged; `reason` names the statement that decided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str
    kind: Kind
    reason: str


_NAME = r'(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:ONLY\s+)?(?P<table>[\w."]+)'
_CREATED = re.compile(rf"CREATE\s+(?:UNLOGGED\s+|TEMP\w*\s+)?TABLE\s+{_NAME}", re.IGNORECASE)
_ON_TABLE = re.compile(rf"(?:ALTER\s+TABLE|CREATE\s+(?:UNIQUE\s+)?INDEX\b.*?\bON)\s+{_NAME}", re.IGNORECASE | re.DOTALL)
_ADDS_REQUIRED = r"(?!.*\b(DEFAULT|GENERATED)\b)ALTER TABLE .*\bADD (COLUMN )?.*\bNOT NULL\b"
# In order; the first that matches decides. Statements are on one line, upper case, single spaces.
_RULES: Sequence[tuple[str, Kind]] = (
    (r"ALTER TABLE .*\bDROP (COLUMN|CONSTRAINT .*\bCASCADE\b)", Kind.CONTRACT),
    (r"ALTER TABLE .*\bRENAME\b", Kind.CONTRACT),
    (r"ALTER TABLE .*\bALTER (COLUMN )?\S+ (SET DATA )?TYPE\b", Kind.CONTRACT),
    (r"ALTER TABLE .*\bALTER (COLUMN )?\S+ (SET NOT NULL|DROP DEFAULT)\b", Kind.CONTRACT),
    (_ADDS_REQUIRED, Kind.CONTRACT),
    (r"ALTER TABLE .*\bADD CONSTRAINT .*\b(UNIQUE|CHECK|EXCLUDE|PRIMARY KEY)\b", Kind.CONTRACT),
    (r"ALTER TABLE .*\bADD CONSTRAINT .*\bFOREIGN KEY\b.*\bNOT VALID", Kind.EXPAND),
    (r"ALTER TABLE .*\bADD CONSTRAINT\b", Kind.LOCKING),
    (r"ALTER TABLE .*\bADD (COLUMN )?.*\bDEFAULT (RANDOM|CLOCK_TIMESTAMP|GEN_RANDOM_UUID|UUID_)", Kind.LOCKING),
    (r"ALTER TABLE .*\bADD (COLUMN )?", Kind.EXPAND),
    (r"ALTER TABLE .*\bALTER (COLUMN )?\S+ (SET DEFAULT|DROP NOT NULL|SET STATISTICS)\b", Kind.EXPAND),
    (r"ALTER TABLE .*\b(VALIDATE CONSTRAINT|OWNER TO)\b", Kind.EXPAND),
    (r"ALTER TABLE .*\bDROP CONSTRAINT\b", Kind.LOCKING),
    (r"CREATE UNIQUE INDEX\b", Kind.CONTRACT),
    (r"CREATE INDEX CONCURRENTLY\b", Kind.EXPAND),
    (r"(CREATE INDEX|DROP INDEX|REINDEX|LOCK|VACUUM FULL|CLUSTER|REFRESH MATERIALIZED VIEW)\b", Kind.LOCKING),
    (r"CREATE (OR REPLACE )?(UNLOGGED |TEMP\w* )?(TABLE|SEQUENCE|TYPE|EXTENSION|SCHEMA|VIEW|FUNCTION)\b", Kind.EXPAND),
    (r"ALTER TYPE .*\bADD VALUE\b", Kind.EXPAND),
    (r"(COMMENT ON|INSERT INTO|UPDATE|GRANT|SET|RESET|SELECT|ANALYZE|BEGIN|COMMIT)\b", Kind.EXPAND),
)
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
_ORDER = (Kind.EXPAND, Kind.LOCKING, Kind.CONTRACT)


def judge_migration(revision: str, sql: str, findings: Sequence[Finding] = ()) -> Step:
    """Judge one revision's SQL by its worst statement, and by what squawk found in it.

    A table that the revision itself creates may be done anything to: nobody uses it yet.
    """
    statements = _statements(sql)
    created = {_bare(found["table"]) for one in statements if (found := _CREATED.match(one))}
    judged = [_judge(one, created) for one in statements]
    judged += [(_SQUAWK[one.rule], f"squawk {one.rule}: {one.message}") for one in findings if one.rule in _SQUAWK]
    kind, reason = max(judged, key=lambda one: _ORDER.index(one[0]), default=(Kind.EXPAND, "no statements"))
    return Step(revision=revision, kind=kind, reason=reason[:200])


def _judge(statement: str, created: set[str]) -> tuple[Kind, str]:
    on = _ON_TABLE.match(statement)
    if on and _bare(on["table"]) in created:
        return Kind.EXPAND, statement
    for pattern, kind in _RULES:
        if re.match(pattern, statement.upper()):
            return kind, statement
    return Kind.CONTRACT, f"not known to be safe: {statement}"


def _statements(sql: str) -> list[str]:
    """Split at semicolons outside quotes; comments go, white space becomes one space."""
    found = re.finditer(r"(?:'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|[^;'$]|\$)+", _without_comments(sql), re.DOTALL)
    return [text for one in found if (text := " ".join(one[0].split()))]


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?(?:\*/|\Z)", " ", sql, flags=re.DOTALL)


def _bare(table: str) -> str:
    return table.replace('"', "").lower().removeprefix("public.")


def pending(steps: Sequence[Step], live: Sequence[Step]) -> list[Step]:
    """Return the steps that the new version brings and the live one does not have."""
    known = {one.revision for one in live}
    return [one for one in steps if one.revision not in known]


def contracting(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps that take something away."""
    return tuple(one for one in steps if one.kind is Kind.CONTRACT)


def unapproved(steps: Sequence[Step], approved: Sequence[str]) -> list[Step]:
    """Return the steps that take something away and that nobody approved by name."""
    return [one for one in contracting(steps) if one.revision not in approved]


def unsafe(contracts: Sequence[Step], versions: Mapping[str, Sequence[Step]]) -> dict[str, str]:
    """Return the digests that lack any of the contracting steps, each with the reason it cannot be gone back to."""
    found = {}
    for digest, known in versions.items():
        if missing := [one for one in pending(contracts, known) if one.kind is Kind.CONTRACT]:
            found[digest] = f"migration {missing[0].revision} took away what it needs ({missing[0].reason})"
    return found
