"""Every query of the dashboards and every alert rule, asked of a real Prometheus that the demo's installation feeds."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from control.monitoring_stack import MonitoringStack
from host.docker.engine import Engine
from host.home import CHECKOUT
from tests.control.grafana import Dashboard
from tests.control.test_monitoring_stack import with_free_ports
from tests.installation import Installation
from tests.waiting import wait_for

pytestmark = [pytest.mark.stack, pytest.mark.gauntlet, pytest.mark.docker]
CONFIG = CHECKOUT / "config" / "monitoring"
DASHBOARDS = sorted((CONFIG / "dashboards").glob("*.json"))
# What Grafana puts in.
VARIABLES = {"$environment": "production", "$__rate_interval": "30s", "$__auto": "30s"}
# Nothing to see while nobody did it: a query that must be accepted, and may find nothing.
QUIET = {
    "Alerts",  # nothing fires
    "Firing and pending",
    "Inbound SMS",  # a provider sends them; the demo has none
    "OAuth states",
}

# Envoy counts a class of answers from its first one on: no slot need have answered 5xx.
UNSEEN = {"slot:errors:rate1m"}


class Prometheus:
    """A real one beside the installation."""

    def __init__(self, stack: MonitoringStack, installation: Installation) -> None:
        self.installation = installation
        self.http = stack.http(timeout_s=600)
        self.http.base_url = httpx.URL(stack.url("prometheus"))

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return what a query finds; fail naming it when Prometheus does not take it."""
        for name, value in VARIABLES.items():
            query = query.replace(name, value)
        answer = self.http.get("/api/v1/query", params={"query": query})
        assert answer.status_code == 200, f"{query}: {answer.text}"
        return list(answer.json()["data"]["result"])

    def sees_the_app_used(self) -> bool:
        """Use production; return whether Prometheus saw figures of router and app grow: a rate needs two scrapes."""
        self.use_the_app()
        time.sleep(2)
        grown = ("envoy_cluster_upstream_rq_xx", "db_query_duration_seconds_count", "assistant_logins_total")
        return all(self.ask(f'sum(rate({name}{{environment="production"}}[30s])) > 0') for name in grown)

    def use_the_app(self) -> None:
        """Do with production what people do, so that there is something to count."""
        url = self.installation.place().url
        with httpx.Client(base_url=url, trust_env=False, timeout=600) as client:
            account = {"email": f"p{time.monotonic_ns()}@example.com", "password": "correct horse battery"}
            client.post("/api/register", json=account).raise_for_status()
            token = client.post("/api/login", json=account).raise_for_status().json()["token"]
            client.headers["authorization"] = f"Bearer {token}"
            task = client.post("/api/tasks", json={"title": "Buy milk"}).raise_for_status().json()
            client.post(f"/api/tasks/{task['id']}/complete").raise_for_status()


@pytest.fixture(scope="module")
def prometheus(
    installation: Installation, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    absent = {name: {"image": "slipway-test.invalid/absent:1"} for name in ("loki", "alloy", "grafana")}
    exporter = {"port": int(os.environ["SLIPWAY_EXPORTER_PORT"])}
    stack = MonitoringStack(installation.home, with_free_ports(exporter=exporter, **absent), engine)
    try:
        assert set(stack.up(int(os.environ["SLIPWAY_RECEIVER_PORT"])).ready) == {"prometheus", "alertmanager"}
        made = Prometheus(stack, installation)
        wait_for(made.sees_the_app_used, "Prometheus has seen requests, at the router and at the app")
        yield made
    finally:
        stack.engine.remove(stack.containers())


def test_everything_that_moves_is_scraped_with_its_labels(prometheus: Prometheus) -> None:
    live = prometheus.installation.place().ledger().live
    assert live is not None
    wanted = {"environment": "production", "slot": live.slot, "version": live.version.version}
    found = [one["metric"] for one in prometheus.ask('up{job="app"} == 1')]
    assert any(
        wanted.items() <= one.items() and one["digest"] == live.version.digest for one in found
    ), f"{wanted} is not among {found}"
    routers = {one["metric"]["environment"] for one in prometheus.ask('up{job="router"} == 1')}
    assert routers == {"development", "staging", "production"}
    down = [one["metric"] for one in prometheus.ask("up == 0")]
    assert down == []


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_every_panel_shows_something(prometheus: Prometheus, file: Path) -> None:
    made = Dashboard.model_validate_json(file.read_bytes())
    empty = [(title, query) for title, query in made.queries("prometheus") if not prometheus.ask(query)]
    # A panel with several lines needs one of them: a histogram without observations has no quantile.
    shown = {title for title, query in made.queries("prometheus") if (title, query) not in empty}
    assert {title for title, _ in empty} - shown - QUIET == set(), empty
    for variable in made.templating.list:
        metric = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable.query["query"])
        assert metric and prometheus.ask(f"count by ({metric[2]}) ({metric[1]})")


def test_every_rule_is_evaluated_on_series_that_exist(prometheus: Prometheus) -> None:
    groups = yaml.safe_load((CONFIG / "alerts.yml").read_text())["groups"]
    for rule in (rule for group in groups for rule in group["rules"]):
        prometheus.ask(rule["expr"])
        if rule.get("alert") in ("ApprovalWaiting", "OutboxBehind", "CiRed", "NightlyMissed"):
            continue  # about what is not there while all is well
        without_labels = re.sub(r"\{[^}]*\}", "", rule["expr"])
        metrics = set(re.findall(r"\b(?:slipway|envoy|slot:|up\b)[a-z0-9_:]*", without_labels))
        missing = {name for name in metrics - UNSEEN if not prometheus.ask(name)}
        assert not missing, f"{rule.get('alert') or rule['record']}: nothing is called {missing}"
    told = prometheus.http.get("/api/v1/rules").json()["data"]["groups"]
    sick = [(rule["name"], rule["lastError"]) for group in told for rule in group["rules"] if rule["health"] == "err"]
    assert sick == []


def test_the_figures_agree_with_the_journal(prometheus: Prometheus) -> None:
    operations = prometheus.installation.place().ledger().operations
    promoted = sum(one.kind == "release" and one.outcome == "promoted" for one in operations)
    query = 'slipway_operations_total{environment="production", operation="release", outcome="promoted"}'
    wait_for(lambda: [one["value"][1] for one in prometheus.ask(query)] == [str(promoted)], f"{promoted} promoted")


def test_loki_queries_name_labels_that_the_logs_have(prometheus: Prometheus) -> None:
    """Loki itself cannot be had everywhere: its queries are held against the labels that the exporter gives."""
    url = f"http://127.0.0.1:{os.environ['SLIPWAY_EXPORTER_PORT']}/targets/logs"
    targets = httpx.get(url, trust_env=False).json()
    labels = {name for one in targets for name in one["labels"]} | {"level"}
    slots = [one["labels"] for one in targets if one["labels"]["program"].startswith("slot-")]
    assert slots and all(one["release"] and one["slot"] for one in slots)
    for file in DASHBOARDS:
        for title, query in Dashboard.model_validate_json(file.read_bytes()).queries("loki"):
            named = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", query.split("}")[0]))
            assert named and named <= labels, f"{title}: {named - labels}"
    some = next(one["labels"]["__path__"] for one in targets if one["labels"]["program"] == "exporter")
    for line in Path(some).read_text().splitlines():
        assert {"timestamp", "level", "event", "logger"} <= json.loads(line).keys()
