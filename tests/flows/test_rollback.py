"""Rollbacks that an automation starts: one step from a fresh release, in turn, and never without calling a person."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.schemas.objects import State

from flows.rollback import rollback
from settings.targets import Target
from tests.prefect_server import a_home
from tests.prefect_server import prefect_server as fake_server
from tests.watched import Watched, watched

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    notify = tmp_path / "notify.toml"
    notify.write_text('runbook_url = "https://wiki.example/run"\n[slack]\ntoken = "env:X"\nchannel = "C1"\n')
    monkeypatch.setenv("SLIPWAY_NOTIFY", str(notify))
    home = a_home(tmp_path)
    monkeypatch.setenv("SLIPWAY_HOME", str(home.root))
    with fake_server(home, monkeypatch) as (server, api), watched(home, server, api, monkeypatch) as made:
        yield made


def automatic(digest: str) -> State[str]:
    return rollback(Target("production"), condemn=digest, reason="watch: it is bad", automatic=True, return_state=True)


def entries(world: Watched) -> int:
    return world.place().ledger().entries


@pytest.mark.parametrize("wanted", ["on", "off"])
def test_a_digest_that_is_not_live_is_nothing_to_do(
    world: Watched, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_ALERTS", wanted)
    first = world.release()
    world.release()
    before = entries(world)
    state = automatic(first)
    assert (state.name, state.is_completed()) == ("NothingToDo", True)
    assert entries(world) == before and world.posts() == []


def test_what_came_back_and_is_bad_too_calls_a_person(world: Watched) -> None:
    world.release()
    back = world.release("rolled back", "rollback")
    before = entries(world)
    state = automatic(back)
    assert (state.name, state.is_failed()) == ("Blocked", True)
    assert entries(world) == before
    (told,) = world.posts()
    assert "A person must act" in str(told.content) and "https://wiki.example/run" in str(told.content)


def test_without_an_earlier_version_a_person_is_called(world: Watched) -> None:
    state = automatic(world.release())
    assert state.name == "Blocked" and "no earlier promoted version" in str(state.message)
    assert len(world.posts()) == 1


def test_it_waits_for_a_release_in_progress_and_then_looks_again(world: Watched) -> None:
    bad = world.release()
    done = threading.Event()

    def release() -> None:
        with world.place().lease("release v2"):
            done.wait(120)
            world.release()

    other = threading.Thread(target=release)
    other.start()
    while world.place().holder() is None:
        time.sleep(0.01)
    threading.Timer(1.5, done.set).start()
    state = automatic(bad)
    other.join()
    assert done.is_set() and state.name == "NothingToDo" and "is not live" in str(state.message)


def test_the_last_line_of_a_runs_log_is_its_end_and_the_reason(
    world: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    """What `prefect deployment run rollback/prod --watch` shows beside its own "Failed"."""
    world.release()
    state = rollback(Target("production"), return_state=True)
    assert state.name == "Blocked" and state.message
    last = [one.getMessage() for one in caplog.records if one.name.startswith("prefect.flow_runs")][-1]
    assert "Blocked(" in last and state.message in last


def test_a_persons_rollback_does_not_wait_and_calls_nobody(world: Watched) -> None:
    bad = world.release()
    with world.place().lease("release v2"):
        state = rollback(Target("production"), condemn=bad, return_state=True)
    assert state.name == "Blocked" and "is being changed" in str(state.message)
    assert world.posts() == []
