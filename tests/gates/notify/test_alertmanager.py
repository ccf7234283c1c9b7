"""What Alertmanager says is read, or refused with what is wrong with it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.notify.alertmanager import Malformed, read_alerts, runbook_link

ALERT = {
    "status": "firing",
    "labels": {"alertname": "ErrorRateHigh", "environment": "production", "severity": "critical", "digest": "d" * 64},
    "annotations": {"summary": "production: 24%\nof the answers", "runbook": "docs/operations.md#an-alert-fires"},
    "startsAt": "2026-01-01T12:00:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "fingerprint": "9b1f8a4c5d6e7f80",
}
BASE = "https://wiki.example/run"


def body(*alerts: Any, version: str = "4") -> bytes:
    return json.dumps({"version": version, "status": "firing", "alerts": alerts}).encode()


def test_an_alert_is_read() -> None:
    (one,) = read_alerts(body(ALERT), ["production"])
    assert (one.name, one.environment, one.severity, one.critical) == ("ErrorRateHigh", "production", "critical", True)
    assert one.digest == "d" * 64 and one.summary == "production: 24% of the answers" and not one.over
    (over,) = read_alerts(body({**ALERT, "status": "resolved"}), ["production"])
    assert over.over and over.mark == one.mark


def test_what_is_about_no_environment_of_ours_blames_none() -> None:
    for name in ("control", "Production", "../production", ""):
        labels = {**ALERT["labels"], "environment": name}  # type: ignore[dict-item]
        assert read_alerts(body({**ALERT, "labels": labels}), ["production"])[0].environment == ""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"[" * 100_000,
        body(ALERT, version="5"),
        body(*[ALERT] * 201),
        body({**ALERT, "status": "else"}),
        body({**ALERT, "startsAt": "yesterday"}),
        body({**ALERT, "fingerprint": "not hex"}),
        body({**ALERT, "labels": {}}),
        body({**ALERT, "labels": {"alertname": "a b"}}),
        body({**ALERT, "labels": {"alertname": "A", "digest": "../x"}}),
        body({**ALERT, "labels": {"alertname": "A", "digest": 5}}),
        body({**ALERT, "annotations": {"summary": "x" * 5000}}),
    ],
)
def test_malformed_is_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_alerts(raw, ["production"])


@pytest.mark.parametrize(
    ("runbook", "base", "link"),
    [
        ("https://elsewhere.example/x", BASE, "https://elsewhere.example/x"),
        ("docs/operations.md#an-alert-fires", BASE, f"{BASE}#an-alert-fires"),
        ("docs/operations.md#an-alert-fires", "", ""),
        ("", BASE, BASE),
        ("https://x.example/|<!channel>", BASE, BASE),
        ("docs#a b", BASE, BASE),
        ("javascript:alert(1)", BASE, BASE),
        ("javascript:alert(1)", "", ""),
    ],
)
def test_a_runbook_is_an_address_or_a_place_in_ours(runbook: str, base: str, link: str) -> None:
    assert runbook_link(runbook, base) == link


@pytest.mark.parametrize("starts", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_clock_shows_is_refused(starts: str) -> None:
    with pytest.raises(Malformed, match="startsAt"):
        read_alerts(body({**ALERT, "startsAt": starts}), ["production"])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from([*ALERT, "alertname"]), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.fuzz
@given(
    changes=st.dictionaries(st.sampled_from([*ALERT]), VALUES, max_size=3),
    labels=st.dictionaries(st.sampled_from(["alertname", "environment", "severity", "digest"]), VALUES, max_size=3),
)
def test_any_alert_is_read_or_refused(changes: dict[str, Any], labels: dict[str, Any]) -> None:
    changed = {**ALERT, "labels": {**ALERT["labels"], **labels}, **changes}  # type: ignore[dict-item]
    try:
        (one,) = read_alerts(body(changed), ["production"])
    except Malformed as error:
        assert len(str(error)) <= 300
        return
    assert one.environment in ("", "production") and one.mark and "\n" not in one.summary
    assert not set(runbook_link(one.runbook, BASE)) & set(" <>|\n")


@pytest.mark.fuzz
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_alerts(raw, ["production"])


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(Malformed):
        read_alerts(b'{"version": "4", "alerts": ' + b"[" * 500_000, [])
