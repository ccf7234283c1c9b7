"""What is built for a commit's compose files, as compose itself reads them."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger

from evidence.bundle import Build
from host.docker.engine import Engine
from host.errors import ConfigError
from settings.pipeline import ImageBuild
from tasks.build.compose_builds import Plan, plan_builds

pytestmark = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
PUBLIC = 'labels: {slipway.role: slot, slipway.port: "8000"}'
SLOT = "labels: {slipway.role: slot}"
PLAIN = Build(dockerfile="Dockerfile")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SLIPWAY_STAGING_RUNTIME", "compose")
    monkeypatch.setenv("SLIPWAY_PRODUCTION_RUNTIME", "compose")
    with disable_run_logger():
        yield


def plan(top: Path, services: str | dict[str, str], told: list[str] | None = None, **image: Any) -> Plan:
    """Return what is built of a commit with these compose files, by environment; one text is production's. What is left
    out is `told`.
    """
    files = {"production": services} if isinstance(services, str) else services
    for folder in (top / "context" / "edge", top / "context" / "docker"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("Dockerfile", "Dockerfile.nginx", "edge/Dockerfile", "docker/web.prod"):
        (top / "context" / name).write_text("FROM scratch\n")
    for target, text in files.items():
        (top / "context" / f"{target}.yml").write_text(f"services:\n{text}")
    wanted = ImageBuild(**{"compose": {target: f"{target}.yml" for target in files}, **image})
    return plan_builds(Engine(), wanted, top / "context", top / "read", [].append if told is None else told.append)


def test_each_distinct_build_is_an_image_and_equal_ones_are_one(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        f"  web: {{build: {{context: ., target: release}}, {PUBLIC}}}\n"
        f"  worker: {{build: {{context: '.', target: release, dockerfile: ./Dockerfile}}, {SLOT}}}\n"
        f"  edge: {{build: {{context: ., dockerfile: Dockerfile.nginx}}, {SLOT}}}\n"
        f"  search: {{build: ./edge, labels: {{slipway.role: shared}}}}\n"
        f"  find: {{build: edge, {SLOT}}}\n"
        f"  debug: {{build: {{context: ., target: release, args: [DEBUG=1]}}, {SLOT}}}\n"
        f"  cache: {{image: redis, labels: {{slipway.role: shared}}}}\n",
    )
    assert made.first == PLAIN.model_copy(update={"target": "release"})
    assert made.services["production"] == {
        "web": "",
        "worker": "",
        "edge": "edge",
        "search": "find",
        "find": "find",
        "debug": "debug",
    }
    assert made.others == {
        "edge": Build(dockerfile="Dockerfile.nginx"),
        "find": Build(context="edge", dockerfile="edge/Dockerfile"),
        "debug": PLAIN.model_copy(update={"target": "release", "args": {"DEBUG": "1"}}),
    }


FIRST: dict[str, tuple[str, dict[str, Any], Build, dict[str, str]]] = {
    "of [image] alone": (f"  web: {{image: '${{SLIPWAY_IMAGE}}', {PUBLIC}}}\n", {}, PLAIN, {}),
    "of [image], which another service is built as": (
        f"  web: {{image: '${{SLIPWAY_IMAGE}}', {PUBLIC}}}\n"
        f"  edge: {{build: edge, {SLOT}}}\n  job: {{build: ., {SLOT}}}\n",
        {},
        PLAIN,
        {"edge": "edge", "job": ""},
    ),
    "by the file's Dockerfile": (
        f"  web: {{build: {{context: ., dockerfile: docker/web.prod}}, {PUBLIC}}}\n",
        {},
        Build(dockerfile="docker/web.prod"),
        {"web": ""},
    ),
    "by the same Dockerfile in both": (
        f"  web: {{build: {{context: docker, dockerfile: web.prod}}, {PUBLIC}}}\n",
        {"dockerfile": "./docker/web.prod"},
        Build(context="docker", dockerfile="docker/web.prod"),
        {"web": ""},
    ),
    "by the release repository's Dockerfile": (
        f"  web: {{build: {{context: ., target: prod}}, {PUBLIC}}}\n"
        f"  job: {{build: {{target: prod, context: .}}, {SLOT}}}\n",
        {"dockerfile": "{release}/docker/Dockerfile"},
        Build(dockerfile="{release}/docker/Dockerfile", target="prod"),
        {"web": "", "job": ""},
    ),
}


@pytest.mark.parametrize("case", FIRST)
def test_the_first_image_is_that_of_the_public_service(tmp_path: Path, case: str) -> None:
    services, image, wanted, runs = FIRST[case]
    made = plan(tmp_path, services, **image)
    assert made.first == wanted and made.services["production"] == runs


def test_environments_may_build_other_helpers_and_settings_fill_in_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_STAGING_APP_MODE", "test")
    edge = f"  edge: {{build: {{context: edge, args: ['MODE=${{MODE:-live}}']}}, {SLOT}}}\n"
    files = dict.fromkeys(("staging", "production"), f"  web: {{build: ., {PUBLIC}}}\n{edge}")
    made = plan(tmp_path, files)
    assert {name: one.args["MODE"] for name, one in made.others.items()} == {"edge": "test", "edge-2": "live"}
    assert made.services == {"staging": {"web": "", "edge": "edge"}, "production": {"web": "", "edge": "edge-2"}}


def test_a_compose_file_of_this_repository_is_read_where_it_will_lie(tmp_path: Path) -> None:
    made = plan(
        tmp_path, f"  web: {{build: ., {PUBLIC}}}\n", compose={"staging": "{release}/docker/docker-compose.stage.yml"}
    )
    assert made == Plan(PLAIN, {}, {"staging": {}})
    assert not (tmp_path / "context" / ".release").exists()


REFUSED: dict[str, tuple[str | dict[str, str], dict[str, Any], str]] = {
    "two Dockerfiles": (
        f"  web: {{build: ., {PUBLIC}}}\n",
        {"dockerfile": "docker/web.prod"},
        "production.yml (production): service web: build.dockerfile: got Dockerfile, and [image] dockerfile",
    ),
    "another first image for each environment": (
        {
            "staging": f"  web: {{build: {{context: ., target: dev}}, {PUBLIC}}}\n",
            "production": f"  web: {{build: ., {PUBLIC}}}\n",
        },
        {},
        "production.yml (production): service web: build: it differs from that of staging.yml (staging): service web "
        "in target (none, else dev)",
    ),
    "no folder": (f"  web: {{build: nowhere, {PUBLIC}}}\n", {}, "build.context: the commit has no folder nowhere"),
    "no Dockerfile": (
        f"  web: {{build: ., {PUBLIC}}}\n  edge: {{build: docker, {SLOT}}}\n",
        {},
        "service edge: build.dockerfile: the commit has no file docker/Dockerfile",
    ),
    "no further folder": (
        f"  web: {{build: {{context: ., additional_contexts: {{a: ./b}}}}, {PUBLIC}}}\n",
        {},
        "image: build.additional_contexts.a: the commit has no folder b",
    ),
    "an image of the image": (
        f"  web: {{build: ., {PUBLIC}}}\n"
        f"  edge: {{build: {{context: edge, args: ['BASE=${{SLIPWAY_IMAGE}}']}}, {SLOT}}}\n",
        {},
        "production.yml: service edge: build: it is given SLIPWAY_IMAGE, which is not there yet",
    ),
    "what nobody knows": (
        f"  web: {{build: {{context: ., network: host}}, {PUBLIC}}}\n",
        {},
        "service web: build.network: not allowed",
    ),
    "nobody public": (
        f"  web: {{build: ., {SLOT}}}\n",
        {},
        "production.yml: expected one service with slipway.role: slot",
    ),
    "no compose file": ("  [\n", {}, "production.yml: it is not YAML"),
    "too many": (
        f"  web: {{build: ., {PUBLIC}}}\n"
        + "".join(f"  s{one}: {{build: {{context: ., target: t{one}}}, {SLOT}}}\n" for one in range(30)),
        {},
        "want 31 different images, expected 20 at most",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_built_is_refused_before_anything_is(tmp_path: Path, case: str) -> None:
    services, image, why = REFUSED[case]
    with pytest.raises(ConfigError) as refused:
        plan(tmp_path, services, **image)
    assert why in str(refused.value)


def test_a_file_for_who_runs_no_containers_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_RUNTIME", "process")
    told: list[str] = []
    made = plan(tmp_path, {"staging": f"  web: {{build: ., {PUBLIC}}}\n", "production": "  [\n"}, told)
    assert made.services == {"staging": {"web": ""}}
    (left_out,) = told
    assert "production.yml: it is not YAML" in left_out
