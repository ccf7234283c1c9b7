"""The steps of a release as tasks, in the order that a release takes them. What each does: deployments/rollout.py."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.backups import Backups
from deployments.environment import Environment
from deployments.journal.lease import Lease
from deployments.preflight import Preflight
from deployments.rollout import Rollout
from gates.verdict import Verdict


@task(name="back up", task_run_name="back up", cache_policy=NO_CACHE)
def back_up(place: Environment, lease: Lease, now: Preflight) -> None:
    """Dump the database if a migration is coming and the environment wants it. Raises ToolError, nothing changed."""
    get_run_logger().info("%s", Backups(place).before(now.candidate, now.migrations, lease))


@task(name="install", task_run_name="install", cache_policy=NO_CACHE)
def install(rollout: Rollout) -> None:
    """Verify the artifact and lay it out on this host. Repeatable. Raises ArtifactError."""
    get_run_logger().info("%s", rollout.install())


@task(name="migrate", task_run_name="migrate", cache_policy=NO_CACHE)
def migrate(rollout: Rollout) -> None:
    """Run the app's migration in the sandbox. Repeatable as far as the app's migrations are. Raises MigrationError."""
    get_run_logger().info("%s", rollout.migrate())


@task(name="seed", task_run_name="seed", cache_policy=NO_CACHE)
def seed(rollout: Rollout) -> None:
    """Run the app's seed command, once for an environment. Repeatable as far as the app's seed is. Raises ToolError."""
    get_run_logger().info("%s", rollout.seed())


@task(name="start slot", task_run_name="start slot", cache_policy=NO_CACHE)
def start_slot(rollout: Rollout) -> None:
    """Start the new version in the idle slot and wait for its health. Raises HealthError with its last words."""
    get_run_logger().info("slot %s: %s", rollout.slot, rollout.start())


@task(name="verify preview", task_run_name="verify preview", cache_policy=NO_CACHE)
def verify_preview(rollout: Rollout) -> None:
    """Publish the preview route and test the idle slot through it. Repeatable. Raises HealthError or ToolError."""
    get_run_logger().info("%s", rollout.verify())


@task(name="switch", task_run_name="switch", cache_policy=NO_CACHE)
def switch(rollout: Rollout) -> None:
    """Send all traffic to the new version, confirmed by the router. Raises RouterError with the old routing in
    force.
    """
    get_run_logger().info("%s", rollout.switch())


@task(name="check public", task_run_name="check public", cache_policy=NO_CACHE)
def check_public(rollout: Rollout) -> None:
    """Test through the public route, after the switch. Repeatable. Raises HealthError or ToolError."""
    get_run_logger().info("%s", rollout.check_public())


@task(name="bake", task_run_name="bake", cache_policy=NO_CACHE)
def bake(rollout: Rollout) -> Verdict:
    """Watch the router's figures for the new version; return the verdict, journaled."""
    verdict = rollout.bake()
    get_run_logger().info("%s: %s", verdict.action, verdict.reason)
    return verdict


@task(name="drain", task_run_name="drain", cache_policy=NO_CACHE)
def drain(rollout: Rollout) -> None:
    """Wait for the last request of the old slot. Repeatable."""
    get_run_logger().info("%s", rollout.drain())


@task(name="restore", task_run_name="restore", cache_policy=NO_CACHE)
def restore(rollout: Rollout) -> str:
    """Bring back what was live. Repeatable. Raises RestoreError, which outranks every other error."""
    said = rollout.restore()
    get_run_logger().warning("%s", said)
    return said
