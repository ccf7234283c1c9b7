"""The same behaviour of both runtimes, through one protocol."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from deployments.rollback import roll_back
from deployments.runtimes.layout import Installed
from evidence.bundle import Metrics
from gates.migrations.steps import Kind, Step
from host.docker.engine import Engine
from host.errors import ArtifactError, MigrationError, RollbackRefused, ToolError
from tests.deployments.shop import Shop, shop
from tests.waiting import wait_for

RUNTIMES = ["process", pytest.param("compose", marks=pytest.mark.docker)]


@pytest.fixture(scope="module", params=RUNTIMES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    engine = request.getfixturevalue("engine") if request.param == "compose" else Engine()
    with shop(tmp_path_factory.mktemp(request.param), request.param, engine) as one:
        yield one


def started(made: Shop, how: str, slot: str = "blue") -> tuple[Installed, int]:
    runtime = made.place().runtime
    installed = runtime.install(made.read(made.artifact(how)))
    endpoints = runtime.choose_endpoints()
    runtime.stop(slot)
    runtime.start(slot, installed, endpoints)
    return installed, endpoints[0].port


def ask(port: int) -> Any:
    return json.loads(httpx.get(f"http://127.0.0.1:{port}/", timeout=120, trust_env=False).text)


def answers(port: int) -> bool:
    try:
        return bool(ask(port))
    except httpx.HTTPError:
        return False


def test_a_slot_starts_restarts_on_its_port_and_stops(made: Shop) -> None:
    runtime = made.place().runtime
    _, port = started(made, "good")
    wait_for(lambda: answers(port), "the slot to answer")
    assert runtime.gone("blue") is None
    first = ask(port)
    assert first["greeting"] == "hello $world" and first["uid"] != 0
    runtime.restart("blue")
    wait_for(lambda: answers(port), "the slot to answer again")
    assert runtime.gone("blue") is None
    runtime.stop("blue")
    runtime.stop("blue")  # safe to repeat
    assert not answers(port)
    assert runtime.gone("blue")


def test_a_slot_that_cannot_start_says_why_and_no_secret(made: Shop) -> None:
    started(made, "crash")
    runtime = made.place().runtime
    wait_for(lambda: runtime.gone("blue") is not None, "the slot to be gone")
    wait_for(lambda: "it cannot start" in str(runtime.gone("blue")), "its last words")
    said = str(runtime.gone("blue"))
    assert "starting with ***" in said
    assert made.place().app_secret("TOKEN", "generated") not in said
    runtime.stop("blue")


def test_a_slot_deaf_to_sigterm_is_stopped_all_the_same(made: Shop) -> None:
    _, port = started(made, "deaf")
    wait_for(lambda: answers(port), "the slot to answer")
    made.place().runtime.stop("blue")
    assert not answers(port)


def test_a_migration_says_its_last_line_and_a_bad_one_its_reason(made: Shop) -> None:
    place = made.place()
    with place.lease("test") as lease:
        assert (
            place.runtime.migrate(place.runtime.install(made.read(made.artifact("good"))), lease) == "migrated by good"
        )
        bad = place.runtime.install(made.read(made.artifact("bad-migration")))
        with pytest.raises(MigrationError, match=r"exit code 1.*cannot migrate with \*\*\*"):
            place.runtime.migrate(bad, lease)


def test_an_app_in_a_folder_of_its_repository_starts_there(made: Shop) -> None:
    place = made.place()
    installed = place.runtime.install(made.read(made.artifact("good", directory="apps/api")))
    with place.lease("test") as lease:
        assert place.runtime.migrate(installed, lease) == "migrated by good"
        assert place.runtime.seed(installed, "few", lease) == "seeded few few"
    endpoints = place.runtime.choose_endpoints()
    place.runtime.stop("blue")
    place.runtime.start("blue", installed, endpoints)
    wait_for(lambda: answers(endpoints[0].port), "the slot to answer")
    place.runtime.stop("blue")


def test_a_hung_migration_is_ended(made: Shop) -> None:
    with made.set("MIGRATION_TIMEOUT_SECONDS", "1.5"):
        place = made.place()
        with place.lease("test") as lease, pytest.raises(MigrationError, match="did not end within 1.5 s"):
            place.runtime.migrate(place.runtime.install(made.read(made.artifact("slow-migration"))), lease)


def test_an_artifact_with_a_changed_byte_is_refused(made: Shop) -> None:
    place = made.place()
    digest = made.artifact("good")
    source = place.store.root / "blobs" / "sha256" / place.runtime.install(made.read(digest)).bundle.source
    content = source.read_bytes()
    try:
        source.write_bytes(content + b"x")
        with pytest.raises(ArtifactError, match="changed since it was stored"):
            place.runtime.install(made.read(digest))
    finally:
        source.write_bytes(content)


def test_releases_and_a_warm_rollback(made: Shop) -> None:
    assert made.release(made.artifact("good one")) == ""
    assert made.release(made.artifact("fine two")) == ""
    place = made.place()
    assert made.says() == ["fine", "two"]
    with place.lease("test") as lease:
        done, said = roll_back(place, lease, None, None, "test", lambda _: None)
    assert done and "good" in said
    assert made.says() == ["good", "one"]


def test_there_is_no_way_back_behind_a_contract(made: Shop) -> None:
    first = [Step(revision="1", kind=Kind.EXPAND, reason="CREATE TABLE a")]
    both = [*first, Step(revision="2", kind=Kind.CONTRACT, reason="DROP TABLE a")]
    assert made.release(made.artifact("good before", migrations=first)) == ""
    assert "cannot migrate" in made.release(made.artifact("bad-migration", migrations=both))
    place = made.place()
    assert not place.ledger().unsafe  # it failed, so nothing was taken away
    assert made.release(made.artifact("good after", migrations=both)) == ""
    with place.lease("test") as lease, pytest.raises(RollbackRefused) as refused:
        roll_back(place, lease, None, None, "test", lambda _: None)
    assert "not safe to go back to: migration 2 took away what it needs (DROP TABLE a)" in str(refused.value)
    assert "restore the database" in str(refused.value)
    assert made.says() == ["good", "after"]
    assert made.release(made.artifact("good later", migrations=both)) == ""
    with place.lease("test") as lease:
        roll_back(place, lease, None, None, "test", lambda _: None)
    assert made.says() == ["good", "after"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("crash", "it cannot start"),
        ("never", "not healthy after"),
        ("lying", 'its body says "unhealthy"'),
        ("dies 8", ""),
        ("bad-migration", "cannot migrate"),
    ],
)
def test_a_bad_version_says_why_and_the_old_one_serves_on(made: Shop, how: str, why: str) -> None:
    if made.place().ledger().live is None:
        assert made.release(made.artifact("good one")) == ""
    before = made.says()
    with made.set("HEALTH_TIMEOUT_SECONDS", "6" if "dies" in how else "3"):
        said = made.release(made.artifact(how))
    assert said and why in said
    assert made.says() == before


def test_a_seed_runs_in_the_apps_own_environment(made: Shop) -> None:
    place = made.place()
    with place.lease("test") as lease:
        installed = place.runtime.install(made.read(made.artifact("good")))
        assert place.runtime.seed(installed, "samples", lease) == "seeded samples samples"
        with pytest.raises(ToolError, match=r"the seed .*exit code 1: cannot seed with \*\*\*"):
            place.runtime.seed(place.runtime.install(made.read(made.artifact("bad-seed"))), "samples", lease)


def test_a_healthy_version_that_is_not_fit_gets_no_traffic(made: Shop) -> None:
    metrics = Metrics(path="/metrics", query="db_seconds")
    assert made.release(made.artifact("good fit", metrics=metrics)) == ""
    limits = {"MAX_P95_SECONDS": "0.2", "MAX_CPU_PERCENT": "3", "MAX_MEMORY_PERCENT": "70", "MAX_MEMORY_MB": "64"}
    with ExitStack() as changed:
        for key, value in limits.items():
            changed.enter_context(made.set(key, value))
        said = made.release(made.artifact("slow slow-query busy fat", metrics=metrics))
    assert said.startswith("HealthError: not fit for traffic: p95 of ")
    for why in ("s exceeds 0.2 s", "queries above 0.100 s exceeds", "MB, exceeds 70 %", "% of 1, exceeds 3 %"):
        assert why in said
    assert made.says() == ["good", "fit"]


def test_after_bad_versions_the_next_good_one_is_released(made: Shop) -> None:
    assert made.release(made.artifact("good again")) == ""
    assert made.says() == ["good", "again"]
