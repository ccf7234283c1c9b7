"""Health and smoke tests of the new version: before traffic through the preview route, after it through the public
one.
"""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.rollout import Rollout


@task(name="verify preview", task_run_name="verify preview", cache_policy=NO_CACHE)
def verify_preview(rollout: Rollout) -> None:
    """Publish the preview route and test the idle slot through it. Repeatable. Raises HealthError or ToolError."""
    get_run_logger().info("%s", rollout.verify())


@task(name="check public", task_run_name="check public", cache_policy=NO_CACHE)
def check_public(rollout: Rollout) -> None:
    """Test through the public route, after the switch. Repeatable. Raises HealthError or ToolError."""
    get_run_logger().info("%s", rollout.check_public())
