"""Look at an environment for a person: before a release, after it, or whenever somebody wants to know."""

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from deployments.overview import overview
from host.errors import SlipwayError
from settings.targets import Target
from tasks.artifacts import show
from tasks.notify.events import tell_unhealthy
from tasks.release.open_place import open_place
from tasks.states import Completed, Failed, cause


def _run_name() -> str:
    return f"monitor-{Target(runtime.flow_run.parameters['environment']).short}"


@flow(name="monitor", flow_run_name=_run_name)
def monitor(environment: Target) -> State[str]:
    """Ask the environment's health endpoints, router, slot and journal how it is. Failed when anything is wrong.

    What is unhealthy is looked at three times, and then told as the event `slipway.unhealthy`: in an environment with
    ALERTS=on, within the rollback window, that starts a rollback. Nothing is told while somebody changes it.

    Args:
        environment: Where to look.
    """
    try:
        place = open_place(environment)
        seen = overview(place)
        get_run_logger().info("%s", seen.line())
        show("monitor", seen.page(), f"{place.name} now")
        tell_unhealthy(place, seen)
    except SlipwayError as error:
        return Failed(message=cause(error))
    if seen.problems:
        return Failed(name="Unhealthy", message="; ".join(seen.problems))
    return Completed(name="Healthy", message=seen.line())
