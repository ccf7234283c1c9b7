"""Bring the environment's database to the new version's schema."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.backups import Backups
from deployments.lease import Lease
from deployments.place import Place
from deployments.rollout import Rollout


@task(name="seed", task_run_name="seed", cache_policy=NO_CACHE)
def seed(rollout: Rollout) -> None:
    """Run the app's seed command, once for an environment. Repeatable as far as the app's seed is. Raises ToolError."""
    get_run_logger().info("%s", rollout.seed())


@task(name="back up", task_run_name="back up", cache_policy=NO_CACHE)
def back_up(place: Place, lease: Lease, digest: str) -> None:
    """Dump the database if a migration is coming and the environment wants it. Raises ToolError, nothing changed."""
    get_run_logger().info("%s", Backups(place).before(digest, lease))


@task(name="migrate", task_run_name="migrate", cache_policy=NO_CACHE)
def migrate(rollout: Rollout) -> None:
    """Run the app's migration in the sandbox. Repeatable as far as the app's migrations are. Raises MigrationError."""
    get_run_logger().info("%s", rollout.migrate())
