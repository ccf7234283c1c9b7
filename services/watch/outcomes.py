"""Tell Prefect how a release ended whose own process could not: it died, or the server was away."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.journal.entries import OutcomeReported
from gates.release.downtime import exceeded
from gates.release.operation import Operation, OperationKind, Outcome

# How long a run has to tell its own outcome, and how far back we look.
GRACE = timedelta(seconds=60)
HORIZON = timedelta(days=1)
STATES: Mapping[tuple[str, str], tuple[str, str]] = {
    (OperationKind.RELEASE, Outcome.PROMOTED): ("COMPLETED", "Promoted"),
    (OperationKind.RELEASE, Outcome.ROLLED_BACK): ("FAILED", "RolledBack"),
    (OperationKind.RELEASE, Outcome.RESTORED): ("FAILED", "Restored"),
    (OperationKind.ROLLBACK, Outcome.ROLLED_BACK): ("COMPLETED", "RolledBack"),
    (OperationKind.ROLLBACK, Outcome.RESTORED): ("FAILED", "Restored"),
}


def report_outcomes(place: Environment, now: datetime | None = None, api: PrefectApi | None = None) -> str | None:
    """Correct one run that Prefect shows as running although the journal knows its end. Safe to repeat.

    What was corrected stands in the journal (`reported`), so that each run is asked about once. Raises ServerAway.
    """
    now = now or datetime.now(UTC)
    ledger = place.ledger()
    for operation in ledger.operations:
        if operation.run and operation.id not in ledger.reported and _due(operation, now):
            return _report(place, operation, api or PrefectApi())
    return None


def _due(operation: Operation, now: datetime) -> bool:
    return operation.ended is not None and GRACE < now - operation.ended < HORIZON


def _report(place: Environment, operation: Operation, api: PrefectApi) -> str | None:
    state = api.run_state(operation.run)
    kind, name = STATES.get((operation.kind, operation.outcome or ""), ("FAILED", "Restored"))
    if kind == "COMPLETED" and exceeded(operation.downtime_s, place.settings.max_downtime_seconds):
        kind, name = "FAILED", "DowntimeExceeded"
    said = None
    if state in ("RUNNING", "PENDING", "CRASHED"):
        api.set_state(operation.run, kind, name, f"{operation.reason} (told by watch, from the journal)")
        said = f"run {operation.run} was {state} and is {name}"
    place.journal.append(OutcomeReported(id=operation.id, state=name if said else state))
    return said
