"""When something was signed, and whether a revocation covers that."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from evidence.revocation import Revocation, read_revocations, signed_at

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("statement", "at"),
    [
        ({"predicate": {"at": "2026-03-01T12:00:00Z"}}, NOON),
        ({"predicate": {"at": "2026-03-01T13:00:00+01:00"}}, NOON),
        ({"predicate": {"runDetails": {"metadata": {"finishedOn": "2026-03-01T12:00:00Z"}}}}, NOON),
        ({"predicate": {"metadata": {"timestamp": "2026-03-01T12:00:00"}}}, NOON),
        ({"at": "2026-03-01T12:00:00+00:00", "data": {}}, NOON),
        ({"predicate": {"at": "soon"}}, None),
        ({"predicate": {"at": 5}}, None),
        ({"predicate": []}, None),
        ({}, None),
    ],
)
def test_a_statement_says_when_it_was_signed(statement: dict[str, object], at: datetime | None) -> None:
    assert signed_at(statement) == at


@pytest.mark.parametrize(
    ("since", "at", "covered"),
    [
        (None, NOON, True),
        (None, None, True),
        (NOON, None, True),
        (NOON, NOON, True),
        (NOON, NOON.replace(hour=11), False),
        (date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC), True),
        (date(2026, 3, 1), datetime(2026, 2, 28, 23, 59, tzinfo=UTC), False),
    ],
)
def test_a_revocation_covers_what_was_signed_since(
    since: datetime | date | None, at: datetime | None, covered: bool
) -> None:
    assert Revocation(key="0" * 16, since=since, reason="lost").covers(at) is covered


def test_without_a_file_nothing_is_revoked(tmp_path: Path) -> None:
    assert read_revocations(tmp_path / "revoked.toml") == ()
