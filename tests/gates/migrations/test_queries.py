"""What reads or writes rows: by its values, by what else changes rows in it, and by the functions that it calls."""

import pytest

from gates.migrations.revision import judge_migration
from gates.migrations.statements import Kind

EXPAND, LOCKING, CONTRACT = Kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        (
            "CREATE FUNCTION pg_temp.up() RETURNS void AS $$ BEGIN EXECUTE 'DROP TABLE t'; END $$; SELECT pg_temp.up()",
            CONTRACT,
        ),
        ("SELECT DropGeometryColumn('users', 'geom')", CONTRACT),
        ("SELECT drop_chunks(interval '1 day', 't')", CONTRACT),
        ("SELECT dblink_exec('x', 'DROP TABLE users')", CONTRACT),
        ("SELECT lo_unlink(oid) FROM t", CONTRACT),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity", CONTRACT),
        ("SELECT query_to_xml('DROP TABLE users', true, true, '')", CONTRACT),
        ("INSERT INTO t SELECT nuke()", CONTRACT),
        ('INSERT INTO t (a, b) VALUES (1, "Nuke" (2))', CONTRACT),
        ("INSERT INTO t (a) VALUES (1) RETURNING public.nuke(a)", CONTRACT),
        ("CREATE TABLE t2 AS EXECUTE nuke", CONTRACT),
        ("CREATE TABLE t2 (a) AS SELECT nuke()", CONTRACT),
        ("CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT nuke()", CONTRACT),
        ("VALUES (nuke())", CONTRACT),
        ("UPDATE t SET a = 1 WHERE nuke(a)", CONTRACT),
        ("UPDATE t SET a = x.lower(a)", CONTRACT),
        ('SELECT U&"now"()', CONTRACT),
        ("SELECT a FROM t, dblink('x', 'DROP TABLE u') AS (a int)", CONTRACT),
        ("SELECT DISTINCT ON (a) nuke(b) FROM t", CONTRACT),
        ("SELECT 1 OPERATOR(pg_catalog.+) nuke(2)", CONTRACT),
        ("SELECT a IS DISTINCT FROM OPERATOR(pg_catalog.-) nuke(b) FROM t", CONTRACT),
        ("SELECT count(*) FILTER (WHERE nuke(a)) OVER (PARTITION BY b) FROM t", CONTRACT),
        ("SELECT count(*) OVER (PARTITION BY nuke(b)) FROM t", CONTRACT),
        ("SELECT a[1:nuke(2)] FROM t", CONTRACT),
        ("WITH x AS (SELECT 1) SELECT nuke()", CONTRACT),
        ("WITH x AS (SELECT nuke()) SELECT 1", CONTRACT),
        ("SELECT pg_advisory_xact_lock(1)", LOCKING),
        ("SELECT 1", EXPAND),
        ("SELECT now(), pg_catalog.now(), \"lower\"('A'), CURRENT_TIMESTAMP(3)", EXPAND),
        ('SELECT setval(pg_get_serial_sequence(\'"t"\', \'i\'), coalesce(max("i"), 1), false) FROM "t"', EXPAND),
        (
            "INSERT INTO t (a, b) SELECT a, CAST(b AS varchar(2)) FROM (VALUES (1, 'x')) AS v (a, b) WHERE a IN (1)",
            EXPAND,
        ),
        ("INSERT INTO public.t (a, b) SELECT * FROM (VALUES (1, 'x')) v(a, b)", EXPAND),
        ("INSERT INTO t (a) SELECT u.a FROM unnest(ARRAY[1, 2]) WITH ORDINALITY u(a, b)", EXPAND),
        ("INSERT INTO t (a) SELECT u.a FROM x JOIN unnest(ARRAY[1, 2]) u(a) ON true", EXPAND),
        ("SELECT count(*) FILTER (WHERE a > 1) OVER (PARTITION BY (b)), b::numeric(10, 2) FROM t", EXPAND),
        ("CREATE TABLE a (b, c) AS SELECT lower(b), count(*) FROM t GROUP BY 1", EXPAND),
        ("CREATE TABLE a AS TABLE b", EXPAND),
        ("CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t; CREATE UNIQUE INDEX ON v (count)", EXPAND),
        ("INSERT INTO t VALUES (%(a)s, %(b)s)", EXPAND),
    ],
)
def test_what_a_function_does_is_asked(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("CREATE TABLE a AS WITH d AS (DELETE FROM users RETURNING *) SELECT * FROM d", CONTRACT),
        ("WITH x AS (WITH y AS (SELECT 1) DELETE FROM users RETURNING *) SELECT * FROM x", CONTRACT),
        ("WITH values AS (SELECT 1) DELETE FROM users", CONTRACT),
        ("WITH update AS (SELECT 1) DELETE FROM users", CONTRACT),
        ("WITH x (a, b) AS (SELECT 1, 2), y AS (SELECT 1) DELETE FROM users", CONTRACT),
        ("WITH x AS (SELECT 1) MERGE INTO t USING x ON true WHEN MATCHED THEN DELETE", CONTRACT),
        ("WITH x AS (UPDATE t SET a = 1 RETURNING *) INSERT INTO u SELECT * FROM x", CONTRACT),
        ("WITH x AS (SELECT 1) UPDATE t SET a = NULL", CONTRACT),
        ("WITH x SELECT 1", CONTRACT),
        ("WITH x AS MATERIALIZED (SELECT 1) INSERT INTO t SELECT * FROM x", EXPAND),
        ("WITH x AS (SELECT 1), y AS NOT MATERIALIZED (SELECT 2) SELECT * FROM x, y FOR UPDATE", EXPAND),
        (
            "WITH RECURSIVE x (i, p) AS (SELECT 1, 2), y (b) AS (SELECT 1) UPDATE t SET p = x.p FROM x WHERE a IS NULL",
            EXPAND,
        ),
    ],
)
def test_rows_that_change_inside_are_seen(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE t SET a = CAST(NULL AS text)", CONTRACT),
        ("UPDATE t SET a = 1, (b, c) = (2, NULL)", CONTRACT),
        ("UPDATE t SET a = CASE WHEN b THEN NULL ELSE a END", CONTRACT),
        ("UPDATE t SET a = CASE WHEN b THEN 1 END", CONTRACT),
        ("UPDATE t SET a = (SELECT NULL::text)", CONTRACT),
        ("UPDATE t SET a = DEFAULT", CONTRACT),
        ("UPDATE t SET a = NULLIF(a, '')", CONTRACT),
        ("UPDATE t SET a = x.a FROM (SELECT NULL::text AS a) x", CONTRACT),
        ("WITH x AS (SELECT NULL::text AS a) UPDATE t SET a = x.a FROM x", CONTRACT),
        ("INSERT INTO a VALUES (1) ON CONFLICT (i) DO UPDATE SET b = CAST(NULL AS text)", CONTRACT),
        ("UPDATE ONLY (t) SET a = 1", CONTRACT),
        ("UPDATE ONLY t * AS x SET a = now() AT TIME ZONE 'utc'", EXPAND),
        ("UPDATE t SET a = CASE WHEN d IS NULL THEN 1 WHEN d IS NOT NULL THEN 2 ELSE c END", EXPAND),
        ("UPDATE t SET a = lower(trim(b)), e = (SELECT count(*) FROM x WHERE x.id = t.id)", EXPAND),
        ("UPDATE t SET data = jsonb_set(data, '{a}', 'null'::jsonb)", EXPAND),
        ("UPDATE t SET a = 1 WHERE b = NULLIF(c, 0)", EXPAND),
    ],
)
def test_a_value_that_may_become_null_is_lost(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE t SET b=%(x)s WHERE t.id = 1", CONTRACT),
        ("UPDATE t SET a = 1, b = %s", CONTRACT),
        ("UPDATE t SET b = 'a' || %(x)s", CONTRACT),
        ("UPDATE t SET b = CASE WHEN a THEN b ELSE %(x)s END", CONTRACT),
        ("UPDATE t SET b=$1::VARCHAR", CONTRACT),
        ("UPDATE t SET b=coalesce(:x, 1)", CONTRACT),
        ("UPDATE t SET b = ?", CONTRACT),
        ("INSERT INTO t VALUES (%(a)s) ON CONFLICT (i) DO UPDATE SET b = %(a)s", CONTRACT),
        ("UPDATE t SET a = 1 WHERE id = %(id)s", EXPAND),
        ("UPDATE t SET a = b % 3, c = data ? 'x', d = e[1:2], f = g::numeric(10, 2), h = i % (2)", EXPAND),
        ("UPDATE t SET a = b @? '$.x'", EXPAND),
    ],
)
def test_a_value_that_is_not_told_may_be_null(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind
