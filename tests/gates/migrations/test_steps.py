"""Expand, contract or locking: every rule, and what is not known."""

import pytest

from gates.findings import Finding, Severity
from gates.migrations.revision import judge_migration, without_own
from gates.migrations.steps import Kind, Step, pending, unapproved, unsafe

EXPAND, LOCKING, CONTRACT = Kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("", EXPAND),
        ("CREATE TABLE a (id int NOT NULL);", EXPAND),
        ("ALTER TABLE tasks ADD COLUMN energy VARCHAR(6);", EXPAND),
        ("ALTER TABLE tasks ADD COLUMN n int NOT NULL DEFAULT 0;", EXPAND),
        ("ALTER TABLE tasks ADD COLUMN n int DEFAULT 0 NOT NULL;", EXPAND),
        ("ALTER TABLE tasks ADD COLUMN n int NOT NULL;", CONTRACT),
        ("ALTER TABLE tasks ADD COLUMN n uuid DEFAULT gen_random_uuid();", LOCKING),
        ("ALTER TABLE tasks DROP COLUMN energy;", CONTRACT),
        ("alter table tasks\n  drop column energy", CONTRACT),
        ("ALTER TABLE tasks RENAME COLUMN a TO b;", CONTRACT),
        ("ALTER TABLE tasks RENAME TO t;", CONTRACT),
        ("ALTER TABLE tasks ALTER COLUMN a TYPE bigint;", CONTRACT),
        ("ALTER TABLE tasks ALTER COLUMN a SET NOT NULL;", CONTRACT),
        ("ALTER TABLE tasks ALTER COLUMN a DROP NOT NULL;", EXPAND),
        ("ALTER TABLE tasks ALTER COLUMN a SET DEFAULT 1;", EXPAND),
        ("ALTER TABLE tasks ADD CONSTRAINT c CHECK (a > 0);", CONTRACT),
        ("ALTER TABLE tasks ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES b (id);", LOCKING),
        ("ALTER TABLE tasks ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES b (id) NOT VALID;", EXPAND),
        ("ALTER TABLE tasks DROP CONSTRAINT c;", LOCKING),
        ("DROP TABLE tasks;", CONTRACT),
        ("TRUNCATE tasks;", CONTRACT),
        ("DELETE FROM tasks;", CONTRACT),
        ("CREATE INDEX i ON tasks (a);", LOCKING),
        ("CREATE INDEX CONCURRENTLY i ON tasks (a);", EXPAND),
        ("CREATE UNIQUE INDEX i ON tasks (a);", CONTRACT),
        ("CREATE TABLE a (id int); CREATE INDEX i ON a (id); ALTER TABLE a DROP COLUMN id;", EXPAND),
        ("CREATE TABLE a (id int); CREATE INDEX i ON b (id);", LOCKING),
        ("INSERT INTO a VALUES ('x; DROP TABLE a');", EXPAND),
        ("COMMENT ON TABLE a IS 'it''s; fine';", EXPAND),
        ("-- DROP TABLE a\nUPDATE alembic_version SET version_num='2';", EXPAND),
        ("/* fine */ DROP /* really */ TABLE a;", CONTRACT),
        ("DO $$ BEGIN PERFORM 1; END $$;", CONTRACT),
        ("ALTER TYPE mood ADD VALUE 'ok';", EXPAND),
        ("ALTER SYSTEM SET fsync = off;", CONTRACT),
        ("CREATE TABLE a (id int); DROP TABLE b; CREATE INDEX i ON b (x);", CONTRACT),
    ],
)
def test_the_worst_statement_decides(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


def test_what_is_not_known_says_so() -> None:
    assert "not known to be safe: VACUUM" in judge_migration("1", "VACUUM (FREEZE) a").reason


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nuke(1)", "not known to be safe: it calls nuke: SELECT nuke(1)"),
        ("SELECT a.nuke(1), now()", "it calls a.nuke: SELECT a.nuke(1)"),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS int AS ''",
            "without OR REPLACE it cannot: CREATE OR REPLACE FUNCTION f",
        ),
        ("CREATE TABLE t AS SELECT 1; ALTER TABLE t INHERIT u", "the other table is not new: ALTER TABLE t INHERIT u"),
        ("UPDATE t SET a = %(a)s", "a value is not told: UPDATE t SET a = %(a)s"),
    ],
)
def test_the_reason_names_what_is_not_known(sql: str, said: str) -> None:
    assert said in judge_migration("1", sql).reason


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("CREATE TABLE a (i int);\nALTER TABLE a\n DROP i;\nALTER TABLE b DROP i;", [0, 3]),
        ("CREATE TABLE a (i int);\nDROP TABLE a;\nDROP TABLE a;", [0, 2]),
        ("CREATE TABLE a (i int);\nALTER TABLE a ADD b int;\nCREATE INDEX ON a (i);", [0, 1, 2]),
        ("ALTER TABLE a DROP i;\nCREATE TABLE a (i int);", [0, 1]),
        ("SELECT 'open\nDROP TABLE a", [0, 1]),
        ("", []),
    ],
)
def test_squawk_is_not_told_what_is_done_to_new_tables(sql: str, told: list[int]) -> None:
    lines = without_own(sql).split("\n")
    assert len(lines) == len(sql.split("\n")), "each line stays where it is"
    assert [number for number, line in enumerate(lines) if line.strip(" ;")] == told


def test_squawk_adds_what_the_rules_do_not_see() -> None:
    def found(rule: str) -> Finding:
        return Finding(tool="squawk", rule=rule, severity=Severity.HIGH, message="m", fingerprint="f")

    sql = "UPDATE a SET b = 1;"
    assert judge_migration("1", sql, [found("prefer-text-field")]).kind is EXPAND
    assert judge_migration("1", sql, [found("constraint-missing-not-valid")]).kind is LOCKING
    assert judge_migration("1", sql, [found("renaming-column")]).kind is CONTRACT


def steps(*pairs: tuple[str, Kind]) -> list[Step]:
    return [Step(revision=revision, kind=kind, reason=f"reason of {revision}") for revision, kind in pairs]


def test_pending_is_what_the_live_version_lacks() -> None:
    old, new = steps(("1", EXPAND)), steps(("1", EXPAND), ("2", CONTRACT))
    assert [one.revision for one in pending(new, old)] == ["2"]
    assert pending(old, new) == []


def test_only_a_contract_that_is_approved_by_name_passes() -> None:
    new = steps(("1", EXPAND), ("2", CONTRACT), ("3", LOCKING))
    assert [one.revision for one in unapproved(new, [])] == ["2"]
    assert [one.revision for one in unapproved(new, ["3"])] == ["2"]
    assert unapproved(new, ["2"]) == []


def test_older_versions_without_the_contract_are_unsafe() -> None:
    new = steps(("1", EXPAND), ("2", CONTRACT))
    found = unsafe(new, {"old": steps(("1", EXPAND)), "same": new, "unknown": ()})
    assert list(found) == ["old", "unknown"]
    assert "migration 2 took away what it needs" in found["old"]
    assert unsafe(steps(("3", EXPAND)), {"old": ()}) == {}
