"""Go back to an earlier version."""

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from deployments.rollback import roll_back
from deployments.settings import Target
from evidence.errors import RestoreError, RollbackFailed, SlipwayError
from tasks.opening import open_place
from tasks.pages import outcome_page
from tasks.reporting import show


def _run_name() -> str:
    return f"rollback-{Target(runtime.flow_run.parameters['environment']).short}"


@flow(name="rollback", flow_run_name=_run_name)
def rollback(
    environment: Target, condemn: str | None = None, to: str | None = None, reason: str = "asked for by a person"
) -> State[str]:
    """Condemn what is live and go back to the newest earlier version that is not condemned.

    (lease) reconcile -> choose and verify the target -> warm slot or cold start -> switch -> check -> drain.
    Never toggles. Ends RolledBack (green: that is what was asked for), NothingToDo, Blocked (nothing was changed),
    Restored or RestoreFailed.

    Args:
        environment: Where to go back; each deployment is for one environment only.
        condemn: The digest that is bad; nothing is done unless it is live. Without it: what is live when the run
            starts.
        to: The digest to go to; without it the newest earlier one.
        reason: Why; it stands in the journal beside the condemned version.
    """
    try:
        place = open_place(environment)
        run = str(runtime.flow_run.id)
        with place.lease(f"rollback, run {run}") as lease:
            done, said = roll_back(place, lease, condemn, to, reason, get_run_logger().info, run)
    except RestoreError as error:
        return Failed(name="RestoreFailed", message=str(error))
    except RollbackFailed as error:
        return Failed(name="Restored", message=str(error))
    except SlipwayError as error:
        return Failed(name="Blocked", message=f"{type(error).__name__}: {error}")
    if done is None:
        return Completed(name="NothingToDo", message=said)
    show("outcome", outcome_page(done, "rolled back", said), f"back to {done.version.version} in {place.name}")
    return Completed(name="RolledBack", message=said)
