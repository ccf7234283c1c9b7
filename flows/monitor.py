"""Look at an environment once, for a person."""

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from deployments.overview import overview
from deployments.settings import Target
from evidence.errors import SlipwayError
from tasks.opening import open_place
from tasks.reporting import show


def _run_name() -> str:
    return f"monitor-{Target(runtime.flow_run.parameters['environment']).short}"


@flow(name="monitor", flow_run_name=_run_name)
def monitor(environment: Target) -> State[str]:
    """Ask the environment's health endpoints, router and journal how it is. Failed when anything is wrong.

    Args:
        environment: Where to look.
    """
    try:
        place = open_place(environment)
        seen = overview(place)
    except SlipwayError as error:
        return Failed(message=f"{type(error).__name__}: {error}")
    get_run_logger().info("%s", seen.line())
    show("monitor", seen.page(), f"{place.name} now")
    if seen.problems:
        return Failed(name="Unhealthy", message="; ".join(seen.problems))
    return Completed(name="Healthy", message=seen.line())
