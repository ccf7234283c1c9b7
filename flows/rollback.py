"""Go back to an earlier version."""

from datetime import UTC, datetime

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger

from deployments.rollback import DEFER_S, automatic_refusal, end_of, lease_in_turn, roll_back
from gates.release.operation import Outcome
from host.errors import SlipwayError
from settings.targets import Target
from tasks.artifacts import show
from tasks.notify.messages import call_person, tell_release
from tasks.release.open_place import open_place
from tasks.release.pages import outcome_page
from tasks.states import Completed, Failed


def _run_name() -> str:
    return f"rollback-{Target(runtime.flow_run.parameters['environment']).short}"


@flow(name="rollback", flow_run_name=_run_name)
def rollback(
    environment: Target,
    condemn: str | None = None,
    to: str | None = None,
    reason: str = "asked for by a person",
    automatic: bool = False,
) -> State[str]:
    """Condemn what is live and go back to the newest earlier version that is not condemned.

    (lease) reconcile -> choose and verify the target -> warm slot or cold start -> switch -> check -> drain.
    Never toggles. Ends RolledBack (green: that is what was asked for), NothingToDo, Blocked (nothing was changed),
    Restored, RestoreFailed or Unfinished. An automatic one waits for a release in progress, is one step from a fresh
    release at most, and calls a person whenever it does not end well.

    Args:
        environment: Where to go back; each deployment is for one environment only.
        condemn: The digest that is bad; nothing is done unless it is live. Without it: what is live when the run
            starts.
        to: The digest to go to; without it the newest earlier one.
        reason: Why; it stands in the journal beside the condemned version.
        automatic: An automation started it, no person.
    """
    state = _roll_back(environment, condemn, to, reason, automatic)
    if automatic and state.is_failed():
        call_person(Target(environment).value, "could not be rolled back", state.message or "")
    return state


def _roll_back(environment: Target, condemn: str | None, to: str | None, reason: str, automatic: bool) -> State[str]:
    try:
        place = open_place(environment)
        run = str(runtime.flow_run.id)
        with lease_in_turn(place, f"rollback, run {run}", DEFER_S if automatic else 0) as lease:
            if automatic and (refusal := automatic_refusal(place, lease, condemn or "", datetime.now(UTC))):
                if refusal.harmless:
                    return Completed(name="NothingToDo", message=refusal.reason)
                return Failed(name="Blocked", message=refusal.reason)
            done, said = roll_back(place, lease, condemn, to, reason, get_run_logger().info, run)
    except SlipwayError as error:
        return Failed(name=end_of(error), message=str(error))
    if done is None:
        return Completed(name="NothingToDo", message=said)
    show("outcome", outcome_page(done, Outcome.ROLLED_BACK, said), f"back to {done.version.version} in {place.name}")
    tell_release(done, Outcome.ROLLED_BACK, said)
    return Completed(name="RolledBack", message=said)
