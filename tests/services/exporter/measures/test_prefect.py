"""What Prefect's API says becomes figures; an API that is away becomes their absence."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.exporter.measures import Measures
from services.exporter.measures.prefect import PrefectMeasure
from tests.prefect_server import PrefectServer, a_home, prefect_server

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class World:
    def __init__(self, server: PrefectServer, measure: PrefectMeasure) -> None:
        self.server = server
        self.measure = measure
        self.registry = CollectorRegistry()
        self.registry.register(Measures([measure]))

    def value(self, name: str, **labels: str) -> float | None:
        self.measure.kept.refresh()
        return self.registry.get_sample_value(f"slipway_{name}", labels)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with prefect_server(a_home(tmp_path), monkeypatch) as (server, api):
        yield World(server, PrefectMeasure(api, 10))


def test_runs_are_counted_by_pool_and_what_they_do(world: World) -> None:
    for state, pool in (("SCHEDULED", "ci"), ("PENDING", "ci"), ("RUNNING", "ci"), ("PAUSED", "prod")):
        world.server.add_run("c", state, work_pool_name=pool)
    assert world.value("runs", pool="ci", state="waiting") == 2
    assert world.value("runs", pool="ci", state="running") == 1
    assert world.value("runs", pool="prod", state="paused") == 1
    assert world.value("runs", pool="dev", state="waiting") == 0
    assert world.value("prefect_up") == 1


def test_workers_are_told_by_their_last_heartbeat(world: World) -> None:
    beat = {"name": "worker-ci", "last_heartbeat_time": NOW.isoformat(), "status": "ONLINE"}
    world.server.workers["ci"] = [beat]
    world.server.workers["prod"] = [{**beat, "name": "worker-prod", "status": "OFFLINE"}]
    assert world.value("worker_heartbeat_timestamp_seconds", pool="ci", worker="worker-ci") == NOW.timestamp()
    assert world.value("worker_online", pool="ci", worker="worker-ci") == 1
    assert world.value("worker_online", pool="prod", worker="worker-prod") == 0


@pytest.mark.parametrize(("state", "red"), [("COMPLETED", 0), ("FAILED", 1), ("CRASHED", 1)])
def test_ci_is_red_when_its_last_run_was_not_green(world: World, state: str, red: float) -> None:
    world.server.add_run("c", state, end_time=NOW.isoformat(), total_run_time=80.5)
    assert world.value("ci_red") == red
    assert world.value("ci_last_end_timestamp_seconds") == NOW.timestamp()
    assert world.value("ci_last_duration_seconds") == 80.5


def test_before_the_first_run_nothing_is_red_and_nothing_green(world: World) -> None:
    assert world.value("ci_red") == 0
    assert world.value("ci_last_green_timestamp_seconds") is None
    assert world.value("nightly_last_end_timestamp_seconds") is None


def test_before_it_was_asked_nobody_says_that_it_is_away(world: World) -> None:
    assert world.registry.get_sample_value("slipway_prefect_up") is None
    assert world.value("prefect_up") == 1


def test_what_was_known_is_forgotten_when_the_server_is_away(world: World) -> None:
    assert world.value("runs", pool="ci", state="waiting") == 0
    world.server.away = True
    assert world.value("runs", pool="ci", state="waiting") is None
    assert world.value("prefect_up") == 0
    assert world.value("measure_ok", measure="prefect") == 1
    world.server.away = False
    assert world.value("prefect_up") == 1
