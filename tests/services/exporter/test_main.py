"""The exporter over real HTTP: figures, what a real Envoy says, and where what moves is found."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deployments.environment import Environment
from host.home import Home
from services.exporter.main import Exporter
from settings.monitoring import Monitoring
from settings.targets import Target
from tests.deployments.running import Running, backend, routing
from tests.prefect_server import a_home
from tests.serving import serving

V1 = {"digest": "a" * 64, "version": "v1", "commit": "c" * 40}
V2 = {"digest": "b" * 64, "version": "v2", "commit": "d" * 40}


class World:
    def __init__(self, home: Home, exporter: Exporter, url: str) -> None:
        self.home = home
        self.exporter = exporter
        self.place = exporter.places["production"]
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=120)

    def starts(self, slot: str, port: int | list[str], version: dict[str, str]) -> None:
        self.place.journal.write(
            "begin",
            {"id": slot, "operation": "release", "slot": slot, "run": "", "before": None, **version},
            1,
        )
        self.place.journal.write("slot.starting", {"slot": slot, "digest": version["digest"], "port": port}, 1)
        self.place.supervisor.directory.mkdir(parents=True, exist_ok=True)

    def targets(self, kind: str) -> list[dict[str, Any]]:
        return list(self.http.get(f"/targets/{kind}").raise_for_status().json())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    home = a_home(tmp_path)
    monkeypatch.setenv("SLIPWAY_HOME", str(home.root))
    places = [Environment.open(target, "assistant", home) for target in Target.all()]
    exporter = Exporter(home, places, Monitoring(), "/metrics")
    with serving(exporter.app) as url:
        yield World(home, exporter, url)


def test_figures_are_in_prometheus_format_and_hold_no_secret(world: World) -> None:
    secret = world.place.preview_secret()
    world.starts("blue", 20001, V1)
    text = world.http.get("/metrics").raise_for_status().text
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"slipway_slot_info", "slipway_host_load1", "slipway_prefect_up", "slipway_measure_ok"} <= names
    assert secret not in text and 'slipway_slot_info{digest="' + "a" * 64 in text


def test_every_endpoint_of_a_slot_is_a_target(world: World) -> None:
    world.starts("blue", ["10.0.0.5:8000", "[::1]:8001"], V1)
    (slot,) = world.targets("app")
    assert slot["targets"] == ["10.0.0.5:8000", "[::1]:8001"]


def test_targets_follow_the_slots_across_a_switch(world: World) -> None:
    assert world.targets("app") == []
    world.starts("blue", 20001, V1)
    (one,) = world.targets("app")
    assert one["targets"] == ["127.0.0.1:20001"]
    assert {key: one["labels"][key] for key in ("environment", "slot", "version", "digest")} == {
        "environment": "production",
        "slot": "blue",
        "version": "v1",
        "digest": "a" * 64,
    }
    world.starts("green", 20002, V2)
    assert [one["targets"] for one in world.targets("app")] == [["127.0.0.1:20001"], ["127.0.0.1:20002"]]
    world.place.journal.write("slot.stopped", {"slot": "blue"}, 1)
    (one,) = world.targets("app")
    assert (one["labels"]["version"], one["targets"]) == ("v2", ["127.0.0.1:20002"])


def test_logs_are_found_with_their_slot_and_release(world: World) -> None:
    world.starts("blue", 20001, V1)
    for directory, name in (
        (world.place.supervisor.directory, "slot-blue.log"),
        (world.place.supervisor.directory, "slot-blue.previous.log"),
        (world.place.supervisor.directory, "slot-blue-work.log"),
        (world.place.supervisor.directory, "singleton-beat.log"),
        (world.home.control / "supervisor", "watch.log"),
    ):
        (directory / "log").mkdir(parents=True, exist_ok=True)
        (directory / "log" / name).write_text("{}\n")
    found = {one["labels"]["program"]: one["labels"] for one in world.targets("logs")}
    assert set(found) == {"slot-blue", "slot-blue-work", "singleton-beat", "watch"}
    for program in ("slot-blue", "slot-blue-work"):
        assert {key: found[program][key] for key in ("environment", "slot", "release")} == {
            "environment": "production",
            "slot": "blue",
            "release": "v1",
        }
    assert "slot" not in found["singleton-beat"]
    assert found["watch"]["environment"] == "control"
    assert Path(found["watch"]["__path__"]).read_text() == "{}\n"


def test_a_router_is_read_through_its_admin_socket(world: World, tmp_path: Path) -> None:
    world.starts("blue", 20001, V1)
    (one,) = world.targets("router")
    assert one["labels"]["__metrics_path__"] == "/router/production"
    assert world.http.get("/router/production").status_code == 503
    assert world.http.get("/router/nowhere").status_code == 404
    running = Running(tmp_path)
    world.exporter.places["production"].__dict__["router"] = running.router
    release = threading.Event()
    running.router.prepare()
    try:
        running.start()
        with backend("blue", release) as port:
            running.router.publish(routing("e1-1", {"blue": port}, "blue"))
            assert running.slot() == "blue" and running.get("/fail").status_code == 500
            text = world.http.get("/router/production").raise_for_status().text
    finally:
        running.kill()
    answers = {
        sample.labels["envoy_response_code_class"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("envoy_cluster_upstream_rq_xx") and sample.labels["envoy_cluster_name"] == "blue"
    }
    assert (answers["2"], answers["5"]) == (1, 1)
    assert "envoy_cluster_upstream_rq_time_bucket" in text and "envoy_server_live" in text
    assert "update_success" not in text


def test_other_paths_and_methods_are_refused(world: World) -> None:
    assert world.http.get("/targets/secrets").status_code == 404
    assert world.http.post("/metrics").status_code == 405
    assert world.http.get("/health").json() == {"ok": True}


def test_a_switched_off_app_is_not_scraped(world: World) -> None:
    world.starts("blue", 20001, V1)
    world.exporter.app_metrics = ""
    assert world.targets("app") == []
