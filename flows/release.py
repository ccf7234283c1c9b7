"""Take one built version to one environment."""

from prefect import flow, runtime
from prefect.client.schemas.objects import State

from deployments.preflight import Preflight, preflight
from deployments.recovery import reconcile
from deployments.rollout import Rollout
from gates.release.approval import Ruling
from gates.release.operation import OperationKind, Outcome
from gates.verdict import Action, Verdict
from host.errors import RestoreError, SlipwayError
from settings.environment import Strategy
from settings.targets import Target
from tasks.artifacts import show
from tasks.notify.github import tell_release_notes
from tasks.notify.messages import tell_notes, tell_release
from tasks.release.approval import await_approval
from tasks.release.open_place import chosen, open_place, rename_run
from tasks.release.pages import outcome_page, preflight_page
from tasks.release.steps import (
    back_up,
    bake,
    check_public,
    drain,
    install,
    migrate,
    restore,
    run_tasks,
    seed,
    start_slot,
    switch,
    verify_preview,
)
from tasks.source.git import fetch_repository
from tasks.states import Completed, Failed, cause


def _run_name() -> str:
    parameters = runtime.flow_run.parameters
    return f"release-{Target(parameters['environment']).short}-{str(parameters.get('version') or 'next')[:20]}"


@flow(name="release", flow_run_name=_run_name)
def release(environment: Target, version: str | None = None) -> State[str]:
    """Take one built version to one environment.

    preflight -> approve -> (lease) preflight again -> back up -> install -> migrate -> seed -> tasks -> start idle
    slot -> verify -> switch -> check -> bake -> drain. Any failure after the lease restores what was live. Ends
    Promoted, DowntimeExceeded (it serves, but nothing did for longer than MAX_DOWNTIME_SECONDS), Rejected, Expired,
    Blocked, RolledBack, Restored, RestoreFailed or Unfinished.

    Args:
        environment: Where it goes; each deployment is for one environment only.
        version: A version, commit or digest; without it the newest that the environment before this one promoted.
    """
    rollout: Rollout | None = None
    try:
        place = open_place(environment)
        repository = fetch_repository()
        digest, passed_over = chosen(place, version, repository)
        seen = preflight(place, digest, repository, passed_over)
        rename_run(f"release-{place.target.short}-{seen.version.version}")
        show("preflight", preflight_page(seen), f"{seen.version.version} for {place.name}")
        if seen.verdict.action is not Action.PROMOTE:
            return Failed(name="Blocked", message=seen.verdict.reason)
        if place.settings.approval == "required":
            ruling, reason = await_approval(place, seen)
            if ruling is not Ruling.ACCEPTED:
                return Failed(name="Expired" if ruling is Ruling.EXPIRED else "Rejected", message=reason)
        with place.lease(f"release {seen.version.version}, run {runtime.flow_run.id}") as lease:
            reconcile(place, lease)
            # A person may have taken an hour: what is used is verified again.
            now = preflight(place, digest, fetch_repository())
            if blocked := _changed(seen, now):
                return Failed(name="Blocked", message=blocked)
            back_up(place, lease, now)
            rollout = Rollout.begin(place, lease, now.candidate, OperationKind.RELEASE, str(runtime.flow_run.id))
            outcome, reason = _deploy(rollout)
    except RestoreError as error:
        return Failed(name="RestoreFailed", message=str(error))
    except SlipwayError as error:
        if rollout is None:
            return Failed(name="Blocked", message=cause(error))
        return Failed(name="Unfinished", message=f"{cause(error)}; watch finishes or restores it")
    return _tell(rollout, seen, outcome, reason)


def _changed(asked: Preflight, now: Preflight) -> str:
    """Say what changed since the question was answered: the answer holds for nothing else."""
    if now.verdict.action is not Action.PROMOTE:
        return now.verdict.reason
    if now.policy != asked.policy:
        return "settings or approvers changed since the question; start the release again"
    if now.live and (asked.live is None or now.live.version != asked.live.version):
        return f"{now.live.version} went live since the question; start the release again"
    return ""


def _deploy(rollout: Rollout) -> tuple[Outcome, str]:
    """Change the environment, under the lease; return outcome and reason. On any failure what was live comes back."""
    try:
        verdict = _move(rollout)
    except BaseException as error:
        said = restore(rollout)
        reason = f"{_down(rollout)}{cause(error)}; {said}"
        rollout.end(Outcome.RESTORED, reason)
        if isinstance(error, SlipwayError):
            return Outcome.RESTORED, reason
        raise
    if verdict.action is Action.WAIT:
        reason = f"{_down(rollout)}{verdict.reason}; {restore(rollout)}"
        rollout.end(Outcome.RESTORED, reason)
        return Outcome.RESTORED, reason
    if verdict.action is not Action.PROMOTE:
        unsigned = rollout.condemn(rollout.version.digest, verdict.reason)
        said = "; ".join(filter(None, (restore(rollout), unsigned)))
        reason = f"{_down(rollout)}{verdict.reason}; {said}"
        rollout.end(Outcome.ROLLED_BACK, reason)
        return Outcome.ROLLED_BACK, reason
    reason = f"{_down(rollout)}{verdict.reason}{_drained(rollout)}"
    rollout.end(Outcome.PROMOTED, reason)
    return Outcome.PROMOTED, reason


def _down(rollout: Rollout) -> str:
    """Begin the reason with a downtime that was too long: whoever reads one line must read that."""
    return f"{rollout.too_long_down}; " if rollout.too_long_down else ""


def _drained(rollout: Rollout) -> str:
    """Drain the old slot. The new version serves and was judged good: trouble with the old one is only told."""
    try:
        drain(rollout)
    except SlipwayError as error:
        return f"; the old slot could not be drained: {error}"
    return ""


def _move(rollout: Rollout) -> Verdict:
    install(rollout)
    migrate(rollout)
    seed(rollout)
    run_tasks(rollout)
    start_slot(rollout)
    if rollout.place.settings.strategy is Strategy.BLUE_GREEN:
        verify_preview(rollout)
    switch(rollout)
    check_public(rollout)
    return bake(rollout)


def _tell(rollout: Rollout, seen: Preflight, outcome: Outcome, reason: str) -> State[str]:
    """Report, without the lease: a server that is away may take its time here."""
    page = outcome_page(rollout, outcome, reason)
    show("outcome", page, f"{rollout.version.version} in {rollout.place.name}: {outcome}")
    tell_release(rollout, outcome, reason)
    if outcome is Outcome.PROMOTED and rollout.too_long_down:
        return Failed(name="DowntimeExceeded", message=f"{rollout.version} serves {rollout.place.name}, but {reason}")
    if outcome is Outcome.PROMOTED:
        if rollout.place.settings.production:
            out = seen.outgoing
            tell_notes(rollout.version.version, out.commits, out.more)
            tell_release_notes(rollout.version.version, rollout.version.commit, out.commits, out.more)
        return Completed(name="Promoted", message=f"{rollout.version} serves {rollout.place.name}: {reason}")
    return Failed(name="RolledBack" if outcome is Outcome.ROLLED_BACK else "Restored", message=reason)
