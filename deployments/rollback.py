"""Go back to an earlier version: warm (switch) or cold (start, check, switch). The same for flow, command and
automation.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from deployments.candidate import Artifact, verify_artifact
from deployments.environment import Environment
from deployments.instance import Instance
from deployments.journal.lease import Lease
from deployments.journal.ledger import Ledger
from deployments.recovery import reconcile
from deployments.rollout import Rollout
from deployments.slots import ensure_slot, start_slot
from gates.release.operation import OperationKind, Outcome
from gates.release.rollback import Refusal, Situation, choose_target, refuse_automatic
from host.errors import LeaseHeld, RestoreError, RollbackFailed, RollbackRefused, RollbackUnfinished, SlipwayError

Say = Callable[[str], None]
# How long an automatic rollback waits for a release in progress, which may put right or undo what is bad.
DEFER_S = 1800.0
ASK_EVERY_S = 0.5
# In which state a rollback ends that raised; what is not here changed nothing.
ENDS = {RestoreError: "RestoreFailed", RollbackFailed: "Restored", RollbackUnfinished: "Unfinished"}
UNCHANGED = "Blocked"


@contextmanager
def lease_in_turn(place: Environment, reason: str, wait_s: float) -> Iterator[Lease]:
    """Hold the lease, waiting for it. LeaseHeld after `wait_s`."""
    until = time.monotonic() + wait_s
    with ExitStack() as stack:
        while True:
            try:
                lease = stack.enter_context(place.lease(reason))
                break
            except LeaseHeld:
                if time.monotonic() >= until:
                    raise
            time.sleep(ASK_EVERY_S)
        yield lease


def situation(place: Environment, ledger: Ledger, blamed: str) -> Situation:
    """Return what an automatic rollback from `blamed` is judged on."""
    promotion = ledger.promotion
    return Situation(
        wanted=place.settings.alerts,
        blamed=blamed,
        live=ledger.live.version.digest if ledger.live else None,
        arrived=promotion.ended if promotion else None,
        window=timedelta(seconds=place.settings.rollback_window_seconds),
    )


def automatic_refusal(place: Environment, lease: Lease, blamed: str, now: datetime) -> Refusal | None:
    """Say why nothing may be rolled back by itself, after what is unfinished was put right. None when it may."""
    reconcile(place, lease)
    return refuse_automatic(situation(place, place.ledger(), blamed), now)


def plan_rollback(place: Environment, condemn: str | None, wanted: str | None) -> tuple[str, Artifact] | Refusal:
    """Return (digest to condemn, artifact to go to), or why there is nothing to do. Changes nothing.

    The target's manifest and every byte of it are verified here, before anything is touched.
    """
    ledger = place.ledger()
    live = ledger.live.version.digest if ledger.live else None
    bad = _full(ledger, condemn) if condemn else live
    target = choose_target(
        bad or "", live, ledger.promoted, ledger.condemned, _full(ledger, wanted) if wanted else None, ledger.unsafe
    )
    if isinstance(target, Refusal):
        return target
    artifact = verify_artifact(place.store, target)
    orchestrator = place.runtime.orchestrator
    if orchestrator and (problems := orchestrator.problems(artifact)):
        return Refusal("; ".join(problems), harmless=False)
    return bad or "", artifact


def roll_back(
    place: Environment, lease: Lease, condemn: str | None, wanted: str | None, reason: str, say: Say, run: str = ""
) -> tuple[Rollout | None, str]:
    """Condemn what is live and make an earlier version live. Returns the rollout (None: nothing was to do) and the
    reason.

    Raises RollbackRefused before any effect, RollbackFailed when the target could not be started or checked: what was
    live stays or comes back; RollbackUnfinished when the target serves and the rest is left to `watch`.
    """
    repaired, why = reconcile(place, lease)
    say(f"reconcile: {repaired}: {why}")
    plan = plan_rollback(place, condemn, wanted)
    if isinstance(plan, Refusal):
        if plan.harmless:
            return None, plan.reason
        raise RollbackRefused(f"{place.name}: {plan.reason}")
    bad, target = plan
    ledger = place.ledger()
    rollout = Rollout.begin(place, lease, target, OperationKind.ROLLBACK, run)
    try:
        say(_prepare(rollout, ledger))
        say(f"switch: {rollout.switch()}")
        say(f"check: {rollout.check_public()}")
    except BaseException as error:
        say(f"failed: {error}; restoring")
        said = rollout.restore()
        rollout.end(Outcome.RESTORED, f"{error}; {said}")
        if isinstance(error, SlipwayError):
            raise RollbackFailed(f"{error}; {said}") from error
        raise
    try:
        if unsigned := rollout.condemn(bad, reason):
            say(unsigned)
        say(f"drain: {rollout.drain()}")
        said = f"{rollout.version} is live again; {bad[:12]} is condemned: {reason}" + f"; {unsigned}" * bool(unsigned)
        rollout.end(Outcome.ROLLED_BACK, said)
    except SlipwayError as error:
        raise RollbackUnfinished(
            f"{rollout.version} serves, and what remained was not done: {error}; " "watch finishes it"
        ) from error
    return rollout, said


def end_of(error: SlipwayError) -> str:
    """Return the name of the state (docs/states.md) in which a rollback ends that raised this."""
    return next((name for kind, name in ENDS.items() if isinstance(error, kind)), UNCHANGED)


def _prepare(rollout: Rollout, ledger: Ledger) -> str:
    """Have the target running in the idle slot: it may still be warm there."""
    place = rollout.place
    slot = ledger.slots.get(rollout.slot)
    warm = slot and slot.running and slot.digest == rollout.version.digest and place.runtime.gone(rollout.slot) is None
    # A warm slot was started again at the same port, for which a stranger can have waited.
    if slot and warm and Instance.now(place, rollout.slot, slot.endpoints).problem() is None:
        with rollout.step("start"):
            ensure_slot(place, rollout.lease, rollout.slot, rollout.artifact)
            rollout.refuse_another()
        return f"start: {rollout.version} is still warm in slot {rollout.slot}"
    rollout.install()
    with rollout.step("start"):
        start_slot(place, rollout.lease, rollout.slot, rollout.artifact)
        rollout.refuse_another()
    return f"start: cold start of {rollout.version}; verify: {rollout.verify()}"


def _full(ledger: Ledger, digest: str) -> str:
    """Complete a shortened digest from what this environment has seen."""
    matches = [known for known in ledger.versions if known.startswith(digest.lower().removeprefix("sha256:"))]
    return matches[0] if len(matches) == 1 else digest
