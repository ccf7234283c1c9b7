"""A strict app is asked for its health in the same way everywhere: by its own name, as over HTTPS, in its own words."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from deployments import bake as bakes
from deployments import fitness
from deployments.bake import bake
from deployments.candidate import Artifact
from deployments.fitness import Fitness
from deployments.health import look_around
from deployments.slots import start_slot
from evidence.bundle import Metrics, put_bundle, read_bundle
from gates.release.analysis import SlotCounters
from gates.release.condition import Condition
from gates.release.health_rules import HealthRules
from gates.release.operation import Version
from gates.release.verification import Usage
from gates.verdict import Action
from host.errors import HealthError
from services.exporter.measures.health import HealthMeasure
from services.exporter.measures.journal import JournalMeasure
from tests.deployments.stage import LEASE, Clock, Stage

RULES = HealthRules(host="other.example.com", forwarded_proto="https", pointer="/data/state", good=("rosy",))
FIGURES = 'db_seconds_bucket{{le="0.1"}} {0}\ndb_seconds_bucket{{le="+Inf"}} {0}\n'
queries = itertools.count(10, 10)


def strict(request: Request) -> Response:
    """Answer as Django with ALLOWED_HOSTS and SECURE_SSL_REDIRECT does, in words of the app's own."""
    if request.headers["host"] != "shop.example.com":
        return Response("Invalid HTTP_HOST header", status=400)
    if request.headers.get("x-forwarded-proto") != "https":
        return Response(status=301, headers={"location": f"https://shop.example.com{request.path}"})
    if request.path == "/metrics":
        return Response(FIGURES.format(next(queries)))
    return Response(json.dumps({"data": {"state": "Rosy"}, "status": "x"}))


@pytest.fixture
def stage(tmp_path: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> Stage:
    clock = Clock()
    monkeypatch.setattr(fitness, "time", clock)
    monkeypatch.setattr(bakes, "time", clock)
    baked: dict[str, Any] = {"bake_seconds": 1.0, "bake_max_seconds": 5.0, "bake_probes_per_second": 5.0}
    checks = {"health_timeout_seconds": 0.2, "verify_seconds": 0.2, "max_p95_seconds": 60.0, "min_requests": 1}
    made = Stage(tmp_path, httpserver, health_host="shop.example.com", **baked, **checks)
    made.runtime.used = (Usage("web", 40, 100, 1.0, 1.0, 10.0),)
    httpserver.clear()
    for path in ("/health", "/metrics"):
        httpserver.expect_request(path).respond_with_handler(strict)
    return made


def made(stage: Stage, rules: HealthRules = RULES) -> Artifact:
    """Return a version whose artifact says how its health is asked."""
    plain = stage.artifact(stage.version("new", metrics=Metrics(path="/metrics", query="db_seconds")))
    run = plain.bundle.run.model_copy(update={"rules": rules})
    digest = put_bundle(stage.place.store, plain.bundle.model_copy(update={"run": run}))
    bundle = read_bundle(stage.place.store, digest)
    assert bundle.run.rules == rules
    return replace(plain, digest=digest, bundle=bundle)


def test_a_slot_is_healthy_by_its_own_rules(stage: Stage) -> None:
    assert start_slot(stage.place, LEASE, "blue", made(stage)) == "/health answered 200, Rosy"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (HealthRules(), "[health] forwarded_proto"),
        (HealthRules(forwarded_proto="https"), "a word that nobody explained; if it means well: "),
        (RULES.model_copy(update={"pointer": "/data/status"}), "[health] pointer names"),
    ],
)
def test_what_lacks_in_the_rules_is_named(stage: Stage, rules: HealthRules, said: str) -> None:
    with pytest.raises(HealthError) as told:
        start_slot(stage.place, LEASE, "blue", made(stage, rules))
    assert said in str(told.value)


def test_the_environments_own_name_counts_before_the_artifacts(stage: Stage) -> None:
    stage.place.__dict__["settings"] = stage.place.settings.model_copy(update={"health_host": ""})
    with pytest.raises(HealthError, match="it refuses the Host 'other.example.com'"):
        start_slot(stage.place, LEASE, "blue", made(stage))


def test_it_is_measured_baked_and_watched_by_the_same_rules(stage: Stage) -> None:
    artifact = made(stage)
    version = Version(artifact.digest, "new", "c" * 40)
    stage.serve(version, "blue")
    measured = Fitness(stage.place, "blue", artifact.bundle)
    assert measured.judge({}).startswith("p95 of 5 answers")
    figures = SlotCounters({"2xx": 50}, time_buckets_ms=((100.0, 50), (math.inf, 50)))
    stage.router.readings = [{}, {"blue": figures}]
    verdict, failed = bake(stage.place, stage.instance("blue"), artifact.bundle.run)
    assert failed == 0 and verdict.action is Action.PROMOTE, verdict
    looks = {one.what: one.look for one in look_around(stage.place, stage.place.ledger(), full=False)}
    assert looks["/health"].condition is Condition.HEALTHY, looks
    (seen,) = HealthMeasure(JournalMeasure([stage.place]), 5).look()
    assert [(path, good) for path, good, _ in seen.paths] == [("/health", True)]
