"""What a migration sets for itself: how long it may wait for a lock, in each way to say it."""

import pytest

from gates.migrations.revision import judge_migration
from gates.migrations.statements import Kind

EXPAND, LOCKING, CONTRACT = Kind


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT set_config('lock' || '_timeout', '0', false)", CONTRACT),
        ("SELECT set_config(U&'lock\\005ftimeout', '0', false)", CONTRACT),
        ("SELECT set_config(name, setting, false) FROM pg_settings", CONTRACT),
        ('SET U&"lock_timeout" = 0', CONTRACT),
        ('SET "lock_timeout"=0', LOCKING),
        ("SET LOCAL \"Lock_Timeout\" TO '1h'", LOCKING),
        ("SELECT set_config('lock_timeout', '0', false)", LOCKING),
        ("SELECT pg_catalog.set_config('Lock_Timeout', NULL, false)", LOCKING),
        ("SELECT set_config('lock_timeout', '0' || x, false) FROM t", LOCKING),
        ("SELECT set_config('a.b', 'x', true), set_config('lock_timeout', '11s', true)", LOCKING),
        ("SELECT pg_catalog.set_config('search_path', '', false)", EXPAND),
        ("SELECT set_config('lock_timeout', '2s', false)", EXPAND),
        ("SELECT 'lock_timeout', set_config('a.b', 'x', true)", EXPAND),
        ("SET LOCAL my.name = 'x'", EXPAND),
        ("SET TIME ZONE 'UTC'", EXPAND),
        ("RESET lock_timeout", EXPAND),
    ],
)
def test_a_long_wait_for_a_lock_is_seen(sql: str, kind: Kind) -> None:
    assert judge_migration("1", sql).kind is kind
