"""A version is promoted not before its time, rolled back as soon as it is bad, and when it cannot be judged."""

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from deployments import bake as module
from deployments.bake import bake
from evidence.bundle import Run
from gates.release.analysis import SILENT_TO_BLAME_S, SlotCounters
from gates.verdict import Action, Verdict
from host.probe import Asked
from host.resources.patience import Patience
from tests.deployments.stage import Clock, Stage

Make = Callable[..., Stage]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def make(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(module, "PATIENCE_S", 60.0)  # a loaded machine answers late

    def made(**changed: object) -> Stage:
        settings: dict[str, object] = {"bake_seconds": 2.0, "bake_max_seconds": 5.0, "bake_probes_per_second": 0.0}
        return Stage(tmp_path, httpserver, **{**settings, **changed})

    return made


def counted(good: int, bad: int = 0, slowest_ms: float = 100) -> SlotCounters:
    total = good + bad
    buckets = ((50.0, 0), *([(500.0, 0)] if slowest_ms > 500 else []), (slowest_ms, total), (math.inf, total))
    return SlotCounters({"2xx": good, "5xx": bad}, time_buckets_ms=buckets)


def steadily(good: int, bad: int = 0, slowest_ms: float = 100) -> list[dict[str, SlotCounters]]:
    """Return readings of which each has so much more than the one before, for three looks with something new."""
    looks = (counted(number * good, number * bad, slowest_ms) for number in range(1, 4))
    return [{}, *({"blue": counters} for counters in looks)]


def probed(path: str) -> Run:
    return Run(command=("serve",), health=(path,))


def test_a_good_version_is_promoted_not_before_its_time(make: Make, clock: Clock) -> None:
    stage = make()
    stage.router.readings = [{"blue": counted(50)}, {"blue": counted(60)}]
    verdict, failed = bake(stage.place, stage.instance("blue"), probed("/health"))
    assert verdict.action is Action.PROMOTE and failed == 0
    assert "of 10 requests (and 0 probes)" in verdict.reason  # what was counted before is not this version's
    assert clock.passed == 2.0


def test_a_bad_version_is_rolled_back_as_soon_as_it_cannot_be_chance(make: Make, clock: Clock) -> None:
    stage = make()
    stage.router.readings = steadily(2, 2)
    verdict, _ = bake(stage.place, stage.instance("blue"), probed("/health"))
    assert verdict.action is Action.ROLL_BACK
    assert verdict.reason == "error rate 50.00% (6 of 12 requests) exceeds 1.00%"
    assert clock.passed == 1.0


def test_a_burst_of_errors_that_ends_is_waited_out_and_is_no_verdict(make: Make, clock: Clock) -> None:
    stage = make()
    stage.router.readings = [{}, {"blue": counted(10, 10)}]
    reason = "inconclusive after 5 s: error rate 50.00% (10 of 20 requests) is above 1.00%, which may be chance"
    assert bake(stage.place, stage.instance("blue"), probed("/health")) == (Verdict(Action.WAIT, reason), 0)
    assert clock.passed == 5.0


def test_another_slots_figures_count_for_nothing(make: Make, clock: Clock) -> None:
    stage = make()
    stage.router.readings = [{}, {"green": counted(0, 50), "blue": counted(10)}]
    assert bake(stage.place, stage.instance("blue"), probed("/health"))[0].action is Action.PROMOTE


def test_too_little_to_judge_is_inconclusive_when_the_time_is_over(make: Make, clock: Clock) -> None:
    stage = make()
    stage.router.readings = [{}, {"blue": counted(2)}]
    reason = "inconclusive after 5 s: 2 requests, need 3 to judge"
    assert bake(stage.place, stage.instance("blue"), probed("/health")) == (Verdict(Action.WAIT, reason), 0)
    assert clock.passed == 5.0


def test_what_can_be_judged_late_is_promoted_then(make: Make, clock: Clock) -> None:
    stage = make()
    looks: list[dict[str, SlotCounters]] = [{}, *[{"blue": counted(2)}] * 8, {"blue": counted(3)}]
    stage.router.readings = looks
    assert bake(stage.place, stage.instance("blue"), probed("/health"))[0].action is Action.PROMOTE
    assert clock.passed == 4.0


def test_what_can_be_judged_at_the_last_look_is_promoted(make: Make, clock: Clock) -> None:
    stage = make(bake_seconds=5.0)
    stage.router.readings = [{}, {"blue": counted(3)}]
    assert bake(stage.place, stage.instance("blue"), probed("/health"))[0].action is Action.PROMOTE
    assert clock.passed == 5.0


def test_our_own_probes_make_up_the_number(make: Make, clock: Clock) -> None:
    stage = make(bake_probes_per_second=4.0)
    stage.router.readings = [{}, {"blue": counted(8)}]
    verdict, failed = bake(stage.place, stage.instance("blue"), probed("/health"))
    assert "of 0 requests (and 8 probes)" in verdict.reason and failed == 0
    assert [request.path for request, _ in stage.server.log] == ["/health"] * 8


def test_only_so_many_probes_are_sent_at_once(make: Make, clock: Clock) -> None:
    stage = make(bake_probes_per_second=100.0)
    stage.router.readings = [{}, {"blue": counted(90)}]
    bake(stage.place, stage.instance("blue"), probed("/health"))
    assert len(stage.server.log) == 4 * module.PROBES_AT_ONCE  # at each look but the first


def test_failed_probes_roll_it_back_and_are_counted(make: Make, clock: Clock) -> None:
    stage = make(bake_probes_per_second=6.0)
    stage.server.expect_request("/sick").respond_with_data("no", status=500)
    stage.router.readings = [{}, {"blue": counted(0)}]
    assert bake(stage.place, stage.instance("blue"), probed("/sick")) == (
        Verdict(Action.ROLL_BACK, "error rate with probes 100.00% (9 of 9, 9 of them probes) exceeds 1.00%"),
        9,
    )
    assert clock.passed == 1.5


@pytest.fixture
def hung(make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage whose /hangs answers nothing until the test is over."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    over = threading.Event()

    def hang(request: Request) -> Response:
        over.wait(300)
        return Response("late")

    stage = make(bake_probes_per_second=2.0, bake_max_seconds=1e9)
    stage.server.expect_request("/hangs").respond_with_handler(hang)
    stage.router.readings = [{}, {"blue": counted(50)}]
    yield stage
    over.set()


def test_a_version_that_answers_no_probe_is_rolled_back(
    hung: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT_TO_BLAME_S", 0.5)
    verdict, failed = bake(hung.place, hung.instance("blue"), probed("/hangs"))
    assert verdict.action is Action.ROLL_BACK and verdict.reason.endswith("probes in a row got no answer in time")
    assert failed == 0


def test_a_version_that_had_no_processor_is_not_blamed_for_its_silence(
    hung: Stage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []

    def never_over(limit_s: float) -> SimpleNamespace:
        limits.append(limit_s)
        return SimpleNamespace(over=lambda: False)

    monkeypatch.setattr(module, "Patience", never_over)
    monkeypatch.setitem(
        hung.place.__dict__, "settings", hung.place.settings.model_copy(update={"bake_max_seconds": 5.0})
    )
    verdict, _ = bake(hung.place, hung.instance("blue"), probed("/hangs"))
    assert limits == [SILENT_TO_BLAME_S]  # one limit for the whole silence
    assert verdict.reason == "inconclusive after 5 s: 10 of 10 probes got no answer in time"


def test_an_answer_ends_the_silence(make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    late = iter([True, True, False, True, *[False] * 50])
    monkeypatch.setattr(module, "ask", lambda *_, **__: Asked(Verdict(Action.PROMOTE, "fine"), late=next(late)))
    limits: list[Patience] = []

    class Counted(Patience):
        def __post_init__(self) -> None:
            super().__post_init__()
            limits.append(self)

    monkeypatch.setattr(module, "Patience", Counted)
    stage = make(bake_probes_per_second=2.0)
    stage.router.readings = [{}, {"blue": counted(50)}]
    verdict, _ = bake(stage.place, stage.instance("blue"), probed("/health"))
    assert verdict.action is Action.PROMOTE
    assert len(limits) == 2  # one for each silence


def test_a_version_much_slower_than_the_one_before_is_rolled_back(make: Make, clock: Clock) -> None:
    stage = make()
    slower = steadily(10, slowest_ms=1000)
    stage.router.readings = [*slower]
    before = (SlotCounters(), counted(10))
    verdict, _ = bake(stage.place, stage.instance("blue"), probed("/health"), before)
    assert verdict.action is Action.ROLL_BACK
    assert verdict.reason.startswith("p95 1 s exceeds 0.3 s (3 times the 0.1 s before the switch)")
    stage.router.readings = [*slower]
    assert bake(stage.place, stage.instance("blue"), probed("/health"))[0].action is Action.PROMOTE


@pytest.mark.parametrize(
    ("limit", "value", "counters", "reason"),
    [
        ("max_error_rate", 0.5, steadily(2, 18), "error rate 90.00% (54 of 60 requests) exceeds 50.00%"),
        ("max_error_rate", 0.5, steadily(10, 10), ""),
        ("max_p95_seconds", 0.04, steadily(10), "p95 0.1 s exceeds 0.04 s (30 of 30 requests are slower)"),
        ("max_p95_seconds", 0.1, steadily(10), ""),
    ],
)
def test_the_limits_are_the_environments(
    make: Make, clock: Clock, limit: str, value: float, counters: list[dict[str, SlotCounters]], reason: str
) -> None:
    stage = make(**{limit: value})
    stage.router.readings = counters
    verdict, _ = bake(stage.place, stage.instance("blue"), probed("/health"))
    assert (verdict.action is Action.ROLL_BACK) is bool(reason)
    assert verdict.reason == reason or not reason


def test_a_slot_that_was_started_again_is_rolled_back_at_once_however_good_its_figures(
    make: Make, clock: Clock
) -> None:
    stage = make()
    stage.router.readings = [{"blue": counted(50)}, {"blue": counted(60)}]
    instance = stage.instance("blue")
    stage.runtime.generations["blue"] = "2"
    assert bake(stage.place, instance, probed("/health")) == (Verdict(Action.ROLL_BACK, "exit 1, and started again"), 0)
    assert clock.passed == 0


def test_a_stranger_at_the_slots_port_is_rolled_back_from_at_once(make: Make, clock: Clock) -> None:
    stage = make()
    stage.router.readings = [{}, {"blue": counted(60)}]
    stage.runtime.strangers = ["pid 7 (evil) listens on 127.0.0.1:80"]
    verdict, _ = bake(stage.place, stage.instance("blue"), probed("/health"))
    assert verdict == Verdict(Action.ROLL_BACK, "slot blue: pid 7 (evil) listens on 127.0.0.1:80")


def test_a_slot_that_does_not_listen_is_rolled_back(make: Make, clock: Clock) -> None:
    stage = make()
    stage.router.readings = [{}, {"blue": counted(60)}]
    stage.runtime.sockets = frozenset()
    verdict, _ = bake(stage.place, stage.instance("blue"), probed("/health"))
    assert verdict.action is Action.ROLL_BACK and "does not listen on 127.0.0.1" in verdict.reason


def test_a_keeper_that_cannot_be_asked_is_waited_for_and_then_nothing_is_promoted(make: Make, clock: Clock) -> None:
    stage = make()
    stage.router.readings = [{}, {"blue": counted(60)}]
    instance = stage.instance("blue")
    stage.runtime.silent = "no answer"
    verdict, _ = bake(stage.place, instance, probed("/health"))
    assert verdict == Verdict(Action.WAIT, "inconclusive after 5 s: the slot cannot be asked for: no answer")
