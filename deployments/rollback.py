"""Go back to an earlier version: warm (switch) or cold (start, check, switch). The same for flow, command and
automation.
"""

from collections.abc import Callable

from deployments.lease import Lease
from deployments.ledger import Ledger
from deployments.place import Place
from deployments.recovery import reconcile
from deployments.rollout import Rollout, ensure_slot, start_slot, version_of
from deployments.runtimes.process import ProcessRuntime
from evidence.bundle import verify_bundle
from evidence.errors import RollbackFailed, RollbackRefused, SlipwayError
from gates.rollback import Refusal, choose_target

Say = Callable[[str], None]


def plan_rollback(place: Place, condemn: str | None, wanted: str | None) -> tuple[str, str] | Refusal:
    """Return (digest to condemn, digest to go to), or why there is nothing to do. Changes nothing.

    The target's manifest and every byte of it are verified here, before anything is touched.
    """
    ledger = place.ledger()
    live = ledger.live.version.digest if ledger.live else None
    bad = _full(ledger, condemn) if condemn else live
    target = choose_target(
        bad or "", live, ledger.promoted, ledger.condemned, _full(ledger, wanted) if wanted else None
    )
    if isinstance(target, Refusal):
        return target
    verify_bundle(place.store, target)
    return bad or "", target


def roll_back(
    place: Place, lease: Lease, condemn: str | None, wanted: str | None, reason: str, say: Say, run: str = ""
) -> tuple[Rollout | None, str]:
    """Condemn what is live and make an earlier version live. Returns the rollout (None: nothing was to do) and the
    reason.

    Raises RollbackRefused before any effect, RollbackFailed when the target could not be started or
    checked: what was live stays or comes back.
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
    rollout = Rollout.begin(place, lease, version_of(place, target), "rollback", run)
    try:
        say(_prepare(rollout, ledger))
        say(f"switch: {rollout.switch()}")
        say(f"check: {rollout.check_public()}")
    except BaseException as error:
        say(f"failed: {error}; restoring")
        said = rollout.restore()
        rollout.end("restored", f"{error}; {said}")
        if isinstance(error, SlipwayError):
            raise RollbackFailed(f"{type(error).__name__}: {error}; {said}") from error
        raise
    rollout.condemn(bad, reason)
    say(f"drain: {rollout.drain()}")
    said = f"{rollout.version} is live again; {bad[:12]} is condemned: {reason}"
    rollout.end("rolled back", said)
    return rollout, said


def _prepare(rollout: Rollout, ledger: Ledger) -> str:
    """Have the target running in the idle slot: it may still be warm there."""
    place = rollout.place
    slot = ledger.slots.get(rollout.slot)
    warm = slot and slot.running and slot.digest == rollout.version.digest
    if warm and ProcessRuntime(place).gone(rollout.slot) is None:
        with rollout.step("start"):
            ensure_slot(place, rollout.lease, rollout.slot, rollout.version)
        return f"start: {rollout.version} is still warm in slot {rollout.slot}"
    rollout.install()
    with rollout.step("start"):
        start_slot(place, rollout.lease, rollout.slot, rollout.version)
    return f"start: cold start of {rollout.version}; verify: {rollout.verify()}"


def _full(ledger: Ledger, digest: str) -> str:
    """Complete a shortened digest from what this environment has seen."""
    matches = [known for known in ledger.versions if known.startswith(digest.lower().removeprefix("sha256:"))]
    return matches[0] if len(matches) == 1 else digest
