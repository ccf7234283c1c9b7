"""The cockpit says what is live where, and is told again only when that changed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployments.environment import Environment
from services.watch.cockpit import Cockpit
from settings.targets import Target
from tests.prefect_server import a_home, prefect_server
from tests.watched import Watched, watched


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setenv("SLIPWAY_NOTIFY", str(tmp_path / "none.toml"))
    home = a_home(tmp_path)
    with prefect_server(home, monkeypatch) as (server, api), watched(home, server, api, monkeypatch) as made:
        yield made


def cockpit(world: Watched) -> Cockpit:
    places = [Environment.open(target, "assistant", world.home) for target in Target.all()]
    return Cockpit(places, world.outbox, world.api)


def test_what_is_live_is_a_variable_and_a_page(world: Watched) -> None:
    digest = world.release()
    world.outbox.remember("health:production", {"condition": "unhealthy"})
    cockpit(world).look()
    live = world.server.variables["live_production"]
    assert (live["version"], live["digest"], live["condition"]) == ("v1", digest, "unhealthy")
    assert world.server.variables["live_staging"]["version"] == ""
    (page,) = world.server.artifacts
    assert page["key"] == "cockpit" and page["type"] == "markdown"
    assert f"production v1 ({digest[:12]}), unhealthy" in page["description"]
    assert "| unhealthy |" in page["data"] and "nothing is live" in page["data"]


def test_only_what_changed_is_told_again(world: Watched) -> None:
    world.release()
    keeper = cockpit(world)
    for _ in range(3):
        keeper.look()
    assert len(world.server.artifacts) == 1
    world.release()
    keeper.look()
    assert len(world.server.artifacts) == 2 and world.server.variables["live_production"]["version"] == "v2"


def test_what_waits_and_what_goes_on_is_shown(world: Watched) -> None:
    world.release()
    place = world.place()
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    place.journal.append(
        "question",
        {"id": "q", "run": "r", "deployment": "", "parameters": {}, "expires": expires, "pid": 1, "started": 1.0},
    )
    with place.lease("release v9"):
        cockpit(world).look()
    page = world.server.artifacts[0]["data"].replace("\\", "")
    assert "**production** waits for approval until" in page and "release v9" in page


def test_what_failed_last_night_is_shown_and_cannot_break_the_page(world: Watched) -> None:
    end = datetime.now(UTC).isoformat()
    state = {"name": "Rejected", "message": "because | of <b>\n# @all"}
    world.server.add_run("a", "FAILED", name="release-prod-[v1](http://x)", end_time=end)["state"] = state
    cockpit(world).look()
    page = world.server.artifacts[0]["data"]
    assert "Rejected" in page and "/runs/flow-run/" in page
    assert "<b>" not in page and "\n# @" not in page and "[v1](http" not in page


def test_without_failures_the_page_says_so(world: Watched) -> None:
    cockpit(world).look()
    assert "## Failed in the last 24 h\n\nNothing." in world.server.artifacts[0]["data"]
