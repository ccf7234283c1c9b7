"""A version that may go out: its artifact and its evidence, read and verified once and then passed on as an object.

Nothing after `read_candidate` looks the digest up again. A candidate is not kept across a wait for a person: preflight
reads it anew under the lease.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployments.place import Place
from evidence.bundle import Bundle, read_bundle, verify_bundle
from evidence.provenance import origin_checks
from evidence.statements import Checked, Scanned, read_checks, read_scans
from evidence.store import Store
from gates.baseline import FILE, number
from gates.check import Check, Outcome
from gates.migrations.steps import Step, pending
from gates.release.approval import Approver
from gates.release.freshness import stale_scans
from gates.release.operation import Live, Version
from gates.scans.waivers import Waiver
from settings.baseline import read_baseline
from settings.pipeline import read_pipeline
from settings.waivers import prove_waivers, read_waivers


@dataclass(frozen=True)
class Artifact:
    """A bundle and its digest, which was compared with the bundle's manifest."""

    digest: str
    bundle: Bundle

    @property
    def version(self) -> Version:
        """Return its digest, version and commit, as the journal names it."""
        return Version(self.digest, self.bundle.version, self.bundle.commit)


def read_artifact(store: Store, digest: str) -> Artifact:
    """Return an artifact. Raises ArtifactError if its manifest is missing or changed; its blobs are not looked at."""
    return Artifact(digest, read_bundle(store, digest))


def verify_artifact(store: Store, digest: str) -> Artifact:
    """Return an artifact. Raises ArtifactError if a byte of it is missing or changed."""
    return Artifact(digest, verify_bundle(store, digest))


@dataclass(frozen=True)
class Evidence:
    """The genuine evidence about an artifact that counts now; `origin` are the checks of provenance and SBOM.

    `ci` are the checks that config/pipeline.toml defines. A `checks` statement may say nothing else: every other name
    is a scan's, which only a `scans` statement may say, for it has an age.
    """

    checked: Checked | None
    scanned: Scanned | None
    origin: tuple[Check, ...]
    ci: frozenset[str]

    @property
    def checks(self) -> tuple[Check, ...]:
        """Return every check: those of `ci`, the scans, and the results of provenance and SBOM."""
        own = [one for one in (self.checked.checks if self.checked else ()) if one.name in self.ci]
        return (*own, *(self.scanned.checks if self.scanned else ()), *self.origin)


@dataclass(frozen=True)
class Candidate(Artifact):
    """An artifact of which every byte was verified, with its evidence."""

    evidence: Evidence


def read_candidate(place: Place, digest: str) -> Candidate:
    """Read and verify an artifact and everything that was stated about it.

    Raises ArtifactError if a byte of it is missing or changed, EvidenceError if a statement is not genuine,
    ConfigError if config/pipeline.toml is wrong.
    """
    store, keys = place.store, place.keys
    bundle = verify_bundle(store, digest)
    scans = read_scans(store, keys, digest)
    evidence = Evidence(
        checked=read_checks(store, keys, digest),
        scanned=scans[-1] if scans else None,
        origin=origin_checks(store, keys, digest, bundle),
        ci=frozenset(read_pipeline().checks),
    )
    return Candidate(digest, bundle, evidence)


def new_migrations(store: Store, live: Live | None, artifact: Artifact) -> tuple[Step, ...]:
    """Return the migrations that an artifact brings beyond what is live; none to an empty environment."""
    if live is None:
        return ()
    before = read_artifact(store, live.version.digest).bundle
    return tuple(pending(artifact.bundle.migrations or (), before.migrations or ()))


def scan_problems(place: Place, candidate: Candidate, approvers: Sequence[Approver], now: datetime) -> list[str]:
    """Return what keeps the required scans from being relied on: absent, about another commit, too old, or resting on a
    waiver or an acceptance that does not hold any more.
    """
    commit, version = candidate.bundle.commit, candidate.bundle.version
    contradicted = [f"{one.name}: {one.reason}" for one in candidate.evidence.origin if one.outcome is Outcome.FAILED]
    scanned = candidate.evidence.scanned
    scans = {check.name for check in (scanned.checks if scanned else ())}
    others = candidate.evidence.ci | {check.name for check in candidate.evidence.origin}
    required = [name for name in place.settings.gates if name in scans or name not in others]
    if not required:
        return contradicted
    if scanned is None:
        run = f"prefect deployment run security/nightly -p commit={commit[:12]}"
        return [*contradicted, f"{version}: no security scan was signed for this artifact; run: {run}"]
    problems = []
    if scanned.commit != commit:
        problems.append(f"the scans are about commit {scanned.commit[:12]}, the artifact about {commit[:12]}")
    limit = timedelta(hours=place.settings.max_scan_age_hours)
    if stale := stale_scans(version, commit, required, scanned.checks, scanned.at, now, limit):
        problems.append(stale)
    relied = [one for one in scanned.checks if one.name in required]
    return [*contradicted, *problems, *_withdrawn(relied), *_waiver_problems(place, scanned, relied, approvers, now)]


def relied_problems(place: Place, candidate: Candidate, approvers: Sequence[Approver], now: datetime) -> list[str]:
    """Return what keeps the required checks from being relied on now: of the scans, and of the baseline."""
    problems = scan_problems(place, candidate, approvers, now)
    return [*problems, *baseline_problems(place, candidate, approvers, now)]


def baseline_problems(place: Place, candidate: Candidate, approvers: Sequence[Approver], now: datetime) -> list[str]:
    """Return what keeps a required check from resting on the baseline any more: a file that is not its approver's
    signed word as it stands now, a due date that passed since, a finding that was taken out of it, or an approver who
    may not decide about this environment.
    """
    checks = [one for one in candidate.evidence.checks if one.name in place.settings.gates and one.known]
    if not checks:
        return []
    baseline = read_baseline(approvers)
    if baseline.trouble:
        names = ", ".join(check.name for check in checks)
        return [f"{names}: not passed without {FILE}, which does not count: {baseline.trouble}"]
    today = now.astimezone(UTC).date()
    due = {(entry.check, entry.fingerprint): entry.due for entry in baseline.entries}
    problems = []
    for check in checks:
        dates = [(one, due.get((check.name, one.fingerprint))) for one in check.known]
        if overdue := sum(one.count for one, day in dates if one.due < today or (day and day < today)):
            problems.append(
                f"{check.name}: {number(overdue)} overdue by {FILE}; mend what is overdue, and run ci again"
            )
        if absent := sum(one.count for one, day in dates if day is None):
            problems.append(f"{check.name}: {number(absent)} not in {FILE} any more, which held them back")
    people = dict.fromkeys(one.approver for check in checks for one in check.known)
    return [*problems, *(f"{FILE}: {why}" for name in people if (why := _may_not(place, name, approvers)))]


def _withdrawn(checks: Sequence[Check]) -> list[str]:
    unrun = [one.name for one in checks if one.outcome is Outcome.ACCEPTED_UNRUN]
    accepted = read_pipeline().scans.accepted if unrun else {}
    return [
        f"{name}: nobody ran it, and config/pipeline.toml does not accept that any more"
        for name in unrun
        if name not in accepted
    ]


def _waiver_problems(
    place: Place, scanned: Scanned, checks: Sequence[Check], approvers: Sequence[Approver], now: datetime
) -> list[str]:
    marks = {finding.fingerprint for check in checks for finding in check.findings}
    used = {waiver.fingerprint: waiver for mark, waiver in scanned.waived.items() if mark in marks}
    written = read_waivers().waivers if used else ()
    proofs = prove_waivers([waiver for waiver in used.values() if waiver in written], approvers)
    found = [
        _waiver_problem(place, waiver, waiver in written, approvers, now) or proofs[mark].trouble
        for mark, waiver in used.items()
    ]
    return [f"waiver {mark}: {why}" for mark, why in zip(used, found, strict=True) if why]


def _waiver_problem(place: Place, waiver: Waiver, written: bool, approvers: Sequence[Approver], now: datetime) -> str:
    if waiver.expires < now.astimezone(UTC).date():
        return f"it expired on {waiver.expires}"
    if not written:
        return "it does not stand in config/waivers.toml any more"
    return _may_not(place, waiver.approver, approvers)


def _may_not(place: Place, name: str, approvers: Sequence[Approver]) -> str:
    """Return why an approver's word does not count for an environment, "" when it does."""
    person = next((one for one in approvers if one.name == name), None)
    if person is None:
        return f"{name} is not named in config/approvers.toml any more"
    if place.settings.approval == "required" and place.name not in person.environments:
        return f"{person.name} may not decide about {place.name}"
    return ""
