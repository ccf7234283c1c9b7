from datetime import UTC, datetime, timedelta

import pytest

from gates.check import Check, Outcome
from gates.release.freshness import stale_scans

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CHECKS = [Check(name=name, outcome=Outcome.PASSED, reason="") for name in ("dependency", "code")]


def stale(age: timedelta, required: tuple[str, ...] = ("dependency",)) -> str:
    return stale_scans("assistant 1.4.2", "c" * 40, required, CHECKS, NOW - age, NOW, timedelta(hours=24))


def test_the_message_says_what_to_do() -> None:
    said = "assistant 1.4.2: dependency scan is 26 h old, limit 24 h; run: prefect deployment run security/nightly"
    assert stale(timedelta(hours=26)) == f"{said} -p commit=cccccccccccc"
    assert "scans (dependency, code) are 26 h old" in stale(timedelta(hours=26), ("dependency", "code"))


@pytest.mark.parametrize(
    ("age", "blocks"),
    [
        (timedelta(0), False),
        (timedelta(hours=24), False),
        (timedelta(hours=24, seconds=1), True),
        (-timedelta(minutes=5), False),
        (-timedelta(minutes=5, seconds=1), True),
    ],
)
def test_both_sides_of_the_limit_and_of_the_clocks(age: timedelta, blocks: bool) -> None:
    assert bool(stale(age)) is blocks


def test_what_is_not_required_may_be_old() -> None:
    assert stale(timedelta(days=9), ()) == ""


def test_a_scan_of_the_future_is_told_with_its_date() -> None:
    assert stale(-timedelta(hours=1)) == (
        "assistant 1.4.2: dependency scan is dated 2026-03-01 01:00 UTC, which is in the future; look at the clocks"
    )


def test_hours_are_told_as_people_say_them() -> None:
    said = stale_scans(
        "v1", "c" * 13, ("code",), CHECKS, NOW - timedelta(hours=40, minutes=40), NOW, timedelta(hours=1.5)
    )
    assert said == (
        "v1: code scan is 41 h old, limit 1.5 h; run: prefect deployment run security/nightly -p commit=cccccccccccc"
    )


def test_a_required_scan_that_is_not_there_is_not_named() -> None:
    assert "scan is 26 h old" in stale(timedelta(hours=26), ("dependency", "absent"))
    assert stale(timedelta(hours=26), ("absent",)) == ""
