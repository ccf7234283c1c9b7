"""What config/monitoring.toml may say, and what is written for each program of the stack."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from control import monitoring_files
from control.monitoring_stack import COMPOSE_FILE, SERVICES, MonitoringStack
from host.errors import ConfigError
from host.home import CHECKOUT
from settings.monitoring import FILE, Monitoring, read_monitoring
from tests.prefect_server import a_home

LISTENERS = ("127.0.0.1", "localhost")


def test_the_file_of_this_repository_says_the_defaults() -> None:
    assert read_monitoring(FILE) == Monitoring()


def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_EXPORTER_PORT", "5001")
    monkeypatch.setenv("SLIPWAY_SCRAPE_SECONDS", "2")
    seen = read_monitoring()
    assert (seen.exporter.port, seen.prometheus.scrape_seconds) == (5001, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[prometheus]\nscrape_seconds = 20", "prometheus.scrape_seconds: got '20', .*less than or equal to 15"),
        ("[prometheus]\nscrape_seconds = 0", "prometheus.scrape_seconds: got '0'"),
        ("[grafana]\nport = 70000", "grafana.port: got '70000'"),
        ("[exporter]\nprot = 1", "exporter.prot: a key that Slipway does not know"),
        ("[exporter", "not valid TOML"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "monitoring.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_monitoring(file)


def test_prometheus_asks_the_exporter_for_what_moves() -> None:
    made = monitoring_files.prometheus(Monitoring())
    jobs = {job["job_name"]: job for job in made["scrape_configs"]}
    assert jobs["app"]["http_sd_configs"][0]["url"] == "http://127.0.0.1:4220/targets/app"
    assert made["global"]["scrape_interval"] == "5s"


def test_alerts_go_to_the_receiver_with_a_token_from_a_file() -> None:
    made = monitoring_files.alertmanager(Monitoring(), 4999)
    hook = made["receivers"][0]["webhook_configs"][0]
    assert hook["url"] == "http://127.0.0.1:4999/alerts" and hook["send_resolved"]
    assert hook["http_config"]["authorization"] == {"type": "Bearer", "credentials_file": monitoring_files.TOKEN}
    assert "digest" in made["route"]["group_by"]


def addresses(value: Any, key: str = "") -> list[str]:
    """Return what a configuration says of where something listens."""
    if isinstance(value, dict):
        return [one for name, inner in value.items() for one in addresses(inner, name)]
    return [value] if key.endswith(("listen_address", "instance_addr")) else []


def test_nothing_listens_beyond_this_host() -> None:
    """Loki's HTTP listens in a network of its own, and is published on 127.0.0.1; its gRPC stays inside."""
    loki = monitoring_files.loki(Monitoring())
    assert loki["server"].pop("http_listen_address") == "0.0.0.0"
    found = addresses(loki)
    assert len(found) == 3 and set(found) <= set(LISTENERS)
    text = COMPOSE_FILE.read_text()
    services = yaml.safe_load(text)["services"]
    assert {name: one["ports"] for name, one in services.items() if "ports" in one} == {
        "loki": ["127.0.0.1:${LOKI_PORT:?}:3100"]
    }
    for word in ("--web.listen-address=", "--server.http.listen-addr=", "GF_SERVER_HTTP_ADDR: "):
        assert f"{word}127.0.0.1" in text
    assert "--cluster.listen-address= " in text


def test_every_service_is_limited_and_unprivileged() -> None:
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    assert tuple(services) == SERVICES
    for name, service in services.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["pids_limit"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert (
            service["mem_limit"]
            and service["cpus"]
            and service["network_mode"] == ("bridge" if name == "loki" else "host")
        )


def test_files_are_written_for_our_eyes_only_and_secrets_are_kept(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    stack = MonitoringStack(home, Monitoring())
    stack.prepare(4210, containers=True)
    token = (stack.directory / "alertmanager" / "etc" / "token").read_text()
    assert token == (home.keys / "alertmanager").read_text() and len(token) > 30
    written = [file for file in stack.directory.rglob("*") if file.is_file()]
    assert {oct(file.stat().st_mode)[-3:] for file in written} == {"600"}
    assert token not in "".join(file.read_text() for file in written if file.name != "token")
    dashboards = {file.name for file in (CHECKOUT / "config" / "monitoring" / "dashboards").glob("*.json")}
    assert {file.name for file in (stack.directory / "grafana" / "etc" / "dashboards").iterdir()} == dashboards
    before = stack.environment(containers=False)
    assert (stack.directory / "alloy" / "etc" / "containers.alloy").exists()
    stack.prepare(4210, containers=False)
    assert not (stack.directory / "alloy" / "etc" / "containers.alloy").exists()
    after = stack.environment(containers=False)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"ALLOY_CONFIG"}  # only what reads a changed file is made anew


def test_the_engines_socket_is_mounted_only_for_containers(tmp_path: Path) -> None:
    stack = MonitoringStack(a_home(tmp_path), Monitoring())
    stack.prepare(4210)
    assert stack.environment(containers=False)["DOCKER_SOCKET"] == "/dev/null"
    assert stack.environment(containers=True)["DOCKER_SOCKET"].endswith("docker.sock")
