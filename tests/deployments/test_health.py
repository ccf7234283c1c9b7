"""What serves is looked at: its health paths, the router, the slot; one bad look is none."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from deployments import health
from deployments.health import look_around, look_until_sure
from gates.release.condition import Condition, Look, worst
from host import probe
from tests.deployments.stage import Stage

WELL = Look(Condition.HEALTHY, "/health answered 200, ok")


@pytest.fixture
def stage(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(health, "PAUSE_S", 0.0)
    monkeypatch.setattr(probe, "TIMEOUT_S", 60.0)  # a loaded machine answers late
    return Stage(tmp_path, httpserver)


def seen(stage: Stage, full: bool = True) -> dict[str, Look]:
    return {one.what: one.look for one in look_around(stage.place, stage.place.ledger(), full)}


def answers(stage: Stage, *statuses: int) -> None:
    """Have the health path answer these in turn, the last one again and again."""
    left = list(statuses)
    stage.server.clear()
    stage.server.expect_request("/health").respond_with_handler(
        lambda request: Response("", status=left.pop(0) if len(left) > 1 else left[0])
    )


def test_where_nothing_is_live_nothing_is_looked_at(stage: Stage) -> None:
    assert seen(stage) == {} and look_until_sure(stage.place, stage.place.ledger()) == ()


def test_a_quick_look_is_at_the_health_path_alone(stage: Stage) -> None:
    stage.serve(stage.version("old"), "blue")
    assert seen(stage, full=False) == {"/health": WELL}


def test_a_full_look_is_also_at_router_and_slot(stage: Stage) -> None:
    stage.serve(stage.version("old"), "blue")
    assert seen(stage) == {
        "/health": WELL,
        "router": Look(Condition.HEALTHY, f"serves {stage.router.seen}"),
        "slot blue": Look(Condition.HEALTHY, "runs old"),
    }


@pytest.mark.parametrize(("serves", "told"), [(None, "nothing"), ("e0-0", "e0-0")])
def test_a_router_that_serves_something_else_is_degraded(stage: Stage, serves: str | None, told: str) -> None:
    stage.serve(stage.version("old"), "blue")
    name, stage.router.seen = stage.router.seen, serves
    assert seen(stage)["router"] == Look(Condition.DEGRADED, f"the router serves {told}, the journal says {name}")


def test_a_slot_that_is_gone_is_degraded(stage: Stage) -> None:
    stage.serve(stage.version("old"), "blue")
    stage.runtime.deaths = {"blue": "exit 3", "green": "exit 4"}
    assert seen(stage)["slot blue"] == Look(Condition.DEGRADED, "slot blue: exit 3")


def test_a_slot_that_cannot_be_asked_for_is_degraded(stage: Stage) -> None:
    stage.serve(stage.version("old"), "blue")
    stage.runtime.silent = "the engine does not answer"
    said = "slot blue: cannot be asked for: the engine does not answer"
    assert seen(stage)["slot blue"] == Look(Condition.DEGRADED, said)


def test_an_artifact_that_is_missing_is_degraded_and_nothing_else_is_looked_at(stage: Stage) -> None:
    live = stage.serve(stage.version("old"), "blue")
    (stage.place.store.root / "artifacts" / f"{live.version.digest}.json").unlink()
    ((what, look),) = seen(stage).items()
    assert what == "artifact" and look.condition is Condition.DEGRADED and live.version.digest[:12] in look.reason


def test_a_bad_health_path_is_unhealthy(stage: Stage) -> None:
    stage.serve(stage.version("old"), "blue")
    answers(stage, 500)
    assert seen(stage)["/health"] == Look(Condition.UNHEALTHY, "/health answered 500: ")


@pytest.mark.parametrize(
    ("statuses", "condition", "looks"),
    [
        ((200,), Condition.HEALTHY, 1),
        ((500, 200), Condition.HEALTHY, 2),
        ((500, 500, 200), Condition.HEALTHY, 3),
        ((500, 500, 500, 200), Condition.UNHEALTHY, 3),
    ],
)
def test_one_bad_look_is_none(stage: Stage, statuses: tuple[int, ...], condition: Condition, looks: int) -> None:
    stage.serve(stage.version("old"), "blue")
    answers(stage, *statuses)
    last = look_until_sure(stage.place, stage.place.ledger())
    assert worst([one.look for one in last]).condition is condition
    assert len(stage.server.log) == looks


def test_what_is_only_degraded_is_not_looked_at_again(stage: Stage) -> None:
    stage.serve(stage.version("old"), "blue")
    stage.router.seen = None
    look_until_sure(stage.place, stage.place.ledger())
    assert len(stage.server.log) == 1


def test_a_stranger_at_the_live_slots_port_is_unhealthy_however_well_he_answers(stage: Stage) -> None:
    stage.serve(stage.version("old"), "blue")
    stage.runtime.strangers = ["pid 7 (evil) listens on 127.0.0.1:80"]
    looks = seen(stage)
    assert looks["/health"] == WELL
    assert looks["slot blue"] == Look(Condition.UNHEALTHY, "slot blue: pid 7 (evil) listens on 127.0.0.1:80")
