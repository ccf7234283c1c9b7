"""Tidy up what somebody began and nobody ended. Every release and rollback does this first, and `watch` when the
lease is free.
"""

from deployments import slots
from deployments.candidate import read_artifact
from deployments.environment import Environment
from deployments.journal.entries import OperationEnded
from deployments.journal.lease import Lease
from deployments.journal.ledger import Ledger
from deployments.rollout import Rollout
from deployments.withdrawals import withdraw_condemned
from gates.release.operation import Operation, OperationKind, Outcome
from gates.release.recovery import Facts, Repair, decide


def facts_of(place: Environment, ledger: Ledger) -> Facts:
    """Return what journal and router say, as the decision needs it."""
    unfinished = ledger.unfinished
    return Facts(
        operation=unfinished.kind if unfinished else None,
        judged_good=bool(unfinished and unfinished.judged_good),
        switched=bool(unfinished and unfinished.switched),
        journal_version=ledger.routing["version"] if ledger.routing else None,
        router_version=place.router.version(),
    )


def needs_repair(place: Environment) -> tuple[Repair, str]:
    """Say what `reconcile` would do and why, without doing it."""
    return decide(facts_of(place, place.ledger()))


def reconcile(place: Environment, lease: Lease) -> tuple[Repair, str]:
    """Make world and journal agree again: finish or restore what is unfinished, republish what the router forgot.

    Safe to repeat, and to be killed in. Raises RestoreError when what was live cannot be brought back.
    """
    ledger = place.ledger()
    repair, reason = decide(facts_of(place, ledger))
    unfinished = ledger.unfinished
    if unfinished and (orchestrator := place.runtime.orchestrator):
        orchestrator.tidy()
    if unfinished and repair is Repair.FINISH:
        reason = f"{reason}; {_finish(place, lease, unfinished)}"
    elif unfinished and repair is Repair.RESTORE:
        said = slots.restore(place, lease, unfinished.before)
        reason = f"{reason}; {said}"
        place.journal.append(OperationEnded(id=unfinished.id, outcome=Outcome.RESTORED, reason=reason), lease.epoch)
    elif repair is Repair.REPUBLISH:
        _serve_again(place, lease)
    withdrawn = withdraw_condemned(place)
    return repair, f"{reason}; {withdrawn}" if withdrawn else reason


def _serve_again(place: Environment, lease: Lease) -> None:
    """Have what the journal says is live running, and the router know it."""
    live = place.ledger().live
    if live:
        slots.ensure_slot(place, lease, live.slot, read_artifact(place.store, live.version.digest))
    slots.publish(place, lease, live)


def _finish(place: Environment, lease: Lease, operation: Operation) -> str:
    """Do what remains after the judgement (or a rollback's switch): drain, stop what must not stay, sign, end."""
    artifact = read_artifact(place.store, operation.version.digest)
    kind = OperationKind(operation.kind)
    rest = Rollout(place, lease, artifact, kind, operation.id, operation.slot, operation.before)
    _serve_again(place, lease)
    if kind is OperationKind.ROLLBACK and operation.before:
        rest.condemn(operation.before.version.digest, "rolled back; the rollback was interrupted and finished")
    said = rest.drain()
    outcome = Outcome.PROMOTED if kind is OperationKind.RELEASE else Outcome.ROLLED_BACK
    rest.end(outcome, f"finished after an interruption; {said}")
    return said
