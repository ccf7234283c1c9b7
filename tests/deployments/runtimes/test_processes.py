"""Workers and singletons of the runtime `process`, run by a real supervisor: each where and when it should."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments.health import look_around
from deployments.recovery import reconcile
from deployments.rollback import roll_back
from deployments.rollout import Rollout
from evidence.bundle import Process
from gates.release.condition import Condition
from gates.release.recovery import Repair
from host.docker.engine import Engine
from host.supervisor.program import Program
from host.supervisor.supervisor import Supervisor
from tests.deployments.shop import Shop, shop
from tests.deployments.stage import NO_IMAGE

PROCESSES = {
    "work": Process(command=("python", "app.py", "work"), role="slot", stop_seconds=10),
    "beat": Process(command=("python", "app.py", "beat"), role="singleton", stop_seconds=10),
}


class Events:
    """What the processes tell: `start work one`, in the order in which it happened."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.seen: list[str] = []

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def until(self, event: str, times: int = 1) -> None:
        """Wait until an event has come so often."""
        self.socket.settimeout(600)
        while self.seen.count(event) < times:
            self.seen.append(self.socket.recv(100).decode())

    def of(self, process: str) -> list[str]:
        """Return what one process told until now."""
        self.socket.settimeout(0)
        while True:
            try:
                self.seen.append(self.socket.recv(100).decode())
            except BlockingIOError:
                return [event for event in self.seen if f" {process} " in event]


@pytest.fixture(scope="module")
def events() -> Iterator[Events]:
    made = Events()
    yield made
    made.socket.close()


@pytest.fixture(scope="module")
def made(events: Events, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("processes"), "process", Engine(), f"APP_EVENTS={events.port}\n") as one:
        yield one


def version(made: Shop, how: str) -> str:
    return made.artifact(how, image=NO_IMAGE, processes=PROCESSES)


def programs(made: Shop) -> dict[str, Any]:
    runtime = made.place().runtime
    return {slot or "singletons": dict(runtime.programs(slot)) for slot in ("blue", "green", None)}


BOTH, NONE = {"web": "running", "work": "running"}, {"web": "not declared"}


def test_workers_belong_to_a_slot_and_a_singleton_never_runs_twice(
    made: Shop, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made.release(version(made, "one")) == ""
    events.until("start beat one")
    assert programs(made) == {"blue": BOTH, "green": NONE, "singletons": {"beat": "running"}}
    assert [used.service for used in made.place().runtime.usage("blue")] == ["slot-blue", "slot-blue-work"]
    place = made.place()
    looks = {probe.what: probe.look for probe in look_around(place, place.ledger(), full=True)}
    assert (looks["slot blue"].reason, looks["singletons"].reason) == ("runs one: web, work", "beat")

    # A release: the old worker stays beside its warm service.
    assert made.release(version(made, "two")) == ""
    events.until("start beat two")
    events.until("start work two")
    assert programs(made) == {"blue": BOTH, "green": BOTH, "singletons": {"beat": "running"}}
    assert events.of("work") == ["start work one", "start work two"]

    # A candidate whose worker ends is a bad one; what is live keeps its own.
    said = made.release(version(made, "three weak"))
    assert "its process work: " in said and "no broker for ***" in said
    assert programs(made) == {"blue": NONE, "green": BOTH, "singletons": {"beat": "running"}}
    assert "stop work one" in events.of("work") and "stop beat two" not in events.of("beat")

    # Killed between the end of the old singleton and the start of the new one.
    killed_at(monkeypatch, "singleton-beat")
    place = made.place()
    with pytest.raises(KeyboardInterrupt), place.lease("test") as lease:
        rollout = Rollout.begin(place, lease, made.read(version(made, "four")), "release")
        for step in (rollout.install, rollout.migrate, rollout.start, rollout.verify, rollout.switch):
            step()
    assert events.of("beat")[-1] == "stop beat two" and programs(made)["singletons"] == {}
    monkeypatch.undo()
    place = made.place()
    with place.lease("test") as lease:
        assert reconcile(place, lease)[0] is Repair.RESTORE
    events.until("start beat two", times=2)
    assert programs(made) == {"blue": NONE, "green": BOTH, "singletons": {"beat": "running"}}

    # A rollback takes both back, and stops the worker of what it left.
    place = made.place()
    with place.lease("test") as lease:
        roll_back(place, lease, None, None, "test", lambda _: None)
    events.until("start beat one", times=2)
    assert programs(made) == {"blue": BOTH, "green": NONE, "singletons": {"beat": "running"}}

    # A version without processes leaves none of the others'.
    assert made.release(made.artifact("five", image=NO_IMAGE)) == ""
    assert programs(made)["singletons"] == {} and programs(made)["green"] == {"web": "running"}
    beats = events.of("beat")
    assert beats == [f"{what} beat {how}" for how in ("one", "two", "two", "one") for what in ("start", "stop")]


def killed_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have this process end, as by a signal, when it is about to declare a program."""
    declare = Supervisor.declare

    def killed(self: Supervisor, program: Program) -> None:
        if program.name == name:
            raise KeyboardInterrupt
        declare(self, program)

    monkeypatch.setattr(Supervisor, "declare", killed)


def test_a_singleton_that_was_given_up_is_told_and_starts_anew_with_the_next_publication(
    made: Shop, events: Events
) -> None:
    assert made.release(version(made, "six")) == ""
    events.until("start beat six")
    place = made.place()
    place.supervisor.stop("singleton-beat")
    looks = [probe.look for probe in look_around(place, place.ledger(), full=True) if probe.what == "singletons"]
    assert [(look.condition, look.reason) for look in looks] == [(Condition.DEGRADED, "singletons: beat: stopped")]
    live = place.ledger().live
    assert live
    place.runtime.follow(live)
    events.until("start beat six", times=2)
    before = place.supervisor.generation("singleton-beat")
    place.runtime.follow(live)  # safe to repeat: it runs on
    assert place.supervisor.generation("singleton-beat") == before
    with made.set("APP_GREETING", "other"):  # what only repairs has the settings of its own start
        made.place().runtime.follow(live)
    assert place.supervisor.generation("singleton-beat") == before
    place.runtime.follow(replace(live, slot="green"))  # the same version, released again
    events.until("start beat six", times=3)
    place.supervisor.down()
    assert events.of("beat")[-1] == "stop beat six" and "stop work six" in events.of("work")


def test_what_runs_beside_the_service_is_told_to_the_approver(made: Shop) -> None:
    runtime = made.place().runtime
    told = ["Processes: each slot has web, work; only the live version has beat (never two at a time)."]
    assert runtime.notes(made.read(version(made, "good"))) == told
    assert runtime.notes(made.read(made.artifact("good", image=NO_IMAGE))) == runtime.notes() == []


def test_the_log_of_a_worker_is_its_own(made: Shop) -> None:
    logs: Path = made.place().supervisor.directory / "log"
    assert {"slot-green-work.log", "singleton-beat.log"} <= {file.name for file in logs.iterdir()}
