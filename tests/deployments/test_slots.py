"""Slots are started, published and brought back in an order that a crash at any point leaves repairable."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from deployments.slots import ensure_slot, publish, restore, start_slot
from host.errors import HealthError, RestoreError, ToolError
from host.ports import LOCAL, Endpoint
from tests.deployments.stage import LEASE, Stage


@pytest.fixture
def stage(tmp_path: Path, httpserver: HTTPServer) -> Stage:
    return Stage(tmp_path, httpserver)


def test_the_intent_to_start_is_written_before_and_the_start_after(stage: Stage) -> None:
    new = stage.version("new")
    assert start_slot(stage.place, LEASE, "blue", stage.artifact(new)) == "/health answered 200, ok"
    assert stage.effects == ["stop blue", "start new in blue"]
    assert stage.kinds() == ["slot.stopping", "slot.stopped", "slot.starting", "slot.started"]
    *_, starting, started = stage.place.journal.entries()
    assert starting.data == started.data == {"slot": "blue", "digest": new.digest, "port": stage.server.port}
    assert {entry.epoch for entry in stage.place.journal.entries()} == {LEASE.epoch}


def test_every_endpoint_of_a_slot_is_asked_written_down_and_published(stage: Stage) -> None:
    second = HTTPServer()
    second.expect_request("/health").respond_with_json({"status": "ok"})
    new = stage.version("new")
    with second:
        ports = (stage.server.port, second.port)
        stage.runtime.endpoints = tuple(Endpoint(LOCAL, port) for port in ports)
        start_slot(stage.place, LEASE, "blue", stage.artifact(new))
        ensure_slot(stage.place, LEASE, "blue", stage.artifact(new))
    assert [len(server.log) for server in (stage.server, second)] == [2, 2]
    assert stage.place.journal.entries()[-1].data["port"] == [f"127.0.0.1:{port}" for port in ports]
    publish(stage.place, LEASE, None)
    assert stage.router.routing and stage.router.routing.endpoints == {"blue": stage.runtime.endpoints}


def test_a_slot_whose_second_endpoint_is_sick_was_never_started(stage: Stage) -> None:
    stage.place.__dict__["settings"] = stage.place.settings.model_copy(update={"health_timeout_seconds": 0.1})
    stage.runtime.endpoints = (Endpoint(LOCAL, stage.server.port), Endpoint(LOCAL, 9))
    with pytest.raises(HealthError, match="not healthy after"):
        start_slot(stage.place, LEASE, "blue", stage.artifact(stage.version("new")))
    assert stage.kinds()[-1] == "slot.starting"


def test_a_slot_that_dies_was_never_started(stage: Stage) -> None:
    stage.runtime.dies = "exit 3"
    with pytest.raises(HealthError, match="the new process is gone: exit 3"):
        start_slot(stage.place, LEASE, "blue", stage.artifact(stage.version("new")))
    assert stage.kinds()[-1] == "slot.starting"


def test_a_port_that_a_stranger_has_is_given_up_for_another(stage: Stage) -> None:
    stage.runtime.strangers = ["pid 7 (evil) listens"]
    new = stage.version("new")
    said = start_slot(stage.place, LEASE, "blue", stage.artifact(new))
    assert said == "/health answered 200, ok; given up: pid 7 (evil) listens"
    once = ["stop blue", "start new in blue"]
    assert stage.effects == once * 2
    assert stage.kinds() == [*["slot.stopping", "slot.stopped", "slot.starting"] * 2, "slot.started"]


def test_after_three_ports_nothing_was_started_and_each_stranger_is_named(stage: Stage) -> None:
    stage.runtime.strangers = [f"pid {number} (evil) listens" for number in (7, 8, 9, 10)]
    with pytest.raises(HealthError, match="3 ports were tried.*pid 7 .*pid 8 .*pid 9 ") as failed:
        start_slot(stage.place, LEASE, "blue", stage.artifact(stage.version("new")))
    assert "pid 10" not in str(failed.value)
    assert stage.kinds()[-1] == "slot.starting"


def test_an_engine_that_refuses_a_port_is_asked_for_another_only_if_a_stranger_has_it(stage: Stage) -> None:
    stage.runtime.start_error = "address already in use"
    with pytest.raises(ToolError, match="already in use"):
        start_slot(stage.place, LEASE, "blue", stage.artifact(stage.version("new")))
    stage.runtime.strangers = ["one", "two", "three"]
    with pytest.raises(HealthError, match="one; two; three"):
        start_slot(stage.place, LEASE, "blue", stage.artifact(stage.version("newer")))


def test_an_answer_does_not_count_while_the_slot_does_not_listen(stage: Stage) -> None:
    stage.place.__dict__["settings"] = stage.place.settings.model_copy(update={"health_timeout_seconds": 0.1})
    stage.runtime.sockets = frozenset()
    with pytest.raises(HealthError, match="answered 200, ok, but the new process did not listen there"):
        start_slot(stage.place, LEASE, "blue", stage.artifact(stage.version("new")))


def test_a_running_slot_whose_port_a_stranger_took_is_started_elsewhere(stage: Stage) -> None:
    old = stage.version("old")
    stage.run("blue", old)
    stage.runtime.strangers = ["pid 7 (evil) listens"]
    ensure_slot(stage.place, LEASE, "blue", stage.artifact(old))
    assert stage.effects == ["stop blue", "start old in blue"]


def test_all_traffic_goes_to_what_is_live_and_the_singletons_follow(stage: Stage) -> None:
    old, new = stage.version("old"), stage.version("new")
    live = stage.serve(old, "blue")
    stage.run("green", new)
    assert publish(stage.place, LEASE, live) == 0.002
    assert stage.effects == ["publish blue", "singletons of old"]
    routing = stage.router.routing
    assert routing and routing.weights == {"blue": 100} and routing.preview_slot is None
    assert routing.endpoints == dict.fromkeys(("blue", "green"), (Endpoint(LOCAL, stage.server.port),))
    assert routing.preview_secret == stage.place.preview_secret()
    intent, done = stage.place.journal.entries()[-2:]
    assert (intent.kind, done.kind) == ("routing", "routed")
    assert done.data == {**intent.data, "seconds": 0.002}
    assert routing.version == f"e{LEASE.epoch}-{intent.seq}"


def test_a_preview_leaves_the_singletons_alone(stage: Stage) -> None:
    live = stage.serve(stage.version("old"), "blue")
    stage.run("green", stage.version("new"))
    publish(stage.place, LEASE, live, preview="green")
    assert stage.effects == ["publish blue, preview green"]


def test_a_slot_that_was_stopped_gets_no_route(stage: Stage) -> None:
    live = stage.serve(stage.version("old"), "blue")
    stage.run("green", stage.version("new"))
    stage.write("slot.stopped", slot="green")
    publish(stage.place, LEASE, live)
    assert stage.router.routing and set(stage.router.routing.endpoints) == {"blue"}


def test_the_router_is_told_again_what_the_journal_says(stage: Stage) -> None:
    stage.serve(stage.version("old"), "green")
    publish(stage.place, LEASE, stage.live())
    assert stage.effects == ["publish green", "singletons of old"]


def test_nothing_is_restored_to_nothing(stage: Stage) -> None:
    stage.serve(stage.version("new"), "blue")
    stage.run("green", stage.version("older"))
    stage.write("slot.stopped", slot="green")
    assert restore(stage.place, LEASE, None) == "nothing was live before, and nothing is now"
    assert stage.effects == ["publish nothing", "singletons of nothing", "stop blue"]
    assert stage.place.ledger().live is None


@pytest.mark.parametrize(("slot", "other"), [("blue", "green"), ("green", "blue")])
def test_what_was_live_serves_again_before_the_other_slot_ends(stage: Stage, slot: str, other: str) -> None:
    before = stage.serve(stage.version("old"), slot)
    stage.serve(stage.version("new"), other)
    assert restore(stage.place, LEASE, before) == f"{before.version} serves again in slot {slot}, confirmed in 2.0 ms"
    again = [f"publish {slot}", "singletons of old"]
    assert stage.effects == [*again, f"drain {other} for 0.5 s", f"stop {other}", *again]
    assert stage.live().version == before.version
    assert stage.router.routing and set(stage.router.routing.endpoints) == {slot}


def test_a_restore_without_another_slot_drains_nothing(stage: Stage) -> None:
    before = stage.serve(stage.version("old"), "blue")
    restore(stage.place, LEASE, before)
    stage.run("green", stage.version("new"))
    stage.write("slot.stopped", slot="green")
    restore(stage.place, LEASE, before)
    assert stage.effects == ["publish blue", "singletons of old"] * 2


@pytest.mark.parametrize("why", ["never run", "stopped", "another version", "dead"])
def test_a_slot_that_does_not_run_the_version_is_started(stage: Stage, why: str) -> None:
    old = stage.version("old")
    if why != "never run":
        stage.run("blue", stage.version("other") if why == "another version" else old)
    if why == "stopped":
        stage.write("slot.stopped", slot="blue")
    if why == "dead":
        stage.runtime.deaths["blue"] = "exit 3"
    ensure_slot(stage.place, LEASE, "blue", stage.artifact(old))
    assert stage.effects == ["stop blue", "start old in blue"]


def test_a_slot_that_runs_the_version_is_asked_and_left_alone(stage: Stage) -> None:
    old = stage.version("old")
    stage.run("blue", old)
    ensure_slot(stage.place, LEASE, "blue", stage.artifact(old))
    assert stage.effects == [] and [request.path for request, _ in stage.server.log] == ["/health"]


def test_a_restore_that_fails_says_what_could_not_be_brought_back(stage: Stage) -> None:
    before = stage.serve(stage.version("old"), "blue")
    end = "; look at `make status`, then docs/operations.md, 'A restore that failed'"
    stage.router.refuses = "not confirmed"
    for live, what in ((before, f"{before.version} in slot blue"), (None, "the empty state")):
        with pytest.raises(RestoreError) as failed:
            restore(stage.place, LEASE, live)
        assert str(failed.value) == f"production: could not bring back {what}: not confirmed{end}"


def test_a_restore_waits_for_the_runtime_first(stage: Stage) -> None:
    before = stage.serve(stage.version("old"), "blue")
    stage.runtime.ready_error = "the engine stays away"
    with pytest.raises(RestoreError, match="could not bring back old .*: the engine stays away"):
        restore(stage.place, LEASE, before)
    assert stage.effects == []
