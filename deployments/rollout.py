"""The steps that change an environment, and the way back. No Prefect: `make rollback` and recovery use the same.

Intent is journaled before each effect. Every step may be repeated by the next process after a crash at any point:
recovery decides from the journal alone (gates/release/recovery.py).
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from control.signing_keys import signing_keys
from deployments.bake import bake
from deployments.candidate import Artifact, new_migrations, read_artifact
from deployments.environment import Environment
from deployments.fitness import Fitness
from deployments.instance import Instance
from deployments.journal import entries
from deployments.journal.lease import Lease
from deployments.router.router import PREVIEW_HEADER, DrainResult
from deployments.runtimes import Runtime
from deployments.runtimes.layout import Installed, app_secrets, smoke
from deployments.runtimes.one_off import NO_SEED
from deployments.slots import publish, restore, start_slot, stop_slot
from deployments.withdrawals import withdraw
from evidence.signing import Keys
from evidence.statements import Kind, Promoted, state
from gates.migrations.steps import Step, unsafe
from gates.release.analysis import SlotCounters
from gates.release.downtime import exceeded
from gates.release.operation import Live, OperationKind, Outcome, Version
from gates.verdict import Action, Verdict
from host.errors import ArtifactError, HealthError, SlipwayError, ToolError
from host.probe import await_healthy
from settings.environment import Strategy

NOTICED_S = 0.3


@dataclass
class Rollout:
    """One release or rollback while it changes an environment. Made by `begin`, under the lease."""

    place: Environment
    lease: Lease
    artifact: Artifact
    kind: OperationKind
    id: str
    slot: str
    before: Live | None
    seconds: dict[str, float] = field(default_factory=dict)
    baseline: tuple[SlotCounters, SlotCounters] | None = None
    first_reading: SlotCounters | None = None
    downtime_from: float | None = None
    signer: Keys | None = None
    down_s: float = 0.0

    @classmethod
    def begin(
        cls, place: Environment, lease: Lease, artifact: Artifact, kind: OperationKind, run: str = ""
    ) -> "Rollout":
        """Journal the intent. The place must have been reconciled under this lease.

        EvidenceError, before anything is written, when a release could not be signed for at its end.
        """
        signer = signing_keys(place.home) if kind == OperationKind.RELEASE else None
        if signer:
            signer.prove(place.name)
        ledger = place.ledger()
        slot = ledger.idle_slot
        rollout = cls(place, lease, artifact, kind, uuid.uuid4().hex[:12], slot, ledger.live, signer=signer)
        place.preview_secret(renew=True)
        before = entries.LiveData.of(ledger.live)
        rollout._write(
            entries.OperationBegun(
                id=rollout.id, operation=kind, slot=slot, run=run, before=before, **asdict(artifact.version)
            )
        )
        rollout.first_reading = rollout._reading()
        return rollout

    @property
    def version(self) -> Version:
        return self.artifact.version

    @property
    def runtime(self) -> Runtime:
        return self.place.runtime

    @property
    def too_long_down(self) -> str:
        """Return what to say when nothing served for longer than the environment allows; else nothing."""
        return exceeded(self.down_s, self.place.settings.max_downtime_seconds)

    @cached_property
    def instance(self) -> Instance:
        """Return the start of the slot that is judged: the one that ran when this was asked first."""
        return Instance.now(self.place, self.slot, self.place.ledger().slots[self.slot].endpoints)

    def refuse_another(self) -> None:
        """Raises HealthError if what answers in the slot is not what was started there, or was started again."""
        if problem := self.instance.problem():
            raise HealthError(f"the new process is gone: {problem}")

    @cached_property
    def installed(self) -> Installed:
        return self.runtime.installed(self.artifact)

    def _write(self, event: entries.Event) -> None:
        self.place.journal.append(event, self.lease.epoch)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step and journal how long it took, once it went well."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)
        self._write(entries.StepEnded(name=name, seconds=self.seconds[name]))

    def install(self) -> str:
        """Lay the artifact out on this host. Changes nothing that runs."""
        with self.step("install"):
            self.runtime.install(self.artifact)
            return f"{self.version} is verified and laid out"

    def migrate(self) -> str:
        """Bring the database's schema up to the new version's. Never undone by a restore: migrations expand."""
        with self.step("migrate"):
            unsafe = self._left_behind()
            self._write(entries.Migrating(digest=self.version.digest, unsafe=unsafe))
            try:
                said = self.runtime.migrate(self.installed, self.lease)
            except SlipwayError:
                # Where its transactions make a migration that failed one that never happened; see host/errors.py.
                if self.runtime.database.undoes_failures:
                    self._write(entries.MigrationFailed(digest=self.version.digest, unsafe=unsafe))
                raise
            self._write(entries.Migrated(digest=self.version.digest))
            return said

    def seed(self) -> str:
        """Fill the database with the kind of data that the environment is to have, once in its life."""
        kind = self.place.settings.seed
        if not kind or kind in self.place.ledger().seeded:
            return f"{kind} data was seeded before" if kind else "no data is wanted here (SEED)"
        if self.artifact.bundle.run.seed is None:
            return NO_SEED
        with self.step("seed"):
            self._write(entries.Seeding(seed=kind, digest=self.version.digest))
            said = self.runtime.seed(self.installed, kind, self.lease)
            self._write(entries.Seeded(seed=kind, digest=self.version.digest, said=said[:500]))
            return said

    def run_tasks(self) -> str:
        """Run what the artifact wants done once in a release, before it serves; a rollback does not run it again.

        Its containers do not outlive an interruption: recovery ends them, then restores what was live.
        """
        orchestrator = self.runtime.orchestrator
        if orchestrator is None:
            return "this runtime has no tasks"
        with self.step("tasks"):
            return orchestrator.run_tasks(self.installed, self.lease)

    def start(self) -> str:
        """Start the new version in the idle slot and wait until it is healthy. `direct` first stops the old one."""
        with self.step("start"):
            if self.place.settings.strategy is Strategy.DIRECT and self.before:
                self.downtime_from = time.monotonic()
                stop_slot(self.place, self.lease, self.before.slot)
            said = start_slot(self.place, self.lease, self.slot, self.artifact)
            self.refuse_another()
            return said

    def verify(self) -> str:
        """Publish the preview route; check health, smoke tests, times, memory and processor through it."""
        with self.step("verify"):
            publish(self.place, self.lease, self.before, preview=self.slot)
            return self._check({PREVIEW_HEADER: self.place.preview_secret()}, preview=True)

    def switch(self) -> str:
        """Send all traffic to the new version, confirmed by the router."""
        with self.step("switch"):
            self.refuse_another()
            self.baseline = self._window_before()
            seconds = publish(self.place, self.lease, Live(self.version, self.slot, datetime.now(UTC)))
            self._end_downtime()
            return f"written and confirmed in {seconds * 1000:.1f} ms"

    def check_public(self) -> str:
        """Run health and smoke tests again, through the public route."""
        with self.step("check"):
            return self._check({}, preview=False)

    def bake(self) -> Verdict:
        """Watch the router's figures for the new version until they allow a judgement, and journal it."""
        with self.step("bake"):
            began = datetime.now(UTC)
            verdict, failed = bake(self.place, self.instance, self.artifact.bundle.run, self.baseline)
            if verdict.action is Action.ROLL_BACK and (death := self._death(failed > 0)):
                known = death in verdict.reason
                verdict = Verdict(verdict.action, verdict.reason if known else f"{verdict.reason}; {death}")
            elif verdict.action is Action.ROLL_BACK and (why := self._restarted_from_outside(began)):
                raise ToolError(f"{verdict.reason}, but {why}: nothing is known of {self.version}")
            self._write(entries.VersionJudged(action=verdict.action, reason=verdict.reason))
            return verdict

    def _restarted_from_outside(self, since: datetime) -> str | None:
        """Return why the slot was restarted from outside; a supervisor of ours restarts only what died."""
        orchestrator = self.runtime.orchestrator
        return orchestrator.restarted_from_outside(self.slot, since) if orchestrator else None

    def _death(self, silent: bool) -> str | None:
        """Return why the slot's process is gone. Of one that died just now its keeper learns a moment later."""
        death = self.instance.gone()
        if death is None and silent:
            time.sleep(NOTICED_S)
            death = self.instance.gone()
        return death

    def drain(self) -> str:
        """Let the old slot finish its requests, then close what is still open there at the deadline: streams, mostly.

        A rollback stops the slot. A release keeps it warm: for that its process is restarted, unless it was idle.
        """
        old = self.before.slot if self.before else None
        if old is None or not self.place.ledger().slots[old].running:
            return "no old version is running"
        with self.step("drain"):
            result = self.place.router.drain(old, self.place.settings.drain_seconds)
            if self.kind == OperationKind.ROLLBACK:
                stop_slot(self.place, self.lease, old)
            elif not result.clean:
                self.runtime.restart(old)
        return _drained(result)

    def condemn(self, digest: str, reason: str) -> str:
        """Write down that a version is bad, and sign it: it is never a target again, here or in what comes after.

        Return "", or why it could not be signed.
        """
        self._write(entries.VersionCondemned(digest=digest, reason=reason))
        return withdraw(self.place, digest, reason, self.signer)

    def end(self, outcome: Outcome, reason: str) -> None:
        """Write down how it ended; a promotion is also signed for the environments after this one."""
        if outcome == Outcome.PROMOTED and self.kind == OperationKind.RELEASE:
            promoted = Promoted(
                environment=self.place.name,
                version=self.version.version,
                commit=self.version.commit,
                at=datetime.now(UTC),
                release=self.id,
            )
            keys = self.signer or signing_keys(self.place.home)
            state(self.place.store, keys, self.version.digest, self.place.app, Kind.PROMOTION, promoted)
        self._write(entries.OperationEnded(id=self.id, outcome=outcome, reason=reason))

    def restore(self) -> str:
        """Bring back what was live when this began: its slot, its traffic. RestoreError outranks every other error."""
        said = restore(self.place, self.lease, self.before)
        self._end_downtime()
        return said

    def _left_behind(self) -> dict[str, str]:
        """Return the versions that this one's migrations leave no way back to, each with the reason."""
        ledger = self.place.ledger()
        news = new_migrations(self.place.store, self.before, self.artifact)
        others = {*ledger.promoted} - {self.artifact.digest, *ledger.unsafe}
        return unsafe(news, {digest: _migrations(self.place, digest) for digest in others})

    def _check(self, headers: Mapping[str, str], *, preview: bool) -> str:
        run = self.artifact.bundle.run
        rules = self.place.health_rules(run)
        headers = {**rules.headers, **headers}
        timeout_s = self.place.settings.health_timeout_seconds
        instance = self.instance
        health = await_healthy(
            self.place.url, run.health, timeout_s, headers, instance.gone, holds=instance.holds, rules=rules
        )
        fitness = Fitness(self.place, self.slot, self.artifact.bundle) if self._is_measured(preview) else None
        secrets = app_secrets(self.place, self.runtime.database.secrets())
        said = smoke(self.place, self.installed, headers, self.lease, secrets)
        found = f"{health}; smoke: {said}" + (f"; fit: {fitness.judge(headers)}" if fitness else "")
        self.refuse_another()
        return found

    def _is_measured(self, preview: bool) -> bool:
        """Say whether figures count here: once in a release, in the preview where there is one.

        Never in a rollback: what is gone back to served before, and a slow version is better than a broken one.
        """
        return self.kind == OperationKind.RELEASE and preview is (self.place.settings.strategy is Strategy.BLUE_GREEN)

    def _reading(self) -> SlotCounters | None:
        return self.place.router.counters().get(self.before.slot, SlotCounters()) if self.before else None

    def _window_before(self) -> tuple[SlotCounters, SlotCounters] | None:
        now = self._reading()
        return (self.first_reading, now) if self.first_reading and now else None

    def _end_downtime(self) -> None:
        if self.downtime_from is not None:
            down_s = round(time.monotonic() - self.downtime_from, 3)
            self.down_s += down_s
            self._write(entries.StepEnded(name="down", seconds=down_s, downtime_s=down_s))
            self.downtime_from = None


def _migrations(place: Environment, digest: str) -> Sequence[Step]:
    """Return an artifact's migrations; none of one that the store has no more, which is no target anyway."""
    try:
        return read_artifact(place.store, digest).bundle.migrations or ()
    except ArtifactError:
        return ()


def _drained(result: DrainResult) -> str:
    if result.clean:
        return f"the old slot had no request left after {result.seconds:.2f} s"
    return f"{result.still_active} requests were still open after {result.seconds:.1f} s and were closed"
