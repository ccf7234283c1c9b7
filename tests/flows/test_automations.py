"""What prefect.yaml's triggers start, on a real Prefect server: rollbacks, and only those that an event wants."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL

from cli.deploy import create_deployments, read_deployments
from cli.server import create_pools
from gates.release.condition import Condition, Look
from notify.condition_events import condition_event
from tests.prefect_server import a_home
from tests.prefect_server import prefect_server as fake_server
from tests.waiting import wait_for
from tests.watched import Watched, watched

BAD = Look(Condition.UNHEALTHY, "/health/overall answered 503: \"no\" {{ 7*7 }} 'x'")


@pytest.fixture(scope="module")
def deployed(prefect_server: None) -> str:
    """Deploy everything as `make up` does; return the server's address."""
    url = PREFECT_API_URL.value()
    assert url
    create_pools()
    create_deployments(read_deployments())
    return url


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    home = a_home(tmp_path)
    with fake_server(home, monkeypatch) as (server, api), watched(home, server, api, monkeypatch) as made:
        yield made


def send(url: str, *events: dict[str, Any]) -> None:
    httpx.post(f"{url}/events", json=events, timeout=120).raise_for_status()


def started(url: str) -> list[dict[str, Any]]:
    """Return the parameters of the rollbacks that were started by a deployment: other tests run the flow itself."""
    query = {"flows": {"name": {"any_": ["rollback"]}}, "limit": 50}
    found = httpx.post(f"{url}/flow_runs/filter", json=query, timeout=120).raise_for_status().json()
    return [run["parameters"] for run in found if run["deployment_id"]]


def until_started(url: str, count: int) -> list[dict[str, Any]]:
    wait_for(lambda: len(started(url)) >= count, f"{count} rollbacks are started")
    return started(url)


def event(world: Watched, look: Look, mark: str, **labels: str) -> dict[str, Any]:
    place = world.place()
    made = condition_event(place, place.ledger(), look, "watch", mark)
    return {**made, "resource": made["resource"] | labels}


def test_only_what_is_wanted_starts_a_rollback_of_the_blamed_digest_once(deployed: str, world: Watched) -> None:
    digest = world.release()
    bad = event(world, BAD, "1")
    assert bad["resource"]["slipway.rollback"] == "wanted"
    send(
        deployed,
        event(world, Look(Condition.HEALTHY, "ok"), "1"),
        event(world, Look(Condition.DEGRADED, "slow"), "1"),
        event(world, BAD, "2", **{"slipway.rollback": "no"}),
        event(world, BAD, "3", **{"prefect.resource.id": "slipway.environment.elsewhere"}),
        bad,
    )
    until_started(deployed, 1)
    time.sleep(2)  # Prefect notes an event as seen when its actions have begun, and we see the run a moment before
    send(deployed, bad)  # the same event again: it was seen
    other = {**event(world, BAD, "4", **{"prefect.resource.id": "slipway.environment.staging"})}
    send(deployed, other)
    first, second = sorted(until_started(deployed, 2), key=lambda one: str(one["environment"]))
    assert first == {
        "environment": "production",
        "condemn": digest,
        "reason": f"watch: {BAD.reason}",
        "automatic": True,
    }
    assert second["environment"] == "staging"
    found = httpx.post(f"{deployed}/automations/filter", json={}, timeout=120).raise_for_status().json()
    names = [one["name"] for one in found]
    assert names.count("roll back production when it is unhealthy") == 1  # by which a person pauses it
