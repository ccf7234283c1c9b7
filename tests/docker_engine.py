"""A real Docker engine for the tests that need one."""

import os
import shutil
from collections.abc import Iterator

import pytest

import docker
from host.docker.engine import Engine
from host.errors import ToolError

# The command reads compose files without an engine. Where it is away the test fails in CI, and is skipped elsewhere.
needs_docker = pytest.mark.skipif(
    shutil.which("docker") is None and os.environ.get("CI") != "true", reason="the docker command reads compose files"
)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Return the engine of this host. Where none answers the test fails in CI, and is skipped elsewhere."""
    found = Engine()
    try:
        found.info()
    except ToolError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs a Docker engine: {error}")
        pytest.skip(f"needs a Docker engine: {error}")
    return found


@pytest.fixture(scope="session")
def docker_client(engine: Engine) -> Iterator[docker.DockerClient]:
    """Return the SDK's client of that engine."""
    client = docker.from_env(timeout=600)
    yield client
    client.close()
