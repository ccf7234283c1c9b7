"""What a statement returns may depend on the rows that are there, or on the schema alone."""

import pytest

from gates.migrations.rows import reads_rows


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM a",
        'SELECT "id"\nFROM "a"',
        "select exists (select 1 from users)",
        "SELECT c.relname FROM pg_class c, a",
        "SELECT 1 FROM pg_class JOIN a ON true",
        "SELECT 1 FROM pg_class LEFT JOIN a ON true",
        "SELECT (SELECT max(id) FROM a) FROM pg_class",
        "SELECT * FROM (SELECT * FROM a) x",
        "SELECT * FROM pg_class, LATERAL (SELECT * FROM a) x",
        "SELECT 1 FROM pg_class UNION SELECT 1 FROM a",
        "WITH x AS (SELECT b FROM a) SELECT 1",
        "WITH x AS (TABLE a) SELECT 1",
        "TABLE a",
        "SELECT * FROM unnest((SELECT array_agg(id) FROM a))",
        "DELETE FROM a RETURNING id",
        "UPDATE a SET b = 1 RETURNING id",
        "INSERT INTO a SELECT * FROM b RETURNING id",
        "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING RETURNING id",
        "EXECUTE prepared",
        "FETCH ALL FROM c",
        "EXPLAIN ANALYZE SELECT 1",
        "",
    ],
)
def test_what_depends_on_rows(statement: str) -> None:
    assert reads_rows(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT version()",
        "SELECT now(), nextval('s')",
        "SHOW server_version",
        "VALUES (1)",
        "SELECT to_regclass('a')",
        "SELECT 1 FROM information_schema.columns WHERE table_name = 'a' AND column_name = 'b'",
        "SELECT 1 FROM information_schema.tables WHERE table_name = 'a'",
        "SELECT relname FROM pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1",
        "SELECT relname FROM pg_class c, pg_namespace n WHERE n.oid = c.relnamespace",
        "SELECT EXISTS (SELECT 1 FROM pg_type WHERE typname = 'mood')",
        "SELECT attname FROM pg_index i, LATERAL unnest(i.indkey) AS k",
        "SELECT * FROM (SELECT oid FROM pg_class) x",
        'SELECT 1 FROM "pg_catalog"."pg_class"',
        "INSERT INTO a (b) VALUES (1) RETURNING id",
        'INSERT INTO "people_person" ("name") VALUES (%s) RETURNING "people_person"."id"',
    ],
)
def test_what_depends_on_the_schema_alone(statement: str) -> None:
    assert not reads_rows(statement)
