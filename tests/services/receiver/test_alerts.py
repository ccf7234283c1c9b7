"""Alertmanager's webhooks over real HTTP: kept once, told to Prefect and Slack, and blaming only what they name."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gates.notify.messages import Message, Reply, Role
from gates.notify.slack_blocks import blocks, fallback
from notify.outbox import ALERTS
from services.receiver.alerts import LARGEST_BYTES, Alerts
from services.receiver.intake import Intake
from services.receiver.main import Receiver
from settings.notify import Notify
from tests.prefect_server import a_home, prefect_server
from tests.serving import serving
from tests.watched import Watched, watched

TOKEN = "the token of the alerts"
CONFIG = {"slack": {"token": "env:X", "channel": "C1"}, "runbook_url": "https://wiki.example/run"}


class World:
    """A receiver with its alerts, and production with a release."""

    def __init__(self, seen: Watched) -> None:
        self.seen = seen
        notify = Notify.model_validate(CONFIG)
        self.alerts = Alerts(notify, TOKEN, seen.outbox, {"production": seen.place()}, seen.api)
        self.app = Receiver(notify, "secret", Intake(notify, seen.outbox), self.alerts).app
        self.url = ""
        self.digest = seen.release()

    def alert(self, status: str = "firing", starts: datetime | None = None, **labels: str) -> dict[str, Any]:
        at = starts or datetime.now(UTC)
        given = {"alertname": "ErrorRateHigh", "environment": "production", "severity": "critical", **labels}
        return {
            "status": status,
            "labels": {name: value for name, value in given.items() if value},
            "annotations": {
                "summary": "24 % of the answers are errors",
                "runbook": "docs/operations.md#an-alert-fires",
            },
            "startsAt": at.isoformat(),
            "fingerprint": f"{abs(hash(tuple(sorted(given.items()))))  & (2**64 - 1):016x}",
        }

    def send(self, *alerts: Any, raw: bytes | None = None, **headers: str) -> httpx.Response:
        body = json.dumps({"version": "4", "status": "firing", "alerts": alerts}).encode() if raw is None else raw
        given = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json", **headers}
        return httpx.post(f"{self.url}/alerts", content=body, headers=given)

    def tell(self) -> list[dict[str, Any]]:
        self.alerts.work()
        return self.seen.server.events

    def waiting(self) -> int:
        return self.seen.outbox.backlog(ALERTS).waiting


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    home = a_home(tmp_path)
    with prefect_server(home, monkeypatch) as (server, api), watched(home, server, api, monkeypatch) as seen:
        made = World(seen)
        with serving(made.app) as made.url:
            yield made


def test_an_alert_that_names_a_digest_is_told_and_wants_a_rollback(world: World) -> None:
    assert world.send(world.alert(digest=world.digest)).status_code == 202
    alert, unhealthy = world.tell()
    assert (alert["event"], unhealthy["event"]) == ("slipway.alert", "slipway.unhealthy")
    assert unhealthy["resource"]["prefect.resource.id"] == "slipway.environment.production"
    assert unhealthy["resource"]["slipway.rollback"] == "wanted"
    payload = unhealthy["payload"]
    assert (payload["digest"], payload["version"], payload["blamed"]) == (world.digest, "v1", "named by the alert")
    assert "24 % of the answers" in payload["reason"] and all(isinstance(one, str) for one in payload.values())
    (told,) = world.seen.posts()
    assert isinstance(told.content, Message) and told.content.headline == "production: ErrorRateHigh"
    assert [link.url for link in told.content.links] == ["https://wiki.example/run#an-alert-fires"]


def test_an_alert_without_a_digest_blames_what_was_live_when_it_began_and_says_so(world: World) -> None:
    time.sleep(0.01)
    began = datetime.now(UTC)
    time.sleep(0.01)
    world.seen.release()
    world.send(world.alert(starts=began))
    unhealthy = world.tell()[1]
    assert unhealthy["payload"]["digest"] == world.digest and "not named" in unhealthy["payload"]["blamed"]
    assert unhealthy["resource"]["slipway.rollback"] == "no"


@pytest.mark.parametrize("digest", ["d" * 64, "e" * 12])
def test_an_unknown_digest_wants_nothing(world: World, digest: str) -> None:
    world.send(world.alert(digest=digest))
    unhealthy = world.tell()[1]
    assert unhealthy["payload"]["digest"] == digest and unhealthy["resource"]["slipway.rollback"] == "no"


@pytest.mark.parametrize("name", ["Invented", "DiskFilling", "errorratehigh", "slot"])
def test_an_alert_that_no_rule_of_ours_fires_as_critical_is_told_and_wants_nothing(world: World, name: str) -> None:
    world.send(world.alert(alertname=name, digest=world.digest))
    unhealthy = world.tell()[1]
    assert unhealthy["resource"]["slipway.rollback"] == "no" and unhealthy["payload"]["digest"] == world.digest
    assert f"{name} is no critical alert of config/monitoring/alerts.yml" in unhealthy["payload"]["blamed"]
    assert len(world.seen.posts()) == 1


@pytest.mark.parametrize("labels", [{"severity": "warning"}, {"environment": "control"}, {"environment": ""}])
def test_what_is_not_critical_or_about_no_environment_blames_nothing(world: World, labels: dict[str, str]) -> None:
    world.send(world.alert(digest=world.digest, **labels))
    assert [event["event"] for event in world.tell()] == ["slipway.alert"]
    assert len(world.seen.posts()) == 1


def test_information_and_environments_without_alerts_wake_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send(world.alert(severity="info"))
    monkeypatch.setenv("SLIPWAY_PRODUCTION_ALERTS", "off")
    world.alerts.places = {"production": world.seen.place()}
    world.send(world.alert(digest=world.digest))
    assert [event["event"] for event in world.tell()] == ["slipway.alert", "slipway.alert", "slipway.unhealthy"]
    assert world.tell()[2]["resource"]["slipway.rollback"] == "no"
    assert world.seen.posts() == []


def test_a_repeated_alert_is_told_once_and_its_end_too(world: World) -> None:
    alert = world.alert(digest=world.digest)
    for _ in range(3):
        assert world.send(alert).status_code == 202
    over = {**alert, "status": "resolved"}
    world.tell()
    assert world.send(over, alert).json()["said"] == "1 of 2 alerts are new"
    assert world.send(over).json()["said"] == "0 of 1 alerts are new"
    events = world.tell()
    assert [event["event"] for event in events] == ["slipway.alert", "slipway.unhealthy", "slipway.alert"]
    assert len({event["id"] for event in events}) == 3
    first, second, reply = world.seen.posts()
    assert first.key == second.key == reply.key
    assert isinstance(second.content, Message) and second.content.headline.endswith("is over")
    assert isinstance(reply.content, Reply) and reply.content.role is Role.REPEAT


def test_what_is_over_before_the_server_heard_of_it_undoes_nothing(world: World) -> None:
    world.seen.server.away = True
    alert = world.alert(digest=world.digest)
    world.send(alert)
    assert world.tell() == [] and world.waiting() == 1
    world.send({**alert, "status": "resolved"})
    world.seen.server.away = False
    with world.seen.outbox._transaction() as connection:
        connection.exec_driver_sql("UPDATE items SET due = 0")
    assert {event["event"] for event in world.tell()} == {"slipway.alert"}
    assert world.waiting() == 0


def test_slack_hears_of_it_while_the_server_is_away(world: World) -> None:
    world.seen.server.away = True
    world.send(world.alert(digest=world.digest))
    world.tell()
    assert len(world.seen.outbox.due("slack")) == 1 and world.waiting() == 1


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
def test_forged_is_refused(world: World, given: str) -> None:
    assert world.send(world.alert(), authorization=given).status_code == 401
    assert world.waiting() == 0


def test_malformed_and_oversized_are_refused(world: World) -> None:
    assert world.send(raw=b"not json").status_code == 400
    assert world.send(raw=b"[" * 100_000).status_code == 400
    assert world.send(raw=b" " * (LARGEST_BYTES + 1)).status_code == 413
    assert httpx.get(f"{world.url}/alerts").status_code == 405
    assert world.waiting() == 0


def test_a_disk_that_cannot_keep_it_asks_to_send_it_again(world: World) -> None:
    world.seen.outbox.backlog(ALERTS)
    world.seen.outbox.file.unlink()
    world.seen.outbox.file.mkdir()
    world.seen.outbox.__dict__.pop("_engine").dispose()
    assert world.send(world.alert()).status_code == 503


def test_a_clock_behind_changes_nothing(world: World) -> None:
    alert = world.alert(digest=world.digest, starts=datetime.now(UTC) + timedelta(days=2))
    world.send(alert)
    world.send(alert)
    assert [event["event"] for event in world.tell()] == ["slipway.alert", "slipway.unhealthy"]


def test_names_that_inject_stay_text(world: World) -> None:
    alert = world.alert(digest=world.digest)
    alert["annotations"] = {"summary": "<!channel> {{ event.payload }} `rm -rf`", "runbook": "https://x/|<!here>"}
    world.send(alert)
    world.tell()
    told = world.seen.posts()[0].content
    assert isinstance(told, Message)
    marked = [text for block in blocks(told) for text in _marked(block)]
    assert "<!channel>" not in fallback(told) and not any("<!" in text for text in marked)


def _marked(block: Any) -> list[str]:
    """Return the texts of a block in which Slack reads marks."""
    if isinstance(block, dict):
        own = [block["text"]] if block.get("type") == "mrkdwn" else []
        return own + [text for part in block.values() for text in _marked(part)]
    return [text for part in block for text in _marked(part)] if isinstance(block, list) else []
