"""Engine and registry as Prefect's blocks name them: an image is built, pushed behind a login, and pulled."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State
from prefect_docker.credentials import DockerRegistryCredentials
from prefect_docker.host import DockerHost
from pydantic import SecretStr

from deployments.environment import Environment
from deployments.runtimes.compose.preconditions import fetch_image, image_problems
from evidence.bundle import Image
from host.docker.engine import Engine
from host.git import git
from host.home import Home
from host.ports import free_port
from settings.environment import read_settings
from settings.locks import LockChoice
from settings.pipeline import ImageBuild, Pipeline
from settings.targets import Target
from tasks.build.docker_blocks import lend_login
from tasks.build.image import build_image
from tests.tasks.small_app import App, pipeline
from tests.waiting import answers_with, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("prefect_server")]
USER, PASSWORD = "pusher", "the-registrys-test-password"
HTPASSWD = f"{USER}:$2b$04$7UNMlxj6kThMLxPCh4wd8.V3idfeu1Y2ADR5.lCuAdWQ1XEqEbn.C\n"
FILES = {
    "Dockerfile": "FROM python:3.11-slim\nCOPY shop.py /\nUSER 10001\n",
    "shop.py": "print('one')\n",
    "lock": "",
    "compose.yml": "services: {}\n",
}


@dataclass
class Guarded:
    """A registry that answers nobody without a login."""

    address: str

    def pipeline(self, **image: Any) -> Pipeline:
        made = pipeline({})
        wanted = {"compose": {"production": "compose.yml"}, "registry": f"{self.address}/team/shop", **image}
        return made.model_copy(
            update={
                "app": made.app.model_copy(update={"name": "blockshop"}),
                "locks": made.locks.model_copy(update={"runtime": LockChoice(file="lock")}),
                "image": ImageBuild.model_validate(wanted),
            }
        )


@pytest.fixture(scope="module")
def guarded(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("auth")
    (folder / "htpasswd").write_text(HTPASSWD)
    folder.chmod(0o755)
    (folder / "htpasswd").chmod(0o644)
    port = free_port()
    settings = {"REGISTRY_AUTH": "htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM": "test"}
    settings["REGISTRY_AUTH_HTPASSWD_PATH"] = "/auth/htpasswd"
    argv = ["docker", "run", "-d", "--rm", "-p", f"127.0.0.1:{port}:5000", "-v", f"{folder}:/auth:ro"]
    argv += [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
    container = subprocess.run([*argv, "registry:2"], capture_output=True, text=True, check=True).stdout.strip()
    try:
        wait_for(lambda: answers_with(401, f"http://127.0.0.1:{port}/v2/"), "the registry refuses")
        yield Guarded(f"127.0.0.1:{port}")
    finally:
        subprocess.run(["docker", "rm", "-fv", container], capture_output=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def blocks(prefect_server: None, guarded: Guarded, engine: Engine) -> None:
    DockerHost(base_url=engine.name).save("builder")
    login = {"username": USER, "registry_url": guarded.address}
    DockerRegistryCredentials(password=SecretStr(PASSWORD), **login).save("team")
    DockerRegistryCredentials(password=SecretStr("wrong"), **login).save("stale")
    DockerRegistryCredentials(username=USER, password=SecretStr(PASSWORD), registry_url="else.where").save("another")


@pytest.fixture
def shop(home: Path, blocks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_RUNTIME", "compose")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nobody"))  # no login of this user's
    made = App(tmp_path / "repository", tmp_path / "run", tmp_path / "unused")
    git("init", "-q", "-b", "main", str(made.repository))
    made.commit(FILES)
    yield made
    found = subprocess.run(["docker", "image", "ls", "-q", "slipway/blockshop"], capture_output=True, text=True)
    if ids := found.stdout.split():
        subprocess.run(["docker", "image", "rm", "-f", *ids], capture_output=True, timeout=600, check=False)


def build(shop: App, rules: Pipeline) -> State[Image]:
    """Build as `ci` does: as a task in a flow, by the server's blocks."""

    @flow(name="build")
    def building() -> Image:
        built = build_image(rules, shop.workspace(), [])
        assert built is not None
        return built.image

    state: State[Image] = building(return_state=True)
    return state


def test_an_image_goes_to_a_guarded_registry_and_comes_back_by_the_environments_login(
    shop: App, guarded: Guarded, engine: Engine, tmp_path: Path
) -> None:
    rules = guarded.pipeline(engine_block="builder", registry_block="team")
    state = build(shop, rules)
    assert state.is_completed(), state.message
    image = state.result()
    assert image.reference and image.reference.startswith(f"{guarded.address}/team/shop@sha256:")
    assert engine.in_registry(image.reference)  # without a login it is refused
    engine.remove_image(image.id)

    place = Environment(Target("production"), Home(tmp_path / "state"), read_settings(Target("production")), "shop")
    opened(place, rules)
    assert place.runtime.orchestrator
    login = place.runtime.orchestrator.registry_login
    assert (login / "config.json").stat().st_mode & 0o777 == 0o600
    own = Engine("", login)
    assert image_problems(own, image) == []
    fetch_image(own, image, "0" * 64)
    assert engine.image(image.id)


def opened(place: Environment, rules: Pipeline) -> None:
    @flow(name="open")
    def opening() -> None:
        lend_login(place, rules)

    opening()


@pytest.mark.parametrize(
    ("blocks_named", "why"),
    [
        ({"registry_block": "stale"}, "could not be pushed to .*: .*"),
        ({"registry_block": "absent"}, "Prefect has no block docker-registry-credentials/absent"),
        ({"registry_block": "another"}, "another is the login of else.where, and the image goes to 127.0.0.1"),
        ({"engine_block": "absent"}, "Prefect has no block docker-host/absent"),
        ({}, "could not be pushed to .*: .*"),
    ],
)
def test_a_block_that_is_absent_stale_or_anothers_is_told(
    shop: App, guarded: Guarded, blocks_named: dict[str, str], why: str
) -> None:
    state = build(shop, guarded.pipeline(**blocks_named))
    assert state.is_failed()
    with pytest.raises(Exception, match=why) as raised:
        state.result()
    assert PASSWORD not in str(raised.value)
