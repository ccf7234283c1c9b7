"""What a migration has made itself may be done anything to, and what it has not may not be taken for that."""

import pytest

from gates.migrations.revision import judge_migration
from gates.migrations.statements import Kind

EXPAND, LOCKING, CONTRACT = Kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ('CREATE TABLE u (i int); ALTER TABLE U&"users" DROP COLUMN email', CONTRACT),
        ('CREATE TABLE u (i int); ALTER TABLE u&"\\0075" DROP COLUMN email', CONTRACT),
        ('CREATE TABLE U&"d!0061t" (i int); ALTER TABLE U&"d!0061t" UESCAPE \'!\' DROP COLUMN email', CONTRACT),
        ('CREATE TABLE u (i int); CREATE UNIQUE INDEX ON U&"users" (i)', CONTRACT),
        (
            'CREATE TABLE u (i int); CREATE TRIGGER x BEFORE INSERT ON U&"users" FOR EACH ROW EXECUTE FUNCTION f()',
            CONTRACT,
        ),
        ("CREATE TABLE (x); ALTER TABLE ONLY (users) DROP COLUMN email", CONTRACT),
        ('CREATE TABLE "all" (i int); ALTER TABLE ALL IN TABLESPACE x SET TABLESPACE y', CONTRACT),
        (
            "CREATE TEMP TABLE users (i int); ALTER TABLE users RENAME TO x; ALTER TABLE users DROP COLUMN email",
            CONTRACT,
        ),
        (
            "CREATE TEMP TABLE users (i int); ALTER TABLE users SET SCHEMA x; ALTER TABLE users DROP COLUMN email",
            CONTRACT,
        ),
        ("CREATE TEMP TABLE users (i int); DROP TABLE users; ALTER TABLE users DROP COLUMN email", CONTRACT),
        ("CREATE TEMP TABLE users (i int); DROP TABLE users; DROP TABLE users", CONTRACT),
        ('CREATE TABLE a (i int); SET "Search_Path" = x; ALTER TABLE a DROP COLUMN i', CONTRACT),
        ("CREATE TABLE public.t (i int); ALTER TABLE t DROP COLUMN i", CONTRACT),
        ('CREATE TABLE u (i int); SELECT u & "users" FROM u; ALTER TABLE u DROP COLUMN i', EXPAND),
        (
            "CREATE TEMP TABLE users (i int); ALTER TABLE users RENAME COLUMN i TO j; ALTER TABLE users DROP COLUMN j",
            EXPAND,
        ),
    ],
)
def test_a_name_means_what_it_means_then(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("DROP TABLE a", CONTRACT),
        ("CREATE TABLE a (i int); DROP TABLE a CASCADE", CONTRACT),
        ("CREATE TABLE a (i int); DROP TABLE a, b", CONTRACT),
        ("CREATE TABLE a (i int); TRUNCATE a CASCADE", CONTRACT),
        ("CREATE TABLE a (i int); TRUNCATE a, b", CONTRACT),
        ("CREATE TABLE a (i int); DELETE FROM b", CONTRACT),
        ("CREATE TABLE a (i int); DELETE FROM a WHERE nuke(i)", CONTRACT),
        ("CREATE VIEW v AS SELECT * FROM users; DELETE FROM v", CONTRACT),
        ("CREATE VIEW v AS SELECT * FROM users; DROP TABLE v", CONTRACT),
        ("CREATE OR REPLACE VIEW v AS SELECT 1; DROP VIEW v", CONTRACT),
        ("CREATE FOREIGN TABLE f (i int) SERVER s; DELETE FROM f", CONTRACT),
        ("CREATE TABLE o (i int); ALTER TABLE u ADD o int REFERENCES o (i) ON DELETE CASCADE; DELETE FROM o", CONTRACT),
        ("CREATE TABLE o (i int); ALTER TABLE u ADD o int REFERENCES x.o ON DELETE CASCADE; DELETE FROM o", CONTRACT),
        ("CREATE TABLE o (i int); ALTER TABLE u ADD x int REFERENCES x ON DELETE CASCADE; DELETE FROM o", LOCKING),
        (
            "CREATE TABLE o (i int); ALTER TABLE u ADD o int REFERENCES o ON UPDATE CASCADE; UPDATE o SET i = NULL",
            CONTRACT,
        ),
        (
            "CREATE TABLE a (i int); UPDATE a SET i = NULL; DELETE FROM ONLY a; TRUNCATE a; DROP TABLE IF EXISTS a",
            EXPAND,
        ),
        ("CREATE TEMP TABLE x AS SELECT 1 AS a; UPDATE t SET a = 1 FROM x; DROP TABLE x", EXPAND),
        (
            "CREATE VIEW v AS SELECT 1; DROP VIEW v; CREATE MATERIALIZED VIEW m AS SELECT 1; DROP MATERIALIZED VIEW m",
            EXPAND,
        ),
        ("CREATE TABLE a (i int); INSERT INTO a VALUES (1) ON CONFLICT (i) DO UPDATE SET i = NULL", EXPAND),
        (
            "CREATE TABLE o (i int); ALTER TABLE u ADD o int REFERENCES o ON DELETE CASCADE; ALTER TABLE o DROP i",
            LOCKING,
        ),
    ],
)
def test_what_is_new_may_go(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("ALTER TABLE t ADD c int; UPDATE t SET c = a IS DISTINCT FROM b, email = NULL", CONTRACT),
        ("ALTER TABLE t ADD c int; UPDATE t SET (c, email) = (1, NULL)", CONTRACT),
        ("ALTER TABLE t ADD IF NOT EXISTS c int; UPDATE t SET c = NULL", CONTRACT),
        ("ALTER TABLE t ADD c int; UPDATE u SET c = NULL", CONTRACT),
        ("ALTER TABLE t ADD c int; SET search_path = x; UPDATE t SET c = NULL", CONTRACT),
        ("ALTER TABLE t ADD c int; UPDATE t SET c = nuke()", CONTRACT),
        ("CREATE TEMP TABLE t (c int); ALTER TABLE t ADD d int; DROP TABLE t; UPDATE t SET d = NULL", CONTRACT),
        ("ALTER TABLE t ADD COLUMN c int; UPDATE t SET c = NULLIF(a, 0)", EXPAND),
        (
            "ALTER TABLE t ADD c int, ADD d int; UPDATE t SET c = CASE WHEN a THEN 1 END, d = NULL FROM x WHERE b",
            EXPAND,
        ),
        ("ALTER TABLE t ADD c int, ADD d int; UPDATE t SET (c, d) = (NULL, 1)", EXPAND),
    ],
)
def test_a_new_column_may_be_filled_as_it_likes(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE TABLE p (i int) PARTITION BY RANGE (i); ALTER TABLE p ATTACH PARTITION users DEFAULT", CONTRACT),
        ("CREATE TABLE p (i int); ALTER TABLE p INHERIT users", CONTRACT),
        ("CREATE TABLE c PARTITION OF p DEFAULT; ALTER TABLE c ADD CHECK (false)", CONTRACT),
        ("CREATE TABLE p (i int); CREATE TABLE c (i int); ALTER TABLE ONLY p ATTACH PARTITION c DEFAULT", EXPAND),
        ("CREATE TABLE p (i int); CREATE TABLE c PARTITION OF p DEFAULT; ALTER TABLE c ADD CHECK (false)", EXPAND),
        ("CREATE TABLE p (i int); CREATE TABLE c (i int); ALTER TABLE c INHERIT p", EXPAND),
        ("ALTER INDEX p_i ATTACH PARTITION c_i", EXPAND),
    ],
)
def test_what_is_new_takes_in_only_what_is_new(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("ALTER TABLE t OWNER TO other", CONTRACT),
        ("ALTER SEQUENCE s OWNER TO other", CONTRACT),
        ("ALTER FUNCTION f() OWNER TO other", CONTRACT),
        ("CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'x'; ALTER FUNCTION f(a text) OWNER TO other", CONTRACT),
        ("CREATE VIEW v AS SELECT 1; ALTER TABLE v ALTER COLUMN a SET DEFAULT NULL", CONTRACT),
        ("ALTER SEQUENCE s RESTART WITH 1", CONTRACT),
        ("ALTER SEQUENCE s OWNED BY t.id RESTART WITH 1", CONTRACT),
        ("CREATE TABLE public.t (id int); ALTER TABLE public.t OWNER TO other", EXPAND),
        (
            "CREATE SEQUENCE public.s; ALTER TABLE public.s OWNER TO other; ALTER SEQUENCE public.s OWNER TO other",
            EXPAND,
        ),
        ("CREATE VIEW v AS SELECT 1; ALTER VIEW v OWNER TO other", EXPAND),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1; ALTER MATERIALIZED VIEW v OWNER TO other", EXPAND),
        (
            "CREATE FUNCTION a.f(i int, j int = 1) RETURNS int AS 'x'; ALTER FUNCTION a.f(i int, j int) OWNER TO b",
            EXPAND,
        ),
        ("CREATE TYPE public.mood AS ENUM ('a'); ALTER TYPE public.mood OWNER TO other", EXPAND),
        ("SET search_path = ''; CREATE SCHEMA s; ALTER SCHEMA s OWNER TO other", EXPAND),
        ("CREATE TABLE t (id int); CREATE SEQUENCE s; ALTER SEQUENCE s OWNED BY t.id", EXPAND),
        ("ALTER SEQUENCE public.s OWNED BY NONE", EXPAND),
    ],
)
def test_only_what_is_new_changes_its_owner(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind
