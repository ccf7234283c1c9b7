"""May this version go there? Every way in which evidence can be wrong stops it before the first effect."""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deployments import candidate as known
from deployments import preflight
from deployments.candidate import read_artifact
from deployments.environment import Environment
from deployments.preflight import Preflight, choose_version, policy_of
from evidence.bundle import Bundle, blobs
from evidence.provenance import make_provenance, sign_origin
from evidence.sbom import make_bom
from evidence.signing import Keys
from evidence.statements import Checked, Kind, Promoted, Scanned, state
from evidence.store import Store
from gates.baseline import FILE, Baseline, Entry, Known
from gates.check import Check, Outcome
from gates.findings import Severity
from gates.release.approval import Approver
from gates.scans.waivers import Proof, Refused, Waiver
from gates.verdict import Action
from host.errors import ArtifactError, EvidenceError
from host.home import CHECKOUT, Home
from host.sandbox.run import Isolation, available
from settings.baseline import read_baseline, write_baseline
from settings.pipeline import Pipeline, read_pipeline
from settings.targets import Target
from settings.waivers import Written, prove_waivers
from tasks.scans import all_scans
from tests.evidence.artifacts import artifact
from tests.gates.findings import vulnerability

GATES = "unit,dependency,secrets,provenance,sbom"
# Nothing else knows `novel`: what is a scan, the signed evidence says.
SCANS = ("dependency", "secrets", "sast", "novel", "security-score")
# Nothing here knows `novel`: what is a scan, the signed evidence says.
SCANS = ("dependency", "secrets", "sast", "novel", "security-score")
NOW = datetime.now(UTC)
OLD_COMMIT = "b01d" + "a" * 36
HIGH = vulnerability()
WAIVER = Waiver(
    fingerprint=HIGH.fingerprint,
    approver="Robin",
    reason="the function is never reached",
    expires=(NOW + timedelta(days=9)).date(),
)


class Case:
    """An environment that is up, and an artifact for it with all evidence, a part of which a test then spoils."""

    def __init__(self, place: Environment) -> None:
        self.place = place
        self.digest, self.bundle = artifact(place.store)

    def say_everything(self, keys: Keys | None = None) -> None:
        self.say_checks(keys)
        self.say_scans(keys=keys)
        self.say_origin(keys)

    def say_checks(self, keys: Keys | None = None, *checks: Check, **more: Any) -> None:
        fields: dict[str, Any] = {
            "commit": self.bundle.commit,
            "version": "v1",
            "branch": "main",
            "clean": True,
            "isolation": str(available()),
            "at": NOW,
            "run": "run-1",
            "checks": checks or (passed("unit"),),
        }
        said = Checked(**{**fields, **more})
        state(self.place.store, keys or self.place.keys, self.digest, "assistant", Kind.CHECKS, said)

    def say_newer_checks(self, **more: Any) -> None:
        self.say_checks(at=NOW + timedelta(seconds=1), **more)

    def say_promoted(self, environment: str, digest: str = "", hours_ago: float = 1) -> None:
        at = NOW - timedelta(hours=hours_ago)
        said = Promoted(environment=environment, version="v1", commit=self.bundle.commit, at=at, release="r1")
        state(self.place.store, self.place.keys, digest or self.digest, "assistant", Kind.PROMOTION, said)

    def set(self, **changed: Any) -> None:
        """Open the environment again with other settings."""
        self.place = reopened(self.place, settings=self.place.settings.model_copy(update=changed))

    def serve(self, digest: str, slot: str = "blue") -> None:
        """Have the journal say that an artifact is live."""
        self.begin(digest)
        live = {"digest": digest, "version": "v0", "commit": OLD_COMMIT, "slot": slot}
        self.place.journal.write("routed", {"routing": {"version": "e1-1"}, "live": live})
        self.place.journal.write("end", {"id": digest, "outcome": "promoted", "reason": "good"})

    def begin(self, digest: str) -> None:
        """Have the journal say that a release of an artifact was begun."""
        data = {"id": digest, "operation": "release", "slot": "blue", "run": ""}
        self.place.journal.write("begin", {**data, "digest": digest, "version": "v0", "commit": OLD_COMMIT})

    def other(self, commit: str = OLD_COMMIT) -> str:
        """Store another artifact, newer than the first; return its digest."""
        digest, _ = artifact(self.place.store, commit, version="v0")
        artifacts = self.place.store.root / "artifacts"
        later = (artifacts / f"{self.digest}.json").stat().st_mtime + 60
        os.utime(artifacts / f"{digest}.json", (later, later))
        return digest

    def say_scans(self, *checks: Check, keys: Keys | None = None, hours: float = 1, **more: Any) -> None:
        fields: dict[str, Any] = {
            "commit": self.bundle.commit,
            "version": "v1",
            "branch": "main",
            "at": datetime.now(UTC) - timedelta(hours=hours),
            "run": "run-2",
            "checks": checks or tuple(passed(name) for name in SCANS),
        }
        state(
            self.place.store,
            keys or self.place.keys,
            self.digest,
            "assistant",
            Kind.SCANS,
            Scanned(**{**fields, **more}),
        )

    def say_origin(self, keys: Keys | None = None, bundle: Bundle | None = None) -> None:
        said = make_provenance(bundle or self.bundle, "/srv/app", "p" * 64, "run-1", NOW, NOW, "builder")
        bom = make_bom(self.place.store, self.digest, self.bundle)
        sign_origin(self.place.store, keys or self.place.keys, self.digest, self.bundle, said, bom)

    def look(self) -> Preflight:
        return preflight.preflight(self.place, self.digest)

    def stopped(self) -> str:
        verdict = self.look().verdict
        assert verdict.action is Action.STOP
        return verdict.reason


def reopened(place: Environment, **changed: Any) -> Environment:
    """Return the same environment opened anew, under the supervisor that runs already: to start one takes long."""
    opened = replace(place, **changed)
    opened.__dict__["supervisor"] = place.supervisor
    return opened


def passed(name: str, outcome: Outcome = Outcome.PASSED, **more: Any) -> Check:
    return Check(name=name, outcome=outcome, reason="looked", **more)


@pytest.fixture(scope="module")
def place() -> Iterator[Environment]:
    with tempfile.TemporaryDirectory(prefix="slipway-preflight-") as folder:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLIPWAY_DEVELOPMENT_REQUIRED_GATES", GATES)
            patch.setenv("SLIPWAY_DEVELOPMENT_APPROVAL", "required")
            patch.setenv("SLIPWAY_DEVELOPMENT_ALLOWED_BRANCHES", "*")
            patch.setenv("SLIPWAY_DEVELOPMENT_REQUIRED_ISOLATION", str(available()))
            made = Environment.open(Target("development"), "assistant", Home(Path(folder)))
        made.directory.mkdir(parents=True)
        made.supervisor.up()
        try:
            yield made
        finally:
            made.supervisor.down()


@pytest.fixture
def case(place: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    place = reopened(place, home=Home(tmp_path))
    place.directory.mkdir(parents=True)
    place.keys.create()
    robin = Approver("Robin", ("robin@example.com",), ("development", "production"))
    monkeypatch.setattr(preflight, "read_approvers", lambda: [robin])
    monkeypatch.setattr(known, "read_waivers", lambda: Written((WAIVER,), ()))
    monkeypatch.setattr(
        known, "prove_waivers", lambda waivers, _: {one.fingerprint: Proof(added=NOW) for one in waivers}
    )
    return Case(place)


def test_all_evidence_good_and_fresh_promotes(case: Case) -> None:
    case.say_everything()
    seen = case.look()
    assert seen.verdict.action is Action.PROMOTE, seen.verdict.reason
    assert {"unit", "dependency", "provenance", "sbom"} <= {one.name for one in seen.checks}
    assert seen.scanned and seen.scanned.run == "run-2"


def test_a_changed_artifact_stops_it(case: Case) -> None:
    case.say_everything()
    wheel = case.place.store.root / "blobs" / "sha256" / next(iter(case.bundle.wheels.values()))
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match="changed since it was stored"):
        case.look()


class CountingStore(Store):
    """A store that counts how often each manifest and blob is read and hashed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: Counter[str] = Counter()

    def manifest(self, digest: str) -> bytes:
        self.reads[digest] += 1
        return super().manifest(digest)

    def verify_blob(self, digest: str) -> None:
        self.reads[digest] += 1
        super().verify_blob(digest)


@pytest.mark.parametrize("approval", ["required", "none"])
def test_every_byte_is_read_once_and_the_live_manifest_too(case: Case, approval: str) -> None:
    case.set(approval=approval)
    case.say_everything()
    live = case.other()
    case.serve(live)
    case.place.__dict__["store"] = counting = CountingStore(case.place.store.root)
    assert case.look().verdict.action is Action.PROMOTE
    assert counting.reads == dict.fromkeys([case.digest, live, *blobs(case.bundle)], 1)


def test_what_was_changed_after_the_question_is_refused_by_the_second_look(case: Case) -> None:
    case.say_everything()
    assert case.look().verdict.action is Action.PROMOTE
    (case.place.store.root / "blobs" / "sha256" / case.bundle.source).write_bytes(b"another")
    with pytest.raises(ArtifactError, match="changed since it was stored"):
        case.look()


@pytest.mark.parametrize("kind", [Kind.CHECKS, Kind.SCANS, Kind.PROVENANCE, Kind.SBOM])
def test_changed_evidence_of_any_kind_stops_it(case: Case, kind: Kind) -> None:
    case.say_everything()
    (file,) = (case.place.store.root / "statements" / case.digest).glob(f"{kind}-*.json")
    envelope = json.loads(file.read_text())
    envelope["payload"] = envelope["payload"][:-8] + "AAAAAAA="
    file.write_text(json.dumps(envelope))
    with pytest.raises(EvidenceError, match="evidence"):
        case.look()


@pytest.mark.parametrize("kind", ["say_checks", "say_scans", "say_origin"])
def test_evidence_of_another_key_stops_it(case: Case, tmp_path: Path, kind: str) -> None:
    case.say_everything()
    stranger = Keys(tmp_path / "stranger")
    stranger.create()
    getattr(case, kind)(keys=stranger)
    with pytest.raises(EvidenceError, match="not signed by a trusted key"):
        case.look()


def test_missing_scans_stop_it_and_the_command_is_told(case: Case) -> None:
    case.say_checks()
    case.say_origin()
    said = f"run: prefect deployment run security/nightly -p commit={case.bundle.commit[:12]}"
    assert f"no security scan was signed for this artifact; {said}" in case.stopped()


def test_a_scan_that_is_missing_among_others_stops_it(case: Case) -> None:
    case.say_everything()
    case.say_scans(passed("secrets"), hours=0)
    assert "dependency: absent from the evidence" in case.stopped()


def test_what_ci_says_of_scans_counts_for_nothing(case: Case) -> None:
    case.say_origin()
    case.say_checks(None, passed("unit"), passed("dependency"), passed("secrets"))
    assert "dependency: absent" in case.stopped() and "no security scan" in case.stopped()


@pytest.mark.parametrize(("hours", "said"), [(23.9, ""), (24.1, "24 h old, limit 24 h"), (-1, "in the future")])
def test_stale_scans_stop_it(case: Case, hours: float, said: str) -> None:
    case.say_checks()
    case.say_origin()
    case.say_scans(hours=hours)
    if said:
        assert said in case.stopped()
    else:
        assert case.look().verdict.action is Action.PROMOTE


@pytest.mark.parametrize("scan", sorted({*all_scans(), *SCANS}))
def test_every_scan_that_is_required_must_be_there_fresh_and_without_a_waiver_that_is_gone(
    case: Case, scan: str
) -> None:
    case.set(required_gates=f"unit,{scan}")
    case.say_checks(None, passed("unit"), passed(scan))
    case.say_origin()
    assert "no security scan was signed" in case.stopped() and f"{scan}: absent from the evidence" in case.stopped()
    case.say_scans(passed(scan), hours=7200)
    assert f"{scan} scan is 7200 h old, limit 24 h" in case.stopped()
    case.say_scans(passed(scan))
    assert case.look().verdict.action is Action.PROMOTE
    gone = WAIVER.model_copy(update={"reason": "another reason than the one in the file"})
    case.say_scans(passed(scan, findings=(HIGH,)), hours=0, waived={HIGH.fingerprint: gone})
    assert "it does not stand in config/waivers.toml any more" in case.stopped()
    case.say_scans(passed(scan, Outcome.ACCEPTED_UNRUN), hours=0)
    accepted = scan in read_pipeline(CHECKOUT / "config" / "pipeline.toml").scans.accepted
    assert accepted or f"{scan}: nobody ran it" in case.stopped()


def test_a_scan_that_is_also_a_check_of_the_pipeline_must_be_fresh_all_the_same(case: Case) -> None:
    case.set(required_gates="unit")
    case.say_checks()
    case.say_origin()
    case.say_scans(passed("unit"), hours=25)
    assert "unit scan is 25 h old" in case.stopped()


def test_the_newest_scan_counts(case: Case) -> None:
    case.say_everything()
    case.say_scans(passed("dependency", Outcome.FAILED), passed("secrets"), hours=0)
    assert "dependency: failed (looked)" in case.stopped()


def test_scans_of_another_commit_stop_it(case: Case) -> None:
    case.say_everything()
    case.say_scans(hours=0, commit="d" * 40)
    assert "the scans are about commit dddddddddddd" in case.stopped()


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.NO_VERDICT, Outcome.SKIPPED])
def test_a_required_scan_that_did_not_pass_stops_it(case: Case, outcome: Outcome) -> None:
    case.say_everything()
    case.say_scans(passed("dependency"), passed("secrets", outcome), hours=0)
    assert f"secrets: {outcome}" in case.stopped()


def test_missing_provenance_stops_it(case: Case) -> None:
    case.say_checks()
    case.say_scans()
    assert "provenance: skipped" in case.stopped() and "sbom: skipped" in case.stopped()


def test_provenance_of_another_build_stops_it(case: Case) -> None:
    case.say_everything()
    case.say_origin(bundle=case.bundle.model_copy(update={"lock": "0" * 64}))
    assert "provenance: it does not say how this was built" in case.stopped()


def test_accepted_unrun_promotes_and_is_said_loudly(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.say_everything()
    case.say_scans(passed("dependency", Outcome.ACCEPTED_UNRUN), passed("secrets"), hours=0)
    accepts = read_pipeline(CHECKOUT / "config" / "pipeline.toml").model_dump()
    accepts["scans"]["accepted"] = {}
    monkeypatch.setattr(known, "read_pipeline", lambda: Pipeline.model_validate(accepts))
    assert "nobody ran it, and config/pipeline.toml does not accept that any more" in case.stopped()
    accepts["scans"]["accepted"] = {"dependency": "this machine has no internet"}
    monkeypatch.setattr(known, "read_pipeline", lambda: Pipeline.model_validate(accepts))
    verdict = case.look().verdict
    assert verdict.action is Action.PROMOTE and "NOBODY LOOKED AT: dependency" in verdict.reason


def waived(case: Case, waiver: Waiver = WAIVER) -> None:
    case.say_everything()
    case.say_scans(
        passed("dependency", findings=(HIGH,)), passed("secrets"), hours=0, waived={HIGH.fingerprint: waiver}
    )


def test_a_waiver_that_still_holds_promotes(case: Case) -> None:
    waived(case)
    assert case.look().verdict.action is Action.PROMOTE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expires": (NOW - timedelta(days=1)).date()}, "it expired on"),
        ({"reason": "another reason than the one in the file"}, "it does not stand in config/waivers.toml any more"),
    ],
)
def test_a_waiver_that_does_not_hold_any_more_stops_it(case: Case, change: dict[str, Any], said: str) -> None:
    waived(case, WAIVER.model_copy(update=change))
    assert f"waiver {HIGH.fingerprint}: {said}" in case.stopped()


def test_a_waiver_whose_signature_does_not_hold_any_more_stops_it(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    waived(case)
    monkeypatch.setattr(known, "prove_waivers", prove_waivers)
    assert f"waiver {HIGH.fingerprint}: it is not committed" in case.stopped()


@pytest.mark.parametrize(
    ("approver", "said"),
    [
        (Approver("Sasha", (), ("development",)), "Robin is not named in config/approvers.toml any more"),
        (Approver("Robin", (), ("staging",)), "Robin may not decide about development"),
    ],
)
def test_whose_waiver_it_was_must_still_decide_there(
    case: Case, monkeypatch: pytest.MonkeyPatch, approver: Approver, said: str
) -> None:
    waived(case)
    monkeypatch.setattr(preflight, "read_approvers", lambda: [approver])
    assert said in case.stopped()


def test_what_is_not_required_blocks_nothing_and_is_told(case: Case) -> None:
    case.say_everything()
    case.say_scans(*(passed(name) for name in SCANS if name != "sast"), passed("sast", Outcome.FAILED), hours=0)
    seen = case.look()
    assert seen.verdict.action is Action.PROMOTE
    assert any("Not passed, and not required here: sast (looked)" in one for one in seen.warnings)


def test_without_evidence_the_command_that_makes_it_is_told(case: Case) -> None:
    case.say_scans()
    case.say_origin()
    command = f"prefect deployment run ci/push -p commit={case.bundle.commit[:12]}"
    assert case.stopped() == f"no signed evidence for {case.digest[:12]}; run: {command}"
    assert case.look().isolation == "unknown"


def test_evidence_of_another_commit_is_refused(case: Case) -> None:
    case.say_everything()
    case.say_newer_checks(commit="d" * 40)
    said = f"the evidence is about commit dddddddddddd, the artifact about {case.bundle.commit[:12]}"
    assert case.stopped() == said


def test_evidence_of_a_dirty_tree_is_refused(case: Case) -> None:
    case.say_everything()
    case.say_newer_checks(clean=False)
    assert case.stopped() == "the evidence was made on a tree with uncommitted changes"


def test_a_required_check_that_did_not_pass_stops_it(case: Case) -> None:
    case.say_everything()
    case.say_newer_checks(checks=(passed("unit", Outcome.FAILED),))
    assert case.stopped() == "unit: failed (looked)"


@pytest.mark.parametrize(
    ("ran", "required", "stops"),
    [
        ("none", Isolation.NONE, False),
        ("uid", Isolation.NONE, False),
        ("namespaces", Isolation.NONE, False),
        ("none", Isolation.UID, True),
        ("uid", Isolation.UID, False),
        ("namespaces", Isolation.UID, False),
        ("none", Isolation.NAMESPACES, True),
        ("uid", Isolation.NAMESPACES, True),
        ("namespaces", Isolation.NAMESPACES, False),
        ("unknown", Isolation.NONE, True),
        ("", Isolation.NONE, True),
        ("NAMESPACES", Isolation.NAMESPACES, True),
    ],
)
def test_checks_that_ran_less_isolated_than_required_are_refused(
    case: Case, ran: str, required: Isolation, stops: bool
) -> None:
    case.set(required_isolation=required)
    case.say_everything()
    case.say_newer_checks(isolation=ran)
    said = f"the checks ran with isolation {ran}, development requires {required}; see docs/security.md"
    seen = case.look()
    assert (said in seen.verdict.reason) is ("the checks ran" in seen.verdict.reason) is stops
    assert seen.isolation == ran


@pytest.mark.parametrize("required", [Isolation.UID, Isolation.NAMESPACES])
def test_a_host_that_isolates_less_than_required_is_refused(
    case: Case, monkeypatch: pytest.MonkeyPatch, required: Isolation
) -> None:
    case.set(required_isolation=required)
    case.say_everything()
    case.say_newer_checks(isolation="namespaces")
    monkeypatch.setenv("SLIPWAY_ISOLATION", "none")
    assert case.stopped() == f"this host isolates app code by none only, {required} is required"


def test_a_host_that_isolates_as_required_is_good_enough(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.set(required_isolation=Isolation.NONE)
    case.say_everything()
    monkeypatch.setenv("SLIPWAY_ISOLATION", "none")
    assert case.look().verdict.action is Action.PROMOTE


def test_what_the_environment_before_did_not_promote_is_refused(case: Case) -> None:
    case.set(requires_promotion_in="staging")
    case.say_everything()
    said = f"staging has not promoted {case.digest[:12]}; release it there first"
    assert case.stopped() == said
    case.say_promoted("production")
    case.say_promoted("staging", case.other())
    assert case.stopped() == said
    case.say_promoted("staging")
    assert case.look().verdict.action is Action.PROMOTE


def test_a_condemned_version_is_refused_where_it_was_condemned(case: Case) -> None:
    case.say_everything()
    case.place.journal.write("condemned", {"digest": case.other(), "reason": "another one"})
    assert case.look().verdict.action is Action.PROMOTE
    case.place.journal.write("condemned", {"digest": case.digest, "reason": "p95 of 9 s"})
    assert case.stopped() == f"{case.digest[:12]} is condemned here (p95 of 9 s); release a fixed version"


def test_what_is_live_already_is_refused(case: Case) -> None:
    case.say_everything()
    case.serve(case.digest)
    assert case.stopped() == f"v0 ({case.digest[:12]}) is live already"


def test_another_version_that_is_live_is_no_reason_to_stop(case: Case) -> None:
    case.say_everything()
    case.serve(case.other())
    assert case.look().verdict.action is Action.PROMOTE


def test_what_an_interrupted_operation_made_live_may_be_released_again(case: Case) -> None:
    case.say_everything()
    case.serve(case.digest)
    case.begin(case.other())
    assert case.look().verdict.action is Action.PROMOTE


def test_an_environment_that_is_not_up_is_refused(case: Case) -> None:
    case.say_everything()
    case.place = replace(case.place)  # its supervisor is its own, and was never started
    assert case.stopped() == "development is not up on this host; run: make up"


def test_a_place_where_nobody_may_approve_is_refused(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.say_everything()
    said = "config/approvers.toml names nobody who may approve for development"
    for approvers in ([], [Approver("Robin", (), ("staging", "production"))]):
        monkeypatch.setattr(preflight, "read_approvers", lambda approvers=approvers: approvers)
        assert case.stopped() == said
    case.set(approval="none")
    assert case.look().verdict.action is Action.PROMOTE


def test_one_who_may_approve_among_others_is_enough(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    case.say_everything()
    others = [Approver("Sasha", (), ("staging",)), Approver("Robin", (), ("development",))]
    monkeypatch.setattr(preflight, "read_approvers", lambda: others)
    seen = case.look()
    assert seen.verdict.action is Action.PROMOTE
    assert seen.approvers == tuple(others)


def test_what_keeps_the_runtime_from_starting_it_is_told(case: Case) -> None:
    case.say_everything()
    case.set(runtime="compose", docker_host=f"unix://{case.place.directory}/absent.sock")
    assert case.place.runtime.orchestrator
    (problem,) = case.place.runtime.orchestrator.problems(read_artifact(case.place.store, case.digest))
    assert case.stopped() == problem
    assert problem in case.look().warnings


def test_a_certificate_that_cannot_be_served_is_told(case: Case) -> None:
    case.say_everything()
    absent = str(case.place.directory / "absent.pem")
    case.set(tls_certificate=absent, tls_key=absent)
    (problem,) = case.place.front.problems()
    assert case.stopped() == problem
    assert "TLS_CERTIFICATE, TLS_KEY of development" in problem


def test_everything_that_is_in_the_way_is_told_at_once(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_ISOLATION", "none")
    monkeypatch.setattr(preflight, "read_approvers", lambda: [])
    case.set(required_isolation=Isolation.UID, requires_promotion_in="staging", required_gates="unit")
    case.say_checks(commit="d" * 40, clean=False, isolation="none")
    case.serve(case.digest)
    case.place.journal.write("condemned", {"digest": case.digest, "reason": "slow"})
    case.place = replace(case.place)
    reason = case.stopped()
    beginnings = [
        "the evidence is about commit",
        "the evidence was made on a tree",
        "the checks ran with isolation none",
        "staging has not promoted",
        f"{case.digest[:12]} is condemned here",
        f"v0 ({case.digest[:12]}) is live already",
        "development is not up",
        "this host isolates app code by none only",
        "config/approvers.toml names nobody",
    ]
    assert all(beginning in reason for beginning in beginnings), reason
    assert sorted(beginnings, key=reason.index) == beginnings


def test_the_approver_is_told_that_the_warm_version_is_evicted(case: Case) -> None:
    case.say_everything()
    old = case.other()
    case.begin(old)
    case.place.journal.write("end", {"id": old, "outcome": "promoted", "reason": "good"})
    case.serve(case.other("b" * 40))
    said = f"The warm old version v0 ({old[:12]}) in slot green will be evicted."
    assert not evictions(case)
    case.place.journal.write("slot.starting", {"slot": "blue", "digest": case.other("b" * 40), "port": 1})
    assert not evictions(case)  # that is what serves
    case.place.journal.write("slot.starting", {"slot": "green", "digest": old, "port": 2})
    assert evictions(case) == [said]
    case.place.journal.write("slot.stopped", {"slot": "green"})
    assert not evictions(case)


def test_a_warm_version_that_no_operation_names_is_told_by_its_digest(case: Case) -> None:
    case.say_everything()
    case.place.journal.write("slot.starting", {"slot": "blue", "digest": "e" * 64, "port": 2})
    assert evictions(case) == ["The warm old version eeeeeeeeeeee in slot blue will be evicted."]


def evictions(case: Case) -> list[str]:
    return [note for note in case.look().warnings if "evicted" in note]


def test_waivers_that_do_not_count_and_that_nothing_needs_are_told(case: Case) -> None:
    case.say_everything()
    refused = Refused(name=HIGH.fingerprint, why="it expired")
    case.say_scans(hours=0, refused=(refused,), unneeded=("abc", "def"))
    warnings = case.look().warnings
    assert f"Waivers that do not count: {refused}" in warnings
    assert "Waivers that nothing needs any more: abc, def" in warnings


def test_what_there_is_no_need_to_tell_is_not_told(case: Case) -> None:
    case.say_everything()
    assert case.look().warnings == (
        "Who approves is what the form says; identity is not proven yet (docs/security.md).",
    )


def test_an_environment_where_authors_approve_says_so(case: Case) -> None:
    case.say_everything()
    case.set(allow_author_approval=True)
    assert "This environment lets an author of a commit approve it (ALLOW_AUTHOR_APPROVAL)." in case.look().warnings


def test_an_answer_holds_only_under_the_rules_it_was_given_under(case: Case) -> None:
    robin = Approver("Robin", ("robin@example.com",), ("development",))
    rules = policy_of(case.place, [robin])
    assert policy_of(case.place, [robin]) == rules
    assert policy_of(case.place, [robin, robin]) != rules
    assert policy_of(case.place, [replace(robin, environments=("production",))]) != rules
    case.set(app={"GREETING": "hello"}, secrets={"TOKEN": "generated"})
    assert policy_of(case.place, [robin]) == rules
    case.set(allow_author_approval=True)
    assert policy_of(case.place, [robin]) != rules


def test_a_version_that_is_named_is_chosen(case: Case) -> None:
    newer, _ = artifact(case.place.store, "b" * 40, version="v2")
    case.set(requires_promotion_in="staging")
    for wanted in (case.digest, case.digest[:8], case.bundle.commit[:7], "v1"):
        assert choose_version(case.place, wanted) == case.digest
    assert choose_version(case.place, "v2") == newer
    with pytest.raises(ArtifactError) as refused:
        choose_version(case.place, "v3")
    assert str(refused.value) == 'no artifact for "v3"; build it: prefect deployment run ci/push -p commit=v3'


def test_without_a_name_the_newest_with_evidence_is_chosen(case: Case) -> None:
    for nothing in (None, ""):
        with pytest.raises(ArtifactError) as refused:
            choose_version(case.place, nothing)
        assert str(refused.value) == ("development: no version was built yet; run: prefect deployment run ci/push")
    first = case.digest
    case.say_checks()
    assert choose_version(case.place, None) == first
    case.digest = case.other()
    assert choose_version(case.place, None) == first  # nobody checked the newer one
    case.say_checks()
    assert choose_version(case.place, None) == case.digest


def test_without_a_name_what_the_environment_before_promoted_last_is_chosen(case: Case) -> None:
    case.set(requires_promotion_in="staging")
    case.say_checks()
    case.say_promoted("production")
    with pytest.raises(ArtifactError) as refused:
        choose_version(case.place, None)
    assert str(refused.value) == "development: staging has promoted nothing yet; release there first"
    other = case.other()
    case.say_promoted("staging", other, hours_ago=3)
    assert choose_version(case.place, None) == other
    case.say_promoted("staging", hours_ago=2)
    assert choose_version(case.place, None) == case.digest
    case.say_promoted("production", other, hours_ago=0)
    assert choose_version(case.place, None) == case.digest
    case.say_promoted("staging", other, hours_ago=1)
    assert choose_version(case.place, None) == other


def test_what_a_baseline_holds_back_must_hold_still(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    today, mark = datetime.now(UTC).date(), "b" * 24
    entry = Entry(check="unit", fingerprint=mark, severity=Severity.HIGH, first_seen=today, due=today)
    held = Known(fingerprint=mark, severity=Severity.HIGH, since=today, due=today, approver=WAIVER.approver)
    written = [Baseline(entries=(entry,))]
    monkeypatch.setattr(known, "read_baseline", lambda approvers: written[0])
    case.set(required_gates="unit")
    case.say_checks(None, passed("unit", known=(held,)), at=NOW + timedelta(seconds=1))
    assert case.look().verdict.action is Action.PROMOTE
    written[0] = Baseline()
    assert "unit: 1 finding not in config/baseline.toml any more" in case.stopped()
    written[0] = Baseline(entries=(entry,), trouble="as it stands it is not committed")
    assert "unit: not passed without config/baseline.toml, which does not count: as it stands it is" in case.stopped()
    written[0] = Baseline(entries=(entry.model_copy(update={"due": today - timedelta(days=1)}),))
    assert "unit: 1 finding overdue by config/baseline.toml" in case.stopped()
    stranger = held.model_copy(update={"approver": "Nobody"})
    case.say_checks(None, passed("unit", known=(stranger,)), at=NOW + timedelta(seconds=2))
    assert "Nobody is not named in config/approvers.toml any more" in case.stopped()


def test_a_baseline_that_nobody_signed_holds_nothing_back(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today, mark = datetime.now(UTC).date(), "b" * 24
    entry = Entry(check="unit", fingerprint=mark, severity=Severity.HIGH, first_seen=today, due=today)
    (tmp_path / "config").mkdir()
    written = Baseline(approver=WAIVER.approver, made=today, commit="c" * 40, entries=(entry,))
    (tmp_path / FILE).write_text(write_baseline(written))
    monkeypatch.setattr(known, "read_baseline", partial(read_baseline, checkout=tmp_path))
    case.set(required_gates="unit")
    held = Known(fingerprint=mark, severity=Severity.HIGH, since=today, due=today, approver=WAIVER.approver)
    case.say_checks(None, passed("unit", known=(held,)), at=NOW + timedelta(seconds=1))
    assert "unit: not passed without config/baseline.toml, which does not count: " in case.stopped()
    case.say_checks(None, passed("unit"), at=NOW + timedelta(seconds=2))
    assert case.look().verdict.action is Action.PROMOTE  # nothing rests on it
