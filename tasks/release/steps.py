"""The steps of a release as tasks, in the order that a release takes them. What each does: deployments/rollout.py."""

from prefect.logging import get_run_logger

from deployments.backups import Backups
from deployments.environment import Environment
from deployments.journal.lease import Lease
from deployments.preflight import Preflight
from deployments.rollout import Rollout
from gates.verdict import Verdict
from tasks.retries import once, repeatable


@repeatable("back up")
def back_up(place: Environment, lease: Lease, now: Preflight) -> None:
    """Dump the database if a migration is coming and the environment wants it. Raises ToolError, nothing changed."""
    get_run_logger().info("%s", Backups(place).before(now.candidate, now.migrations, lease))


@repeatable("install")
def install(rollout: Rollout) -> None:
    """Verify the artifact and lay it out on this host. Repeatable. Raises ArtifactError."""
    get_run_logger().info("%s", rollout.install())


@once("migrate")
def migrate(rollout: Rollout) -> None:
    """Run the app's migration in the sandbox. Raises MigrationError.

    Not repeated: a migration that failed may have done a part of its work.
    """
    get_run_logger().info("%s", rollout.migrate())


@once("seed")
def seed(rollout: Rollout) -> None:
    """Run the app's seed command, once for an environment. Raises ToolError.

    Not repeated: a seed that failed may have done a part of its work.
    """
    get_run_logger().info("%s", rollout.seed())


@once("tasks")
def run_tasks(rollout: Rollout) -> None:
    """Run the app's one-shot services to their end. Raises ToolError with the last words of one that failed.

    Not repeated: a task that failed may have done a part of its work.
    """
    get_run_logger().info("%s", rollout.run_tasks())


@once("start slot")
def start_slot(rollout: Rollout) -> None:
    """Start the new version in the idle slot and wait for its health. Raises HealthError with its last words.

    Not repeated: a slot that did not get healthy is taken back by the flow, with its last words kept.
    """
    get_run_logger().info("slot %s: %s", rollout.slot, rollout.start())


@repeatable("verify preview")
def verify_preview(rollout: Rollout) -> None:
    """Publish the preview route and test the idle slot through it. Repeatable. Raises HealthError or ToolError."""
    get_run_logger().info("%s", rollout.verify())


@once("switch")
def switch(rollout: Rollout) -> None:
    """Send all traffic to the new version, confirmed by the router. Raises RouterError with the old routing in
    force.

    Not repeated: after an unconfirmed switch the flow restores what was live.
    """
    get_run_logger().info("%s", rollout.switch())


@repeatable("check public")
def check_public(rollout: Rollout) -> None:
    """Test through the public route, after the switch. Repeatable. Raises HealthError or ToolError."""
    get_run_logger().info("%s", rollout.check_public())


@once("bake")
def bake(rollout: Rollout) -> Verdict:
    """Watch the router's figures for the new version; return the verdict, journaled.

    Not repeated: a version that was bad once is not watched until it looks good.
    """
    verdict = rollout.bake()
    get_run_logger().info("%s: %s", verdict.action, verdict.reason)
    return verdict


@repeatable("drain")
def drain(rollout: Rollout) -> None:
    """Wait for the last request of the old slot. Repeatable."""
    get_run_logger().info("%s", rollout.drain())


@repeatable("restore")
def restore(rollout: Rollout) -> str:
    """Bring back what was live. Repeatable. Raises RestoreError, which outranks every other error."""
    said = rollout.restore()
    get_run_logger().warning("%s", said)
    return said
