"""The example's own compose files, as they lie in an artifact, are accepted."""

import shutil
from pathlib import Path

import pytest

from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.model import read_stack
from deployments.runtimes.compose.read import read_model
from gates.compose_roles import Role
from host.docker.engine import Engine
from host.home import CHECKOUT

SECRETS = ("DATABASE_URL", "DATABASE_PASSWORD", "SESSION_SECRET", "SMS_WEBHOOK_SECRET")


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
@pytest.mark.parametrize("stage", ["dev", "stage", "prod"])
def test_the_example_is_accepted(tmp_path: Path, stage: str) -> None:
    file = tmp_path / "release" / "docker" / f"docker-compose.{stage}.yml"
    file.parent.mkdir(parents=True)
    shutil.copy(CHECKOUT / "docker" / file.name, file)
    model, problems, _ = read_model(Engine(), file, tmp_path, "shop", {"SLIPWAY_IMAGE": "sha256:1"}, SECRETS)
    stack = read_stack(model, file.name, Reach("shop", str(tmp_path)), problems)
    assert (stack.public, stack.port, stack.services(Role.SHARED)) == ("web", 8000, ["database"])
