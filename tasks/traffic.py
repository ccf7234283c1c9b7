"""Move traffic, watch it, and put it back. How the router does it: deployments/router.py."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.rollout import Rollout
from gates.verdict import Verdict


@task(name="switch", task_run_name="switch", cache_policy=NO_CACHE)
def switch(rollout: Rollout) -> None:
    """Send all traffic to the new version, confirmed by the router. Raises RouterError with the old routing in
    force.
    """
    get_run_logger().info("%s", rollout.switch())


@task(name="bake", task_run_name="bake", cache_policy=NO_CACHE)
def bake(rollout: Rollout) -> Verdict:
    """Watch the router's figures for the new version; return the verdict, journaled."""
    verdict = rollout.bake()
    get_run_logger().info("%s: %s", verdict.action, verdict.reason)
    return verdict


@task(name="restore", task_run_name="restore", cache_policy=NO_CACHE)
def restore(rollout: Rollout) -> str:
    """Bring back what was live. Repeatable. Raises RestoreError, which outranks every other error."""
    said = rollout.restore()
    get_run_logger().warning("%s", said)
    return said
