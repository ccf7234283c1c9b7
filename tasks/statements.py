"""Sign what `ci` saw, for exactly this commit and artifact."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.home import Home
from evidence.signing import Keys
from evidence.statements import Checked, Kind, find_checked, state
from evidence.store import Store


@task(name="known", task_run_name="known", cache_policy=NO_CACHE)
def known_evidence(commit: str, pipeline: str, isolation: str) -> tuple[str, Checked] | None:
    """Return what an earlier run found out about exactly this commit, by the same rules. Only passes are kept."""
    home = Home.find()
    found = find_checked(Store(home.store), Keys(home.keys), commit, pipeline, isolation)
    if found:
        get_run_logger().info("checked before, in run %s at %s", found[1].run, found[1].at)
    return found


@task(name="sign", task_run_name="sign", cache_policy=NO_CACHE)
def sign_checks(digest: str, app: str, checked: Checked) -> None:
    """Sign the checks, failed ones included, and store them beside the artifact. The newest statement counts."""
    home = Home.find()
    state(Store(home.store), Keys(home.keys), digest, app, Kind.CHECKS, checked)
    get_run_logger().info("signed evidence of %d checks for %s", len(checked.checks), digest[:12])
