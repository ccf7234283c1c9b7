"""A new version is measured before it gets traffic, and what is not fit is told with what was measured."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from deployments import fitness as module
from deployments.fitness import Fitness
from evidence.bundle import Bundle, Metrics
from gates.release.verification import Usage
from host import probe
from host.errors import HealthError
from host.ports import LOCAL, Endpoint
from tests.deployments.stage import Clock, Stage

PREVIEW = {"x-preview": "secret"}
METRICS = Metrics(path="/metrics", query="db_seconds")
CALM = Usage("web", 40, 100, 1.0, 1.0, 10.0)


@pytest.fixture
def stage(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(module, "time", Clock())
    monkeypatch.setattr(probe, "PATIENCE_S", 60.0)  # a loaded machine answers late
    made = Stage(tmp_path, httpserver, verify_seconds=0.3, max_p95_seconds=60.0)
    made.runtime.used = (CALM,)
    return made


def measure(stage: Stage, **changed: object) -> Fitness:
    version = stage.version("new", metrics=METRICS if "metrics" in changed else None)
    stage.run("blue", version)
    bundle: Bundle = stage.artifact(version).bundle
    run = bundle.run.model_copy(update={name: value for name, value in changed.items() if name != "metrics"})
    return Fitness(stage.place, "blue", bundle.model_copy(update={"run": run}))


def queries(stage: Stage, bound: str) -> None:
    """Have the app count ten more queries each time that it is asked for its figures."""
    asked: list[str] = []

    def page(request: Request) -> Response:
        asked.append(request.path)
        count = 10 * len(asked)
        quick = count if bound == "quick" else 0
        lines = [f'db_seconds_bucket{{le="0.1"}} {quick}', f'db_seconds_bucket{{le="+Inf"}} {count}', ""]
        return Response("\n".join(lines))

    stage.server.expect_request("/metrics").respond_with_handler(page)


def test_a_fit_version_is_told_with_its_figures(stage: Stage) -> None:
    said = measure(stage).judge(PREVIEW)
    assert said.startswith("p95 of 6 answers ") and "within 60 s" in said and "web: " in said


@pytest.mark.parametrize(("seconds", "asked"), [(0.2, 5), (0.25, 5), (0.3, 6), (1.0, 20)])
def test_it_is_asked_evenly_for_the_time_that_is_set(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float, asked: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    settings = stage.place.settings.model_copy(update={"verify_seconds": seconds})
    monkeypatch.setitem(stage.place.__dict__, "settings", settings)
    measure(stage).judge(PREVIEW)
    assert len(stage.server.log) == asked
    assert clock.passed == pytest.approx((asked - 1) / module.ASKED_PER_SECOND)


def test_every_health_path_is_asked_in_turn_through_the_preview(stage: Stage) -> None:
    stage.server.expect_request("/ready").respond_with_data("fine")
    measure(stage, health=("/health", "/ready")).judge(PREVIEW)
    assert [request.path for request, _ in stage.server.log] == ["/health", "/ready"] * 3
    assert {request.headers["x-preview"] for request, _ in stage.server.log} == {"secret"}


def test_one_bad_answer_makes_it_unfit(stage: Stage) -> None:
    stage.server.expect_request("/sick").respond_with_data("no", status=500)
    with pytest.raises(HealthError) as unfit:
        measure(stage, health=("/health", "/health", "/sick")).judge(PREVIEW)
    assert str(unfit.value).startswith("not fit for traffic: 2 of 6 requests got no good answer")


def test_a_version_that_hangs_is_not_asked_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    hung: list[str] = []

    def timed(url: str, path: str, headers: object, rules: object) -> tuple[float, bool]:
        hung.append(path)
        return (0.1, True) if len(hung) == 1 else (3 * probe.PATIENCE_S, False)

    monkeypatch.setattr(module, "timed", timed)
    with pytest.raises(HealthError, match="1 of 2 requests got no good answer"):
        measure(stage).judge(PREVIEW)
    assert len(hung) == 2


def test_a_dead_slot_is_told_with_its_last_words(stage: Stage) -> None:
    stage.server.expect_request("/sick").respond_with_data("no", status=500)
    stage.runtime.deaths["blue"] = "exit 3; it said: giving up"
    with pytest.raises(HealthError, match="6 of 6 requests got no good answer.*; exit 3; it said: giving up$"):
        measure(stage, health=("/sick",)).judge(PREVIEW)


def test_memory_above_the_limit_makes_it_unfit(stage: Stage) -> None:
    fitness = measure(stage)
    stage.runtime.used = (Usage("web", 90, 100, 1.0, 1.0, 10.0),)
    fitness.judge(PREVIEW)
    stage.runtime.used = (Usage("web", 91, 100, 1.0, 1.0, 10.0),)
    with pytest.raises(HealthError, match="not fit for traffic: web: "):
        fitness.judge(PREVIEW)


def test_quick_queries_are_told_and_slow_ones_make_it_unfit(stage: Stage) -> None:
    queries(stage, "quick")
    assert "quer" in measure(stage, metrics=True).judge(PREVIEW)
    stage.server.clear()
    stage.server.expect_request("/health").respond_with_json({"status": "ok"})
    queries(stage, "slow")
    with pytest.raises(HealthError, match="above 0.100"):
        measure(stage, metrics=True).judge(PREVIEW)


def test_queries_of_before_the_measurement_count_for_nothing(stage: Stage) -> None:
    page = 'db_seconds_bucket{le="0.1"} 0\ndb_seconds_bucket{le="+Inf"} 10\n'
    stage.server.expect_request("/metrics").respond_with_data(page)
    with pytest.raises(HealthError, match="no query was counted"):
        measure(stage, metrics=True).judge(PREVIEW)


def test_an_app_that_names_no_figures_is_not_asked_for_them(stage: Stage) -> None:
    assert "quer" not in measure(stage).judge(PREVIEW)


def test_queries_of_all_endpoints_are_added_up(stage: Stage) -> None:
    queries(stage, "quick")
    counts = iter(range(100, 1000, 100))
    second = HTTPServer()
    page = 'db_seconds_bucket{{le="0.1"}} {0}\ndb_seconds_bucket{{le="+Inf"}} {0}\n'
    second.expect_request("/metrics").respond_with_handler(lambda request: Response(page.format(next(counts))))
    with second:
        stage.runtime.endpoints += (Endpoint(LOCAL, second.port),)
        assert "p95 of 110 queries" in measure(stage, metrics=True).judge(PREVIEW)
