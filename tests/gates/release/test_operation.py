"""What an operation was for, and whether it ended as it was meant to."""

from datetime import UTC, datetime, timedelta

import pytest

from gates.release.operation import Operation, OperationKind, Outcome, Version, succeeded

RELEASE, ROLLBACK = OperationKind
VERSION = Version("1" * 64, "v1", "c" * 40)


@pytest.mark.parametrize(
    ("kind", "outcome", "good"),
    [
        (RELEASE, Outcome.PROMOTED, True),
        (RELEASE, Outcome.ROLLED_BACK, False),
        (RELEASE, Outcome.RESTORED, False),
        (RELEASE, None, False),
        (ROLLBACK, Outcome.ROLLED_BACK, True),
        (ROLLBACK, Outcome.RESTORED, False),
        (ROLLBACK, None, False),
        ("experiment", Outcome.ROLLED_BACK, False),
        (RELEASE, "superseded", False),
    ],
)
def test_a_rollback_succeeds_by_rolling_back_and_a_release_by_promoting(
    kind: str, outcome: str | None, good: bool
) -> None:
    assert succeeded(kind, outcome) is good


def test_an_operation_that_goes_on_has_no_duration_yet() -> None:
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)
    operation = Operation("op1", RELEASE, VERSION, "blue", None, began, 1)
    assert operation.seconds is None
    operation.ended = began + timedelta(seconds=2.5)
    assert operation.seconds == 2.5


def test_a_version_reads_as_people_know_it() -> None:
    assert str(VERSION) == "v1 (111111111111)"
