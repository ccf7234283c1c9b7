"""Commands of SQL that do more than their first word says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.migrations.revision import judge_migration, without_own
from gates.migrations.statements import Kind

EXPAND, LOCKING, CONTRACT = Kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE SCHEMA s CREATE TABLE a (i int) CREATE TRIGGER x BEFORE INSERT ON a EXECUTE FUNCTION f()", CONTRACT),
        ("CREATE SCHEMA AUTHORIZATION joe CREATE VIEW v AS SELECT 1", CONTRACT),
        ("CREATE DOMAIN d AS int NOT NULL", CONTRACT),
        ("CREATE DOMAIN d AS int CHECK (VALUE IS NOT NULL)", CONTRACT),
        ("CREATE DOMAIN d AS int CHECK (nuke(VALUE))", CONTRACT),
        ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'", CONTRACT),
        ("CREATE OR REPLACE PROCEDURE f() LANGUAGE sql AS 'select 1'", CONTRACT),
        ("CREATE FUNCTION lower(users) RETURNS text LANGUAGE sql AS 'x'", CONTRACT),
        ("CREATE FUNCTION x.\"filter\"(users) RETURNS text LANGUAGE sql AS 'x'", CONTRACT),
        ("CREATE FUNCTION U&\"f\"() RETURNS text LANGUAGE sql AS 'x'", CONTRACT),
        ("CREATE AGGREGATE count(users) (SFUNC = f, STYPE = int)", CONTRACT),
        ("CREATE POLICY p ON t USING (true)", CONTRACT),
        ("COMMIT PREPARED 'x'", CONTRACT),
        ("CREATE SCHEMA s", EXPAND),
        ("CREATE SCHEMA IF NOT EXISTS s AUTHORIZATION joe", EXPAND),
        ("CREATE SCHEMA AUTHORIZATION joe", EXPAND),
        ("CREATE DOMAIN d AS varchar(20) CHECK (VALUE ~ '^a' AND length(VALUE) < 3)", EXPAND),
        ("CREATE FUNCTION lower_all(users) RETURNS text LANGUAGE sql AS 'x'", EXPAND),
        ("CREATE TABLE t (i int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true)", EXPAND),
        ("COMMIT", EXPAND),
    ],
)
def test_what_a_command_holds_is_judged(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("REINDEX (CONCURRENTLY FALSE) TABLE t", LOCKING),
        ("REFRESH MATERIALIZED VIEW v", LOCKING),
        ("DROP INDEX uq_users_email", LOCKING),
        ("REINDEX (VERBOSE) INDEX CONCURRENTLY i", EXPAND),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", EXPAND),
    ],
)
def test_concurrently_is_a_word_in_its_place(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


BEGINNINGS = st.sampled_from(
    ["ALTER", "ALTER TABLE", "CREATE", "CREATE FUNCTION", "CREATE TABLE", "DELETE", "DROP", "DROP TABLE", "INSERT INTO"]
    + ["REINDEX", "SELECT set_config(", "SET", "TRUNCATE", "UPDATE", "WITH", "WITH x AS (", ""]
)
WORDS = st.sampled_from(
    """ADD ALTER AS ATTACH CONFLICT CONSTRAINT COLUMN CREATE DEFAULT DELETE DO DOMAIN EXECUTE EXISTS FROM FUNCTION
    GENERATED IDENTITY IF INDEX INTO LOCAL MATERIALIZED NOT NULL OF ON ONLY OR OWNED OWNER PARTITION BY RECURSIVE
    REFERENCES RENAME REPLACE SCHEMA SELECT SEQUENCE SESSION SET TABLE TEMP TO TRIGGER TYPE UNIQUE UPDATE VALUES VIEW
    WHERE WITH set_config lock_timeout a b U&"a" "q" 'x' ( ) [ ] , ; . : * = % $ ? 1""".split()
)


@pytest.mark.fuzz
@settings(deadline=None)
@given(BEGINNINGS, st.lists(WORDS, max_size=15))
def test_any_words_are_judged(beginning: str, words: list[str]) -> None:
    sql = " ".join((beginning, *words))
    closed = sql + " )" * max(0, sum(map(sql.count, "([")) - sum(map(sql.count, ")]")))
    assert judge_migration("1", closed).reason
    without_own(closed)
