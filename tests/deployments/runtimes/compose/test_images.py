"""Several images and one-shot services on a real engine: each service runs its own, each task ends before traffic."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.pruning import prune
from deployments.rollback import roll_back
from deployments.runtimes.compose.adopting.looked import look
from evidence.bundle import Build, Image, OtherImage, read_bundle
from host.docker.engine import Engine
from host.errors import ArtifactError
from tests.deployments.shop import Shop, shop
from tests.waiting import NEVER_S

pytestmark = pytest.mark.docker
BUILT = """\
services:
  web:
    build: {context: ., target: web}
    image: example/shop
    labels: {slipway.role: slot, slipway.port: "8000"}
    environment: [TOKEN]
    stop_grace_period: 2s
  worker:
    image: docker.io/example/shop:latest
    labels: {slipway.role: slot}
    command: [python, app.py, tick]
  edge:
    build: edge
    labels: {slipway.role: slot}
    command: [sleep, infinity]
    init: true
  store:
    image: python:3.11-slim
    labels: {slipway.role: shared}
    command: [sleep, infinity]
    init: true
"""
TASKS = """\
  load:
    build: edge
    command: [echo, "and then %(load)s"]
    depends_on: {init: {condition: service_completed_successfully}}
  init:
    image: example/shop
    environment: [TOKEN]
    restart: on-failure
    labels: {slipway.role: task, slipway.timeout: "%(limit)s"}
    command: [python, -c, %(code)s]
    depends_on: [store]
  after:
    image: python:3.11-slim
    labels: {slipway.role: singleton}
    command: [sleep, infinity]
    init: true
    depends_on: {load: {condition: service_completed_successfully}}
"""
OTHER = 'FROM python:3.11-slim\nUSER 10001\nCMD ["sleep", "infinity"]\n'


@pytest.fixture(scope="module")
def made(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("images"), "compose", engine) as one, one.set("BAKE_SECONDS", "0"):
        yield one


def tasks(code: str, load: str = "loaded", limit: str = "60") -> str:
    """Return a file with two tasks, of which the one that is written last runs first."""
    return BUILT + TASKS % {"code": repr(code), "load": load, "limit": limit}


def version(made: Shop, how: str, file: str, tmp_path: Path) -> tuple[str, Image]:
    """Make a version of two images; return its digest and images."""
    first = read_bundle(made.place().store, made.artifact(how)).image
    assert first
    (tmp_path / how.replace(" ", "")).mkdir()
    (tmp_path / how.replace(" ", "") / "Dockerfile").write_text(OTHER + f"LABEL of={how.split()[0]}\n")
    edge = OtherImage(
        id=made.image(tmp_path / how.replace(" ", "")), build=Build(context="edge", dockerfile="edge/Dockerfile")
    )
    runs = {"web": "", "edge": "edge", "load": "edge"}
    image = Image(
        id=first.id,
        compose=first.compose,
        build=Build(dockerfile="Dockerfile", target="web"),
        others={"edge": edge},
        services={"production": runs},
    )
    return made.artifact(how, compose=file, image=image), image


def running(made: Shop) -> dict[str, str]:
    """Return the image of each running container, by service."""
    return {one.service: one.image for one in made.compose.projects.all() if one.state == "running"}


def test_each_service_runs_its_own_image_and_a_rollback_brings_them_all_back(made: Shop, tmp_path: Path) -> None:
    first, old = version(made, "first", tasks("print('filled')"), tmp_path)
    second, new = version(made, "second", tasks("print('filled')"), tmp_path)
    assert made.compose.problems(made.read(first)) == []
    assert made.release(first) == ""
    assert made.release(second) == ""
    after = running(made)
    assert (after["web"], after["worker"], after["edge"]) == (new.id, new.id, new.others["edge"].id)
    assert not {"init", "load"} & after.keys() and "after" in after
    place = made.place()
    steps = [one.name for one in place.ledger().operations[-1].steps]
    assert steps.index("migrate") < steps.index("tasks") < steps.index("start")
    assert prune([place], newest=1) == []  # both are needed: one is live, the other warm
    with place.lease("test") as lease:
        rollout, said = roll_back(place, lease, None, None, "test", lambda _: None)
    assert rollout and "first" in said
    assert "tasks" not in [one.name for one in made.place().ledger().operations[-1].steps]
    assert {one: image for one, image in running(made).items() if one in ("web", "worker", "edge")} == {
        "web": old.id,
        "worker": old.id,
        "edge": old.others["edge"].id,
    }
    assert made.says() == ["first"]


def test_tasks_run_in_order_with_the_image_and_settings_of_the_app_and_leave_nothing(
    made: Shop, tmp_path: Path
) -> None:
    digest, _ = version(made, "ordered", tasks("import os; print(os.environ['GREETING'], os.getuid())"), tmp_path)
    runtime = made.compose
    installed = runtime.install(made.read(digest))
    with made.place().lease("test") as lease:
        assert runtime.run_tasks(installed, lease) == "init: hello $world 10001; load: and then loaded"
        assert runtime.run_tasks(installed, lease).startswith("init: ")  # a later release runs them again
    assert runtime.projects.containers(runtime.names.task) == []
    assert not runtime.projects.file(runtime.names.task).exists()
    shown = look(runtime, runtime.laid_out(made.read(digest))).files
    assert {f"{made.project}-task init", f"{made.project}-task load"} <= shown.keys()


@pytest.mark.parametrize(
    ("code", "limit", "why"),
    [
        (
            "import os, sys; sys.exit('no way with ' + os.environ['TOKEN'])",
            "60",
            "task init: it ended with exit code 1",
        ),
        ("import time; time.sleep(600)", "1", "task init: it did not end within 1 s and was stopped"),
        ("x = bytearray(2000 << 20)", "60", "memory limit of 512 MB and was killed"),
    ],
)
def test_a_task_that_fails_or_does_not_end_stops_the_release(
    made: Shop, tmp_path: Path, code: str, limit: str, why: str
) -> None:
    live = made.says()
    digest, _ = version(made, f"bad{limit}", tasks(code, limit=limit), tmp_path)
    said = made.release(digest)
    assert why in said and made.place().app_secret("TOKEN", "generated") not in said
    assert made.says() == live
    runtime = made.compose
    assert runtime.projects.containers(runtime.names.task) == []
    assert "load" not in running(made)


def test_a_task_that_migrates_is_told_where_migrations_are_judged(made: Shop, tmp_path: Path) -> None:
    file = tasks("x").replace("[python, -c, 'x']", "alembic upgrade head")
    digest, _ = version(made, "migrates", file, tmp_path)
    (problem,) = made.compose.problems(made.read(digest))
    assert "service init: `alembic upgrade` runs" in problem and "[run] migrate" in problem


def test_an_image_of_several_that_is_gone_is_told_before_anything_is_touched(made: Shop, tmp_path: Path) -> None:
    digest, image = version(made, "gone", BUILT, tmp_path)
    subprocess.run(["docker", "rmi", "-f", image.others["edge"].id], capture_output=True, timeout=NEVER_S, check=True)
    (problem,) = made.compose.problems(made.read(digest))
    assert image.others["edge"].id[:19] in problem and "is not on the engine" in problem
    with pytest.raises(ArtifactError, match="nothing was started"):
        made.compose.install(made.read(digest))


def test_a_build_that_the_artifact_has_no_image_for_is_refused(made: Shop, tmp_path: Path) -> None:
    _, image = version(made, "fewer", BUILT, tmp_path)
    fewer = image.model_copy(update={"services": {"production": {"web": ""}}})
    (problem,) = made.compose.problems(made.read(made.artifact("fewer", compose=BUILT, image=fewer)))
    assert "service edge: build: the artifact has no image for it; build the commit again" in problem


def test_an_artifact_of_before_has_one_image_and_serves_on_where_it_was_live(made: Shop, tmp_path: Path) -> None:
    first = read_bundle(made.place().store, made.artifact("old")).image
    assert first and first.services is None
    plain = BUILT.replace("{context: ., target: web}", ".").replace("    build: edge\n", "    build: .\n")
    assert made.compose.problems(made.read(made.artifact("old", compose=plain, image=first))) == []
    old = made.artifact("old", compose=BUILT, image=first)
    web, edge = sorted(made.compose.problems(made.read(old)), reverse=True)
    assert "compose.yml: service web: build: the artifact has one image, of which this differs in target" in web
    assert "compose.yml: service edge: build: " in edge and "build the commit again" in edge
    assert sorted(look(made.compose, made.compose.laid_out(made.read(old))).problems, reverse=True) == [web, edge]
    assert made.release(old) == ""  # as it was done before
    assert made.compose.problems(made.read(old)) == []
