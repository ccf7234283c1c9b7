"""Open the environment that a run is for, and name the run after what it does."""

from uuid import UUID

import httpx
from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from deployments.environment import Environment
from deployments.preflight import choose_version
from evidence.commits import Repository
from host.errors import ArtifactError, ConfigError
from settings.pipeline import read_pipeline
from settings.targets import Target
from tasks.build.docker_blocks import lend_login


def open_place(environment: Target) -> Environment:
    """Return the environment. Raises ConfigError if the run's deployment is for another one: its worker is
    another's.
    """
    target = Target(environment)
    deployment = runtime.deployment.name
    if deployment and deployment != target.short:
        raise ConfigError(
            f"the deployment {runtime.flow_run.flow_name}/{deployment} is not for {target.value}; use "
            f"{runtime.flow_run.flow_name}/{target.short}"
        )
    pipeline = read_pipeline()
    place = Environment.open(target, pipeline.app.name)
    lend_login(place, pipeline)
    return place


def chosen(place: Environment, version: str | None, repository: Repository) -> tuple[str, list[str]]:
    """Return the digest that is meant, and what the search for it passed over, with the reasons."""
    passed_over: list[str] = []
    try:
        return choose_version(place, version, passed_over.append, repository), passed_over
    except ArtifactError as error:
        raise ArtifactError("; ".join([str(error), *passed_over])) from error
    finally:
        for line in passed_over:
            get_run_logger().warning("%s", line)


def rename_run(name: str) -> None:
    """Give the run a name that says more than was known when it began. When the server is away the old one stays."""
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(str(runtime.flow_run.id)), name=name)
    except (httpx.HTTPError, PrefectException, OSError) as error:
        get_run_logger().warning("the run could not be renamed to %s: %s", name, error)
