"""Install, start and drain what runs in the slots."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.rollout import Rollout


@task(name="install", task_run_name="install", cache_policy=NO_CACHE)
def install(rollout: Rollout) -> None:
    """Verify the artifact and lay it out on this host. Repeatable. Raises ArtifactError."""
    get_run_logger().info("%s", rollout.install())


@task(name="start slot", task_run_name="start slot", cache_policy=NO_CACHE)
def start_slot(rollout: Rollout) -> None:
    """Start the new version in the idle slot and wait for its health. Raises HealthError with its last words."""
    get_run_logger().info("slot %s: %s", rollout.slot, rollout.start())


@task(name="drain", task_run_name="drain", cache_policy=NO_CACHE)
def drain(rollout: Rollout) -> None:
    """Wait for the last request of the old slot. Repeatable."""
    get_run_logger().info("%s", rollout.drain())
