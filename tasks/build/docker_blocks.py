"""What Prefect's blocks say of engine and registry: docker-host, docker-registry-credentials."""

import base64
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from deployments.environment import Environment
from host.docker.engine import LOGIN_FILE
from host.errors import ConfigError
from host.files import write_atomically
from settings.pipeline import ImageBuild, Pipeline
from tasks.source.prefect_blocks import load_block

HUB = "https://index.docker.io/v1/"
HUB_NAMES = ("docker.io", "index.docker.io")


def engine_address(wanted: ImageBuild) -> str:
    """Return where images are built: the address in the block, "" without one. Raises ConfigError if there is no such
    block.
    """
    if not wanted.engine_block:
        return ""
    from prefect_docker.host import DockerHost  # with it come workers and the SDK: for whom has a block only

    return str(load_block(DockerHost, wanted.engine_block, "image.engine_block").base_url or "")


@contextmanager
def registry_login(wanted: ImageBuild) -> Iterator[Sequence[str]]:
    """Yield the docker options that carry the registry's login, in a file that goes away. ConfigError as below."""
    if not wanted.registry_block:
        yield ()
        return
    with tempfile.TemporaryDirectory() as folder:
        write_atomically(Path(folder) / LOGIN_FILE, _login(wanted).encode())
        yield ("--config", folder)


def lend_login(place: Environment, pipeline: Pipeline) -> None:
    """Write the registry's login into the environment's directory, 0600, for what it pulls, also without Prefect.

    Safe to repeat. Where the block cannot be read now, the login of the last time stays.
    """
    wanted, orchestrator = pipeline.image, place.runtime.orchestrator
    if orchestrator is None or wanted is None or not wanted.registry_block:
        return
    try:
        login = _login(wanted)
    except (ConfigError, httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("the login of %s is not renewed: %s", wanted.registry, error)
        return
    orchestrator.registry_login.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(orchestrator.registry_login / LOGIN_FILE, login.encode())


def _login(wanted: ImageBuild) -> str:
    """Return a docker configuration with the registry's login. ConfigError: no such block, or another registry's."""
    from prefect_docker.credentials import DockerRegistryCredentials

    block = load_block(DockerRegistryCredentials, wanted.registry_block, "image.registry_block")
    registry, of = wanted.registry.split("/")[0], _host(block.registry_url)
    if registry != of and not {registry, of} <= set(HUB_NAMES):
        raise ConfigError(
            f"config/pipeline.toml: image.registry_block: {wanted.registry_block} is the login of {of}, and the image "
            f"goes to {registry}; name the block of {registry}"
        )
    token = base64.b64encode(f"{block.username}:{block.password.get_secret_value()}".encode()).decode()
    return json.dumps({"auths": {HUB if registry in HUB_NAMES else registry: {"auth": token}}})


def _host(url: str) -> str:
    return url.split("://")[-1].split("/")[0]
