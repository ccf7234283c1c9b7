"""Create the deployments of `prefect.yaml` in this process, as `prefect deploy --all` would in one of its own."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from host.errors import ConfigError, SourceError, ToolError
from host.git import git
from host.home import CHECKOUT

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

AT_ONCE = 4
# What is read of each part of the file. All else is refused: `prefect deploy` would heed it.
FILE_KEYS = {"name", "prefect-version", "definitions", "deployments"}
POOL_KEYS = {"name", "job_variables"}
SCHEDULE_KEYS = {"cron", "timezone", "slug"}


def read_deployments(file: Path = CHECKOUT / "prefect.yaml") -> "Sequence[RunnerDeployment]":
    """Return what the file describes; loads every flow, which takes seconds but needs no server.

    PREFECT_API_URL and its like must be set before: Prefect reads its settings when it is imported. ConfigError:
    the file says something that is not understood here.
    """
    version = _commit()
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
        _refuse_unknown("the file", found, FILE_KEYS)
        return [_read(one, version) for one in found["deployments"]]
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"{file}: deployments: {type(error).__name__}: {error}") from error


def _read(described: dict[str, Any], version: str | None) -> "RunnerDeployment":
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.deployments.runner import RunnerDeployment
    from prefect.flows import Flow, load_flow_from_entrypoint
    from prefect.runner.storage import LocalStorage

    left = dict(described)
    entrypoint, pool, cron = left.pop("entrypoint"), left.pop("work_pool"), left.pop("schedules", [])
    flow: Flow[..., Any] = load_flow_from_entrypoint(str(CHECKOUT / entrypoint))
    name = left.pop("name")
    _refuse_unknown(f"{flow.name}/{name}: work_pool", pool, POOL_KEYS)
    for one in cron:
        _refuse_unknown(f"{flow.name}/{name}: schedules", one, SCHEDULE_KEYS)
    triggers = [
        {"name": f"{name}__automation_{number}", **one} for number, one in enumerate(left.pop("triggers", []), 1)
    ]
    # A deployment without schedules names none: what a person added in the UI stays.
    schedules = [
        DeploymentScheduleCreate(schedule=CronSchedule(cron=one["cron"], timezone=one["timezone"]), slug=one["slug"])
        for one in cron
    ]
    made = RunnerDeployment(
        name=name,
        flow_name=flow.name,
        entrypoint=entrypoint,
        version=version,
        work_pool_name=pool["name"],
        job_variables=pool["job_variables"],
        storage=LocalStorage(path=str(CHECKOUT)),
        triggers=triggers,
        tags=left.pop("tags"),
        description=left.pop("description"),
        parameters=left.pop("parameters", {}),
        **({"schedules": schedules} if schedules else {}),
    )
    _refuse_unknown(f"{flow.name}/{name}", left, set())
    made._set_defaults_from_flow(flow)
    return made


def _refuse_unknown(where: str, said: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(said) - known):
        raise ValueError(f"{where}: {', '.join(unknown)} is not understood here")


def _commit() -> str | None:
    """Return the first eight digits of the checkout's commit, None where it is no git repository."""
    try:
        return git("rev-parse", "--short=8", "HEAD", at=CHECKOUT) or None
    except SourceError:
        return None


def create_deployments(wanted: "Sequence[RunnerDeployment]") -> None:
    """Create or update them on the server, a few at a time. Safe to repeat. ToolError names the first refused."""
    from prefect.client.schemas.objects import VersionInfo

    def create(one: "RunnerDeployment") -> None:
        # Named here, else Prefect asks git several times for each, in whatever directory this is.
        one.apply(version_info=VersionInfo(type="prefect:simple", version=one.version or ""))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for one, done in [(one, threads.submit(copy_context().run, create, one)) for one in wanted]:
            if error := done.exception():
                raise ToolError(f"the deployment {one.flow_name}/{one.name} was not created: {error}") from error
