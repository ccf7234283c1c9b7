"""Columns that ALTER TABLE adds, and their defaults."""

import pytest

from gates.migrations.revision import judge_migration
from gates.migrations.statements import Kind

EXPAND, LOCKING, CONTRACT = Kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("ALTER TABLE t ALTER a SET DEFAULT NULL", CONTRACT),
        ("ALTER TABLE t ALTER a SET DEFAULT (NULL::text)", CONTRACT),
        ("ALTER TABLE t ADD a text DEFAULT NULL::text NOT NULL", CONTRACT),
        ("ALTER TABLE t ADD a int DEFAULT (NULL) NOT NULL", CONTRACT),
        ("ALTER TABLE t ADD a text DEFAULT NULLIF('a', 'a') NOT NULL", CONTRACT),
        ("ALTER TABLE t ADD a int UNIQUE NULLS NOT DISTINCT", CONTRACT),
        ("ALTER TABLE t ADD b text GENERATED ALWAYS AS (lower(email)) STORED UNIQUE", CONTRACT),
        ("ALTER TABLE t ADD b text GENERATED ALWAYS AS (lower(email)) STORED NOT NULL", CONTRACT),
        ("ALTER TABLE t ADD b int GENERATED ALWAYS AS (identity) STORED NOT NULL", CONTRACT),
        ("ALTER TABLE t ADD b int GENERATED ALWAYS AS (a) STORED REFERENCES o (id)", CONTRACT),
        ("ALTER TABLE t ADD b text DEFAULT lower('A') UNIQUE", CONTRACT),
        ("ALTER TABLE t ADD n int NULL CHECK (n >= 0)", CONTRACT),
        ("ALTER TABLE t ADD a int UNIQUE NULLS DISTINCT", LOCKING),
        ("ALTER TABLE t ADD a int DEFAULT NULL UNIQUE", LOCKING),
        ("ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid() UNIQUE NOT NULL", LOCKING),
        ("ALTER TABLE t ADD b text GENERATED ALWAYS AS (lower(email)) STORED", LOCKING),
        ("ALTER TABLE t ADD b int GENERATED ALWAYS AS IDENTITY (START 5) UNIQUE NOT NULL", LOCKING),
        ('ALTER TABLE t ADD a "bigserial"', LOCKING),
        ("ALTER TABLE t ADD b int DEFAULT x.now()", LOCKING),
        ("ALTER TABLE t ADD b record DEFAULT x.row(1)", LOCKING),
        ("ALTER TABLE t ADD a double precision DEFAULT random()", LOCKING),
        ('ALTER TABLE t ADD a "Bigserial"', EXPAND),
        ("ALTER TABLE t ADD a int DEFAULT NULL", EXPAND),
        ("ALTER TABLE t ALTER a SET DEFAULT 'NULL'", EXPAND),
        ("ALTER TABLE t ADD a timestamptz DEFAULT timezone('utc', now()) NOT NULL", EXPAND),
        ("ALTER TABLE t ADD a timestamptz DEFAULT pg_catalog.now()", EXPAND),
    ],
)
def test_a_new_column_must_not_ask_anything_of_old_code(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind
