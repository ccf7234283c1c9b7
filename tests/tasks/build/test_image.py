"""Images built by BuildKit on a real engine, and pushed to a real registry."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger

from host.docker.engine import Engine
from host.errors import ConfigError, ToolError
from host.git import git
from host.home import CHECKOUT
from host.ports import free_port
from settings.locks import LockChoice
from settings.pipeline import ImageBuild, Pipeline
from tasks.build.bundle import ImageBuilt
from tasks.build.image import build_image, image_wanted
from tasks.source.workspace import Workspace
from tests.tasks.small_app import App, pipeline
from tests.waiting import answers_with, wait_for

pytestmark = pytest.mark.docker

DOCKERFILE = """\
FROM python:3.11-slim
COPY shop /shop
RUN --mount=type=bind,from=wheels,target=/wheels ls /wheels > /wheels.txt
USER 10001
CMD ["python", "/shop/main.py"]
"""
FILES = {"Dockerfile": DOCKERFILE, "shop/main.py": "print('one')\n", "lock": "", "compose.yml": "services: {}\n"}


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SLIPWAY_STAGING_RUNTIME", "compose")
    with disable_run_logger():
        yield


@pytest.fixture
def shop(home: Path, engine: Engine, tmp_path: Path) -> Iterator[App]:
    made = App(tmp_path / "repository", tmp_path / "run", tmp_path / "unused")
    git("init", "-q", "-b", "main", str(made.repository))
    made.commit(FILES)
    yield made
    found = subprocess.run(["docker", "image", "ls", "-q", "slipway/imageshop"], capture_output=True, text=True)
    if ids := found.stdout.split():
        subprocess.run(["docker", "image", "rm", "-f", *ids], capture_output=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def registry(engine: Engine) -> Iterator[str]:
    port = free_port()
    argv = ["docker", "run", "-d", "--rm", "-p", f"127.0.0.1:{port}:5000", "registry:2"]
    container = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    try:
        wait_for(lambda: answers_with(200, f"http://127.0.0.1:{port}/v2/"), "the registry answers")
        yield f"127.0.0.1:{port}"
    finally:
        subprocess.run(["docker", "rm", "-fv", container], capture_output=True, timeout=600, check=False)


def rules(**image: Any) -> Pipeline:
    made = pipeline({})
    wanted = ImageBuild(**{"compose": {"production": "compose.yml"}, **image})
    return made.model_copy(
        update={
            "app": made.app.model_copy(update={"name": "imageshop"}),
            "locks": made.locks.model_copy(update={"runtime": LockChoice(file="lock")}),
            "image": wanted,
        }
    )


def build(rules: Pipeline, workspace: Workspace, outputs: list[Path] | None = None) -> ImageBuilt:
    built = build_image.fn(rules, workspace, outputs or [])
    assert built is not None
    return built


def test_an_image_is_built_of_commit_and_outputs_and_labelled(shop: App, engine: Engine, tmp_path: Path) -> None:
    output = tmp_path / "out"
    (output / "shop" / "static").mkdir(parents=True)
    (output / "shop" / "static" / "index.html").write_text("built")
    workspace = shop.workspace()
    built = build(rules(), workspace, [output])
    found = engine.image(built.image.id)
    assert found and built.image.reference is None
    assert found["Config"]["Labels"]["org.opencontainers.image.revision"] == workspace.source.commit
    assert found["Config"]["User"] == "10001"
    said = subprocess.run(
        ["docker", "run", "--rm", built.image.id, "cat", "/shop/static/index.html"], capture_output=True, text=True
    )
    assert said.stdout == "built"
    again = build(rules(), shop.workspace(), [output])
    assert again.image == built.image  # the same commit is the same image


def test_a_compose_file_of_this_repository_goes_along(shop: App) -> None:
    wanted = rules(compose={"production": "{release}/docker/docker-compose.prod.yml", "staging": "compose.yml"})
    built = build(wanted, shop.workspace())
    assert built.image.compose["staging"] == "compose.yml"
    kept = built.files / built.image.compose["production"]
    assert kept.read_text() == (CHECKOUT / "docker" / "docker-compose.prod.yml").read_text()


def test_an_image_is_pushed_and_promoted_by_digest(shop: App, engine: Engine, registry: str) -> None:
    built = build(rules(registry=f"{registry}/team/shop"), shop.workspace())
    assert built.image.reference and built.image.reference.startswith(f"{registry}/team/shop@sha256:")
    subprocess.run(["docker", "image", "rm", "-f", built.image.id], capture_output=True, check=True)
    assert engine.image(built.image.id) is None
    assert engine.in_registry(built.image.reference) is None
    engine.pull(built.image.reference)
    assert engine.image(built.image.id)


def test_a_registry_that_does_not_answer_is_told_and_may_be_tried_again(shop: App) -> None:
    workspace = shop.workspace()
    for _ in range(2):
        with pytest.raises(ToolError, match="could not be pushed to 127.0.0.1:9/team/shop") as refused:
            build(rules(registry="127.0.0.1:9/team/shop"), workspace)
        assert refused.value.transient


def test_a_build_that_fails_says_its_last_lines(shop: App) -> None:
    shop.commit({"Dockerfile": "FROM python:3.11-slim\nRUN echo nearly && exit 7\n"})
    with pytest.raises(ToolError, match="(?s)could not be built.*nearly"):
        build(rules(), shop.workspace())


@pytest.mark.parametrize("name", ["absent", "../outside", "{release}/docker/absent"])
def test_a_file_that_is_not_there_is_named(shop: App, name: str) -> None:
    with pytest.raises(ConfigError, match="image: .* has no file"):
        build(rules(dockerfile=name), shop.workspace())
    with pytest.raises(ConfigError, match="image: .* has no file"):
        build(rules(compose={"staging": name}), shop.workspace())


def test_no_image_is_built_where_nothing_runs_containers(shop: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STAGING_RUNTIME", "process")
    assert not image_wanted(rules())
    assert build_image.fn(rules(), shop.workspace(), []) is None


def test_the_examples_image_holds_nothing_to_build_with(engine: Engine) -> None:
    """Without the wheels at hand the Dockerfile fetches them: this is how a person builds it."""
    name = f"slipway-test:{uuid.uuid4().hex[:8]}"
    argv = ["docker", "build", "-q", "-t", name, "-f", "docker/Dockerfile", "examples/assistant"]
    try:
        subprocess.run(argv, capture_output=True, text=True, timeout=240, check=True)
        seen = "import shutil as s, json, os; print(json.dumps([s.which('pip'), s.which('gcc'), os.getuid()]))"
        said = subprocess.run(["docker", "run", "--rm", name, "python", "-c", seen], capture_output=True, text=True)
        assert json.loads(said.stdout) == [None, None, 10001]
        info = engine.image(name)
        assert info and info["Config"]["Healthcheck"]
    finally:
        subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True, timeout=600, check=False)


SEVERAL = """\
services:
  web:
    build: {context: ., target: release, args: {GREETING: hello}}
    labels: {slipway.role: slot, slipway.port: "8000"}
  edge:
    build: {context: edge, additional_contexts: {words: ./words}, labels: {of: edge}}
    labels: {slipway.role: slot}
"""
STAGES = """\
FROM python:3.11-slim AS release
ARG GREETING=nothing
RUN echo "$GREETING $PYTHON" > /said
USER 10001
FROM release AS development
RUN echo debug > /said
"""
EDGE = """\
FROM python:3.11-slim
COPY --from=words word /word
RUN --mount=type=bind,from=wheels,target=/w ls /w
USER 10001
"""


def cat(image: str, file: str) -> str:
    return subprocess.run(["docker", "run", "--rm", image, "cat", file], capture_output=True, text=True).stdout.strip()


def test_each_distinct_build_of_the_compose_file_is_an_image_of_the_artifact(
    shop: App, engine: Engine, registry: str
) -> None:
    shop.commit({"Dockerfile": STAGES, "edge/Dockerfile": EDGE, "words/word": "w", "compose.yml": SEVERAL})
    image = build(rules(registry=f"{registry}/team/shop"), shop.workspace()).image
    edge = image.others["edge"]
    assert image.services == {"production": {"web": "", "edge": "edge"}}
    assert image.build and (image.build.target, image.build.args) == ("release", {"GREETING": "hello"})
    assert cat(image.id, "/said") == "hello" and cat(edge.id, "/word") == "w"
    found = engine.image(edge.id)
    assert found and found["Config"]["Labels"]["of"] == "edge"
    assert found["Config"]["Labels"]["slipway.evidence"].startswith("slipway verify")
    assert edge.reference and edge.reference != image.reference
    for id, reference in image.every.values():
        subprocess.run(["docker", "image", "rm", "-f", id], capture_output=True, check=True)
        assert reference and engine.in_registry(reference) is None
        engine.pull(reference)
        assert engine.image(id)
    again = build(rules(registry=f"{registry}/team/shop"), shop.workspace()).image
    assert again == image


def test_which_of_several_images_could_not_be_built_is_said(shop: App) -> None:
    shop.commit({"Dockerfile": STAGES, "edge/Dockerfile": "FROM scratch AS x\n", "compose.yml": SEVERAL})
    with pytest.raises(
        ConfigError, match="service edge: build.additional_contexts.words: the commit has no folder words"
    ):
        build(rules(), shop.workspace())
    shop.commit({"Dockerfile": STAGES, "edge/Dockerfile": EDGE, "words/other": "w", "compose.yml": SEVERAL})
    with pytest.raises(ToolError, match="(?s)the image of edge could not be built: .*word"):
        build(rules(), shop.workspace())
    shop.commit({"compose.yml": SEVERAL.replace("release", "relase")})
    with pytest.raises(ToolError, match="(?s)the image could not be built: .*relase"):
        build(rules(), shop.workspace())
