"""The dashboards and the alert rules, without their programs: form, sources, places in the runbook."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from control.monitoring_files import datasources
from control.monitoring_keys import Certificates
from host.home import CHECKOUT
from settings.monitoring import Monitoring
from tests.control.grafana import Dashboard, Panel

CONFIG = CHECKOUT / "config" / "monitoring"
DASHBOARDS = sorted((CONFIG / "dashboards").glob("*.json"))


def read(file: Path) -> Dashboard:
    return Dashboard.model_validate_json(file.read_bytes())


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_has_the_documented_form(file: Path) -> None:
    made = read(file)
    known = {
        (one["type"], one["uid"])
        for one in datasources(Monitoring(), Certificates(b"", b"", b"", b"", b""))["datasources"]
    }
    asked = {(query.datasource.type, query.datasource.uid) for panel in made.panels for query in panel.targets}
    assert asked <= known
    assert [one.name for one in made.annotations.list][1:] == ["Releases", "Alerts"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_no_two_panels_lie_on_each_other(file: Path) -> None:
    def overlap(one: Panel, other: Panel) -> bool:
        a, b = one.gridPos, other.gridPos
        return a.x < b.x + b.w and b.x < a.x + a.w and a.y < b.y + b.h and b.y < a.y + a.h

    assert [(a.title, b.title) for a, b in combinations(read(file).panels, 2) if overlap(a, b)] == []


@pytest.mark.parametrize(
    "harm",
    [
        {"schemaVersion": 12},
        {"panles": []},
        {"panels": [{"id": 1, "type": "stat", "title": "t", "gridPos": {"h": 1, "w": 30, "x": 0, "y": 0}}]},
        {"panels": [{"id": 1, "type": "stat", "title": "t", "gridPos": {"h": 1, "w": 3, "x": 0, "y": 0}}]},
    ],
)
def test_a_wrong_dashboard_is_refused(harm: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Dashboard.model_validate({**json.loads(DASHBOARDS[0].read_bytes()), **harm})


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CONFIG / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def anchors(text: str) -> set[str]:
    """Return the places that GitHub's headings make."""
    found = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    file, _, place = alert["annotations"]["runbook"].partition("#")
    assert place in anchors((CHECKOUT / file).read_text())
    assert alert["annotations"]["summary"]


def test_every_alert_is_seen_to_fire_and_not_to_fire() -> None:
    tests = [test for file in CONFIG.glob("alerts*_test.yml") for test in yaml.safe_load(file.read_text())["tests"]]
    seen = [(one["alertname"], bool(one["exp_alerts"])) for test in tests for one in test["alert_rule_test"]]
    fired = {name for name, fires in seen if fires}
    assert fired == {alert["alert"] for alert in alerts()}
    assert len({name for name, fires in seen if not fires}) >= 15


def test_only_what_blames_a_digest_may_start_a_rollback() -> None:
    """The receiver rolls back for critical alerts with a digest: those are the ones that a version can be guilty of."""
    blaming = {
        alert["alert"]
        for alert in alerts()
        if "slipway_live_info" in alert["expr"] and "unless on (environment) " not in alert["expr"]
    }
    assert blaming == {"ErrorRateHigh", "LatencyHigh", "ServiceDown", "DatabaseLost", "PoolExhausted"}
