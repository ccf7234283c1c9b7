"""A stranger's app that speaks to the monitoring: in our names, without end, and to its programs directly."""

import re

import pytest
import yaml
from pytest_httpserver import HTTPServer

from control import monitoring_files
from host.app_metrics import read_histogram
from host.errors import ToolError
from host.home import CHECKOUT
from settings.monitoring import Monitoring

CONFIG = CHECKOUT / "config" / "monitoring"
# Whose series they are, by the beginning of the name.
JOBS = {"slipway_": "exporter", "envoy_": "router", "slot:": "", "prometheus_": "prometheus", "up": "router|exporter"}
OUR_SERIES = re.compile(
    r"(?<![\w:])(slipway_\w+|envoy_\w+|slot:[\w:]+|prometheus_\w+|up)\b(?!\s*(?:\(|by))(\{[^}]*\})?"
)


def app_job() -> dict[str, object]:
    jobs = monitoring_files.prometheus(Monitoring())["scrape_configs"]
    return next(job for job in jobs if job["job_name"] == "app")


def expressions() -> list[tuple[str, str]]:
    groups = yaml.safe_load((CONFIG / "alerts.yml").read_text())["groups"]
    return [(rule.get("alert") or rule["record"], rule["expr"]) for group in groups for rule in group["rules"]]


@pytest.mark.parametrize(("rule", "expression"), expressions(), ids=lambda text: str(text)[:30].strip())
def test_a_rule_asks_only_for_series_of_the_job_that_has_them(rule: str, expression: str) -> None:
    named = OUR_SERIES.findall(expression)
    assert named, f"{rule}: no series of ours in {expression}"
    for name, selector in named:
        job = next(job for start, job in JOBS.items() if name.startswith(start))
        assert re.search(rf'job="({job})"', selector), f"{rule}: {name}{selector} is also an app's to give"


@pytest.mark.parametrize(
    "name",
    [
        "slipway_live_info",
        "slipway_",
        "envoy_cluster_upstream_rq_xx",
        "slot:error_ratio:rate1m",
        "up",
        "ALERTS",
        "ALERTS_FOR_STATE",
        "scrape_samples_scraped",
        "prometheus_rule_evaluation_failures_total",
        "alertmanager_notifications_failed_total",
    ],
)
def test_an_app_brings_no_series_in_our_names(name: str) -> None:
    (dropped,) = app_job()["metric_relabel_configs"]  # type: ignore[misc,has-type]
    assert dropped["action"] == "drop" and dropped["source_labels"] == ["__name__"]
    assert re.fullmatch(dropped["regex"], name)
    for own in ("http_requests_total", "uptime_seconds", "my_slipway_thing", "assistant_logins_total", "db_up"):
        assert not re.fullmatch(dropped["regex"], own)


@pytest.mark.parametrize("count", ["NaN", "+Inf", "1e999", "-1"])
def test_a_count_that_is_none_is_no_figure(httpserver: HTTPServer, count: str) -> None:
    page = f'db_bucket{{le="0.1"}} {count}\ndb_bucket{{le="+Inf"}} 4\n'
    httpserver.expect_request("/metrics").respond_with_data(page)
    with pytest.raises(ToolError, match="db has a count that is no count"):
        read_histogram(httpserver.url_for("").rstrip("/"), "/metrics", "db")
