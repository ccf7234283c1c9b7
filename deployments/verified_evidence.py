"""What signed evidence says of one artifact, all kinds together, and whether its scans can be relied on now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deployments.environment import Environment
from evidence.bundle import Bundle
from evidence.provenance import origin_checks
from evidence.signing import Keys
from evidence.statements import Checked, Scanned, read_checks, read_scans
from evidence.store import Store
from gates.check import Check, Outcome
from gates.release.approval import Approver
from gates.release.freshness import stale_scans
from gates.scans.waivers import Waiver
from settings.pipeline import read_pipeline
from settings.waivers import read_waivers


@dataclass(frozen=True)
class Known:
    """The genuine evidence about an artifact of `commit` that counts now; `origin` are provenance and SBOM.

    `ci` are the checks that config/pipeline.toml defines. A `checks` statement may say nothing else: every other name
    is a scan's, which only a `scans` statement may say, for it has an age.
    """

    commit: str
    version: str
    checked: Checked | None
    scanned: Scanned | None
    origin: tuple[Check, ...]
    ci: frozenset[str]

    @property
    def checks(self) -> tuple[Check, ...]:
        """Return every check: those of `ci`, the scans, and what provenance and SBOM come to."""
        own = [one for one in (self.checked.checks if self.checked else ()) if one.name in self.ci]
        return (*own, *(self.scanned.checks if self.scanned else ()), *self.origin)


def read_known(store: Store, keys: Keys, digest: str, bundle: Bundle) -> Known:
    """Read and verify everything that was stated about an artifact. EvidenceError when any of it is not genuine,
    ConfigError when config/pipeline.toml is wrong.
    """
    scans = read_scans(store, keys, digest)
    return Known(
        commit=bundle.commit,
        version=bundle.version,
        checked=read_checks(store, keys, digest),
        scanned=scans[-1] if scans else None,
        origin=origin_checks(store, keys, digest, bundle),
        ci=frozenset(read_pipeline().checks),
    )


def scan_problems(place: Environment, known: Known, approvers: Sequence[Approver], now: datetime) -> list[str]:
    """Return what keeps the required scans from being relied on: absent, about another commit, too old, or resting on a
    waiver or an acceptance that does not hold any more.
    """
    contradicted = [f"{one.name}: {one.reason}" for one in known.origin if one.outcome is Outcome.FAILED]
    scanned = known.scanned
    scans = {check.name for check in (scanned.checks if scanned else ())}
    others = known.ci | {check.name for check in known.origin}
    required = [name for name in place.settings.gates if name in scans or name not in others]
    if not required:
        return contradicted
    if scanned is None:
        run = f"prefect deployment run security/nightly -p commit={known.commit[:12]}"
        return [*contradicted, f"{known.version}: no security scan was signed for this artifact; run: {run}"]
    problems = []
    if scanned.commit != known.commit:
        problems.append(f"the scans are about commit {scanned.commit[:12]}, the artifact about {known.commit[:12]}")
    limit = timedelta(hours=place.settings.max_scan_age_hours)
    if stale := stale_scans(known.version, known.commit, required, scanned.checks, scanned.at, now, limit):
        problems.append(stale)
    relied = [one for one in scanned.checks if one.name in required]
    return [*contradicted, *problems, *_withdrawn(relied), *_waiver_problems(place, scanned, relied, approvers, now)]


def _withdrawn(checks: Sequence[Check]) -> list[str]:
    unrun = [one.name for one in checks if one.outcome is Outcome.ACCEPTED_UNRUN]
    accepted = read_pipeline().scans.accepted if unrun else {}
    return [
        f"{name}: nobody ran it, and config/pipeline.toml does not accept that any more"
        for name in unrun
        if name not in accepted
    ]


def _waiver_problems(
    place: Environment, scanned: Scanned, checks: Sequence[Check], approvers: Sequence[Approver], now: datetime
) -> list[str]:
    marks = {finding.fingerprint for check in checks for finding in check.findings}
    used = {waiver.fingerprint: waiver for mark, waiver in scanned.waived.items() if mark in marks}
    written = read_waivers().waivers if used else ()
    found = [_waiver_problem(place, waiver, waiver in written, approvers, now) for waiver in used.values()]
    return [f"waiver {mark}: {why}" for mark, why in zip(used, found, strict=True) if why]


def _waiver_problem(
    place: Environment, waiver: Waiver, written: bool, approvers: Sequence[Approver], now: datetime
) -> str:
    if waiver.expires < now.astimezone(UTC).date():
        return f"it expired on {waiver.expires}"
    if not written:
        return "it does not stand in config/waivers.toml any more"
    person = next((one for one in approvers if one.name == waiver.approver), None)
    if person is None:
        return f"{waiver.approver} is not named in config/approvers.toml any more"
    if place.settings.approval == "required" and place.name not in person.environments:
        return f"{person.name} may not decide about {place.name}"
    return ""
