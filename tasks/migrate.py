"""Bring the environment's database to the new version's schema."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.rollout import Rollout


@task(name="migrate", task_run_name="migrate", cache_policy=NO_CACHE)
def migrate(rollout: Rollout) -> None:
    """Run the app's migration in the sandbox. Repeatable as far as the app's migrations are. Raises MigrationError."""
    get_run_logger().info("%s", rollout.migrate())
