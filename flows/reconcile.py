"""Make an environment and its journal agree again, when a person asks for it. `watch` does the same by itself."""

from prefect import flow, runtime
from prefect.client.schemas.objects import State

from deployments import recovery
from host.errors import RestoreError, SlipwayError
from settings.targets import Target
from tasks.release.open_place import open_place
from tasks.states import Completed, Failed, cause


def _run_name() -> str:
    return f"reconcile-{Target(runtime.flow_run.parameters['environment']).short}"


@flow(name="reconcile", flow_run_name=_run_name)
def reconcile(environment: Target) -> State[str]:
    """Finish or restore what an interrupted run left, or do nothing.

    Args:
        environment: Where to look.
    """
    try:
        place = open_place(environment)
        with place.lease(f"reconcile, run {runtime.flow_run.id}") as lease:
            repair, reason = recovery.reconcile(place, lease)
    except RestoreError as error:
        return Failed(name="RestoreFailed", message=str(error))
    except SlipwayError as error:
        return Failed(message=cause(error))
    return Completed(message=f"{repair}: {reason}")
