"""`test/suite` as it is run: on a real repository, through a real Prefect server."""

import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State

from flows import test as module
from host.home import CHECKOUT, Home
from host.resources.cores import Claim, Cores
from settings.locks import LockChoice
from settings.pipeline import Pipeline
from tasks.checks import cores
from tests.tasks.checks.test_coverage import SHOP, TEN, calls
from tests.tasks.small_app import App, pipeline
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("prefect_server")
LOCK = (CHECKOUT / "examples" / "assistant" / "requirements-dev.lock").read_text()


@pytest.fixture
def shop(app: App) -> App:
    tests = {"tests/unit/test_a.py": calls("a", *TEN[:9]), "tests/performance/test_p.py": "def test_p(): pass\n"}
    app.commit({**SHOP, **tests, "dev.lock": LOCK})
    return app


def plan(shop: App, **coverage: Any) -> Pipeline:
    made = pipeline({"unit": {"min_coverage": 90}, "performance": {"alone": True}}, **coverage)
    app = made.app.model_copy(update={"repository": str(shop.repository)})
    return made.model_copy(
        update={"app": app, "locks": made.locks.model_copy(update={"ci": LockChoice(file="dev.lock")})}
    )


def run(monkeypatch: pytest.MonkeyPatch, made: Pipeline, **parameters: Any) -> State[Any]:
    monkeypatch.setattr(module, "read_pipeline", lambda: made)
    state: State[Any] = module.test(**parameters, return_state=True)
    return state


def page(state: State[Any]) -> str:
    run_id = state.state_details.flow_run_id
    assert isinstance(run_id, UUID)
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        (artifact,) = client.read_artifacts(artifact_filter=wanted)
    return str(artifact.data)


def test_all_suites_are_run_and_their_coverage_is_judged(
    shop: App, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = run(monkeypatch, plan(shop))
    assert state.is_completed(), state.message
    assert state.message == "3 required checks passed: unit, performance, coverage"
    shown = page(state)
    assert "1 passed" in shown and "The slowest tests" in shown and "Files, the worst first" in shown


def test_one_suite_is_run_without_judging_coverage(shop: App, monkeypatch: pytest.MonkeyPatch) -> None:
    state = run(monkeypatch, plan(shop, min_total=100), suite="unit")
    assert state.message == "1 required checks passed: unit"
    assert "Coverage" not in page(state)


def test_a_missed_limit_fails_the_run_and_says_which(shop: App, monkeypatch: pytest.MonkeyPatch) -> None:
    state = run(monkeypatch, plan(shop, min_total=96))
    assert state.is_failed()
    assert state.message == "coverage: failed (total coverage 95%, wanted >= 96%)"


def test_a_failing_test_fails_the_run_and_says_which(shop: App, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.commit({"tests/performance/test_p.py": "def test_p(): assert 0\n"})
    state = run(monkeypatch, plan(shop))
    assert state.is_failed()
    assert state.message and state.message.startswith(
        "performance: failed (1 of 1 failed: tests/performance/test_p.py::test_p"
    )
    assert "test\\_p\\.py\\:1" in page(state)


def test_a_suite_that_is_not_there_is_told(shop: App, monkeypatch: pytest.MonkeyPatch) -> None:
    state = run(monkeypatch, plan(shop), suite="e2e")
    assert state.is_failed()
    assert state.message == "config/pipeline.toml: suites: there is no suite e2e"


def test_a_suite_that_waits_for_another_run_says_so_on_its_page(
    shop: App, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run(monkeypatch, plan(shop), suite="unit")  # makes the environment, which would be what waits
    monkeypatch.setattr(cores, "SHORTEST_NOTED_S", 1e-9)
    queue, held = Home.find().cores, threading.Event()

    def other_run() -> None:
        with Cores(queue, 1).take(Claim(what="load test", run="another", alone=True)):
            held.set()
            wait_for(lambda: "waits for a core: load test of another" in caplog.text, "the suite waits")

    other = threading.Thread(target=other_run, daemon=True)
    other.start()
    assert held.wait(60)
    state = run(monkeypatch, plan(shop), suite="unit")
    other.join(60)
    assert state.is_completed(), state.message
    assert "waited for a core" in page(state)
