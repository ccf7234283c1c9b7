"""A stranger's app that speaks to the monitoring: in our names, without end, and to its programs directly."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from control import monitoring_files
from control.monitoring_keys import RENEWED_BEFORE, VALID, certificates
from control.monitoring_stack import MonitoringStack
from host.app_metrics import read_histogram
from host.docker.engine import Engine
from host.errors import ToolError
from host.home import CHECKOUT
from settings.monitoring import Monitoring
from tests.control.test_monitoring_stack import with_free_ports
from tests.prefect_server import a_home
from tests.waiting import wait_for

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


def test_the_certificates_are_made_once_and_read_by_us_alone(tmp_path: Path) -> None:
    home, now = a_home(tmp_path), datetime.now(UTC)
    made = certificates(home, now)
    file = home.keys / "monitoring.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    assert certificates(home, now + VALID - RENEWED_BEFORE * 1.1) == made
    assert certificates(home, now + VALID - RENEWED_BEFORE * 0.9) != made
    file.write_bytes(b"nothing of the kind")
    again = certificates(home, now)
    assert again != made and certificates(home, now) == again


class Strangers:
    """What a stranger on this host may show a program of the stack that asks for a certificate."""

    def __init__(self, directory: Path, stack: MonitoringStack) -> None:
        other = MonitoringStack(a_home(directory), stack.monitoring)
        other.prepare(4210)
        trusting = ssl.create_default_context(cafile=str(stack.client / "ca.crt"))
        of_another_installation = ssl.create_default_context(cafile=str(stack.client / "ca.crt"))
        of_another_installation.load_cert_chain(other.client / "client.crt", other.client / "client.key")
        of_a_server = ssl.create_default_context(cafile=str(stack.client / "ca.crt"))
        tls = stack.directory / "prometheus" / "etc" / "tls"
        of_a_server.load_cert_chain(tls / "server.crt", tls / "server.key")
        self.plain = trusting
        self.contexts = {
            "no certificate": trusting,
            "another installation's certificate": of_another_installation,
            "a server's certificate": of_a_server,
        }

    def reach(self, address: str, path: str) -> list[str]:
        """Return by what a stranger was answered, if by anything."""
        tried = [(name, f"https://{address}{path}", context) for name, context in self.contexts.items()]
        done = []
        for name, url, context in [*tried, ("plain HTTP", f"http://{address}{path}", None)]:
            try:
                answer = httpx.post(url, json=[], verify=context or self.plain, trust_env=False, timeout=120)
            except httpx.HTTPError:
                continue
            if answer.status_code != 400 or "HTTP request to an HTTPS server" not in answer.text:
                done.append(f"{name}: {answer.status_code}")
        return done


@pytest.fixture
def app(httpserver: HTTPServer) -> HTTPServer:
    """An exporter whose only target are an app's pages, each hostile in its own way."""
    honest = "app_things_total 1\n"
    many = "".join(f'app_many{{n="{number}"}} 1\n' for number in range(10_001))
    pages = {
        "/names": honest
        + 'slipway_live_info{digest="bbbb"} 1\nup 0\nALERTS{alertname="ErrorRateHigh"} 1\nslot:x:y 1\n',
        "/many": honest + many,
        "/long": honest + f'app_long{{text="{"x" * 1_001}"}} 1\n',
        "/labels": honest + "app_labels{" + ",".join(f'l{number}="x"' for number in range(31)) + "} 1\n",
        "/large": honest + "# " + "x" * 9_000_000 + "\n",
    }
    for path, page in pages.items():
        httpserver.expect_request(path).respond_with_data(page, content_type="text/plain; version=0.0.4")
    httpserver.expect_request("/away").respond_with_data(status=302, headers={"location": "/names"})
    address = f"{httpserver.host}:{httpserver.port}"
    groups = [
        {"targets": [address], "labels": {"__metrics_path__": path, "environment": "production", "slot": path[1:]}}
        for path in (*pages, "/away")
    ]
    httpserver.expect_request("/targets/app").respond_with_json(groups)

    def nothing(request: Request) -> Response:
        return Response("[]", content_type="application/json")

    httpserver.expect_request("/targets/router").respond_with_handler(nothing)
    return httpserver


@pytest.fixture
def stack(engine: Engine, tmp_path: Path, app: HTTPServer) -> Iterator[MonitoringStack]:
    absent = {name: {"image": "slipway-test.invalid/absent:1"} for name in ("loki", "alloy", "grafana")}
    often = {"scrape_seconds": 1, "evaluation_seconds": 1}
    settings = with_free_ports(exporter={"port": app.port}, prometheus=often, **absent)
    made = MonitoringStack(a_home(tmp_path), settings, engine)
    yield made
    engine.remove(made.containers())


@pytest.mark.docker
def test_the_programs_answer_no_stranger_and_take_little_from_an_app(
    stack: MonitoringStack, app: HTTPServer, tmp_path: Path
) -> None:
    assert stack.up(4210).ready == ("prometheus", "alertmanager")
    strangers = Strangers(tmp_path / "other", stack)
    for service, path in (
        ("alertmanager", "/api/v2/alerts"),
        ("alertmanager", "/api/v2/silences"),
        ("alertmanager", "/-/reload"),
        ("prometheus", "/api/v1/query?query=up"),
        ("prometheus", "/-/ready"),
    ):
        address = stack.url(service).removeprefix("https://")
        assert strangers.reach(address, path) == [], f"{service}{path} answers a stranger"
    http = stack.http()

    def ask(query: str) -> dict[str, float]:
        found = http.get(f"{stack.url('prometheus')}/api/v1/query", params={"query": query}).json()["data"]["result"]
        return {one["metric"].get("slot", ""): float(one["value"][1]) for one in found}

    wait_for(lambda: len(ask('up{job="app"}')) == 6, "all pages were scraped")
    assert ask('up{job="app"}') == {"names": 1, "many": 0, "long": 0, "labels": 0, "large": 0, "away": 0}
    assert ask("app_things_total") == {"names": 1}
    assert ask('{job="app", __name__=~"slipway_.*|ALERTS.*|slot:.*"}') == {}
    for counter in (
        "prometheus_target_scrapes_exceeded_sample_limit_total",
        "prometheus_target_scrapes_exceeded_body_size_limit_total",
        "prometheus_target_scrape_pool_exceeded_label_limits_total",
    ):
        wait_for(lambda name=counter: ask(name).get("", 0) > 0, f"{counter} counts")  # type: ignore[misc]
