"""How an environment is followed: transitions only, Prefect and Slack apart, and never while somebody changes it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gates.notify.messages import Message, Reply, Role
from gates.release.condition import Condition
from host.errors import ServerAway
from services.watch.health import HealthFollower
from tests.prefect_server import a_home, prefect_server
from tests.watched import PATHS, Watched, watched


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    notify = tmp_path / "notify.toml"
    notify.write_text('runbook_url = "https://wiki.example/run"\n[slack]\ntoken = "env:X"\nchannel = "C1"\n')
    monkeypatch.setenv("SLIPWAY_NOTIFY", str(notify))
    home = a_home(tmp_path)
    with prefect_server(home, monkeypatch) as (server, api), watched(home, server, api, monkeypatch) as made:
        yield made


def looks(follower: HealthFollower, count: int = 5) -> Condition:
    for _ in range(count):
        condition = follower.look()
    return condition


def test_transitions_are_events_and_nothing_else_is(world: Watched) -> None:
    digest = world.release()
    follower = world.follower()
    assert looks(follower, 20) is Condition.HEALTHY
    world.app.answers[PATHS[0]] = (503, b"no")
    assert looks(follower, 2) is Condition.HEALTHY  # one or two bad looks are none
    assert looks(follower, 20) is Condition.UNHEALTHY
    world.app.answers.clear()
    assert looks(follower, 4) is Condition.UNHEALTHY
    assert looks(follower, 20) is Condition.HEALTHY
    assert world.events() == ["healthy", "unhealthy", "healthy"]
    bad = world.server.events[1]
    assert bad["resource"]["prefect.resource.id"] == "slipway.environment.production"
    assert bad["resource"]["slipway.rollback"] == "wanted"
    assert bad["payload"]["digest"] == digest and "answered 503" in bad["payload"]["reason"]
    assert all(isinstance(value, str) for value in bad["payload"].values())
    assert len({event["id"] for event in world.server.events}) == 3


def test_an_alert_has_a_runbook_and_its_end_is_told_in_the_same_message(world: Watched) -> None:
    world.release()
    follower = world.follower()
    looks(follower)
    assert world.posts() == []
    world.app.answers[PATHS[0]] = (200, b'{"status": "unhealthy"}')
    looks(follower)
    (told,) = world.posts()
    assert isinstance(told.content, Message) and told.content.headline == "production: unhealthy"
    assert [link.url for link in told.content.links] == ["https://wiki.example/run"]
    world.app.answers.clear()
    looks(follower)
    first, second, reply = world.posts()
    assert first.key == second.key == reply.key
    assert isinstance(second.content, Message) and second.content.headline.endswith("is over")
    assert isinstance(reply.content, Reply) and reply.content.role is Role.REPEAT


def test_without_alerts_nobody_is_told_and_nothing_goes_back(world: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_ALERTS", "off")
    world.release()
    world.app.answers[PATHS[0]] = (500, b"")
    looks(world.follower())
    assert world.events() == ["unhealthy"] and world.posts() == []
    assert world.server.events[0]["resource"]["slipway.rollback"] == "no"


@pytest.mark.parametrize(
    ("watch", "path", "answer", "condition"),
    [
        ("basic", PATHS[0], (200, b'{"status": "unhealthy"}'), Condition.UNHEALTHY),  # a lying 200
        ("basic", PATHS[0], (200, b'{"status": "degraded"}'), Condition.DEGRADED),
        ("basic", PATHS[0], (200, b"x" * 10_000_000), Condition.UNHEALTHY),
        ("basic", PATHS[0], (200, b'{"status": "healthy", "x": "' + b"y" * 10_000_000 + b'"}'), Condition.UNHEALTHY),
        ("basic", PATHS[1], (503, b""), Condition.HEALTHY),
        ("full", PATHS[1], (503, b""), Condition.UNHEALTHY),
        ("full", PATHS[2], (200, b'{"status": "down"}'), Condition.UNHEALTHY),
        ("full", "/none", (200, b""), Condition.DEGRADED),  # neither router nor supervisor run here
    ],
)
def test_how_much_is_looked_at_is_set(
    world: Watched, monkeypatch: pytest.MonkeyPatch, watch: str, path: str, answer: Any, condition: Condition
) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_WATCH", watch)
    world.release()
    world.app.answers[path] = answer
    assert looks(world.follower(), 3) is condition


def test_another_version_is_not_blamed_for_what_was_seen_of_the_one_before(world: Watched) -> None:
    first = world.release()
    follower = world.follower()
    world.app.answers[PATHS[0]] = (500, b"")
    looks(follower)
    second = world.release()
    looks(follower, 2)
    assert [event["payload"]["digest"] for event in world.server.events] == [first]
    looks(follower, 1)
    assert [event["payload"]["digest"] for event in world.server.events] == [first, second]
    assert len(world.posts()) == 1  # the environment is bad all the while


def test_bad_again_after_a_rollback_must_call_a_person(world: Watched) -> None:
    world.release()
    world.release("rolled back", "rollback")
    world.app.answers[PATHS[0]] = (500, b"")
    looks(world.follower())
    assert world.server.events[-1]["resource"]["slipway.rollback"] == "wanted"


def test_after_the_window_it_is_told_and_nothing_more(world: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_ROLLBACK_WINDOW_SECONDS", "0")
    world.release()
    world.app.answers[PATHS[0]] = (500, b"")
    looks(world.follower())
    assert world.server.events[-1]["resource"]["slipway.rollback"] == "no" and len(world.posts()) == 1


def test_a_release_in_progress_watches_for_itself(world: Watched) -> None:
    world.release()
    world.app.answers[PATHS[0]] = (500, b"")
    follower = world.follower()
    with world.place().lease("release v2"):
        assert looks(follower) is Condition.UNKNOWN
    assert world.events() == []


def test_slack_is_told_while_the_server_is_away_and_the_server_when_it_is_back(world: Watched) -> None:
    world.release()
    world.app.answers[PATHS[0]] = (500, b"")
    world.server.away = True
    follower = world.follower()
    looks(follower, 2)
    for _ in range(3):
        with pytest.raises(ServerAway):
            follower.look()
    assert len(world.posts()) == 1
    world.server.away = False
    looks(follower)
    assert world.events() == ["unhealthy"]


def test_a_restart_tells_nothing_twice(world: Watched) -> None:
    world.release()
    world.app.answers[PATHS[0]] = (500, b"")
    looks(world.follower())
    looks(world.follower(), 8)
    assert world.events() == ["unhealthy"] and len(world.posts()) == 1


def test_nothing_live_is_nothing_to_look_at(world: Watched) -> None:
    assert looks(world.follower()) is Condition.UNKNOWN
    assert world.events() == []


def test_the_loop_ends_and_survives_what_goes_wrong(world: Watched) -> None:
    world.release()
    world.place().journal.file.write_bytes(b"damaged\n")
    stop = threading.Event()
    thread = threading.Thread(target=world.follower().run, args=(stop,))
    thread.start()
    stop.wait(0.3)
    assert thread.is_alive()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
