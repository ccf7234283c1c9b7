"""May this version go there? Every way in which evidence can be wrong stops it before the first effect."""

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployments import known, preflight
from deployments.home import CHECKOUT, Home
from deployments.pipeline import Pipeline, read_pipeline
from deployments.place import Place
from deployments.preflight import Preflight
from deployments.sandbox import available
from deployments.settings import Target
from deployments.waivers import Written
from evidence.bundle import Bundle
from evidence.errors import ArtifactError, EvidenceError
from evidence.provenance import make_provenance, sign_origin
from evidence.sbom import make_bom
from evidence.signing import Keys
from evidence.statements import Checked, Kind, Scanned, state
from gates.approval import Approver
from gates.requirements import Check, Outcome
from gates.security import RULES
from gates.verdict import Action
from gates.waivers import Waiver
from tests.evidence.artifacts import artifact
from tests.gates.findings import vulnerability

GATES = "unit,dependency,secrets,provenance,sbom"
NOW = datetime.now(UTC)
HIGH = vulnerability()
WAIVER = Waiver(
    fingerprint=HIGH.fingerprint,
    approver="Robin",
    reason="the function is never reached",
    expires=(NOW + timedelta(days=9)).date(),
)


class Case:
    """An environment that is up, and an artifact for it with all evidence, a part of which a test then spoils."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.digest, self.bundle = artifact(place.store)

    def say_everything(self, keys: Keys | None = None) -> None:
        self.say_checks(keys)
        self.say_scans(keys=keys)
        self.say_origin(keys)

    def say_checks(self, keys: Keys | None = None, *checks: Check) -> None:
        said = Checked(
            commit=self.bundle.commit,
            version="v1",
            branch="main",
            clean=True,
            isolation=str(available()),
            at=NOW,
            run="run-1",
            checks=checks or (passed("unit"),),
        )
        state(self.place.store, keys or self.place.keys, self.digest, "assistant", Kind.CHECKS, said)

    def say_scans(self, *checks: Check, keys: Keys | None = None, hours: float = 1, **more: Any) -> None:
        fields: dict[str, Any] = {
            "commit": self.bundle.commit,
            "version": "v1",
            "branch": "main",
            "at": datetime.now(UTC) - timedelta(hours=hours),
            "run": "run-2",
            "checks": checks or tuple(passed(name) for name in RULES),
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


def passed(name: str, outcome: Outcome = Outcome.PASSED, **more: Any) -> Check:
    return Check(name=name, outcome=outcome, reason="looked", **more)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="slipway-preflight-") as folder:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLIPWAY_DEVELOPMENT_REQUIRED_GATES", GATES)
            patch.setenv("SLIPWAY_DEVELOPMENT_APPROVAL", "required")
            patch.setenv("SLIPWAY_DEVELOPMENT_REQUIRED_ISOLATION", str(available()))
            made = Place.open(Target.DEVELOPMENT, "assistant", Home(Path(folder)))
        made.directory.mkdir(parents=True)
        made.supervisor.up()
        try:
            yield made
        finally:
            made.supervisor.down()


@pytest.fixture
def case(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    home = Home(tmp_path)
    monkeypatch.setitem(place.__dict__, "store", type(place.store)(home.store))
    monkeypatch.setitem(place.__dict__, "keys", Keys(home.keys))
    place.keys.create()
    robin = Approver("Robin", ("robin@example.com",), ("development", "production"))
    monkeypatch.setattr(preflight, "read_approvers", lambda: [robin])
    monkeypatch.setattr(known, "read_waivers", lambda: Written((WAIVER,), ()))
    return Case(place)


def test_all_evidence_good_and_fresh_promotes(case: Case) -> None:
    case.say_everything()
    seen = case.look()
    assert seen.verdict.action is Action.PROMOTE, seen.verdict.reason
    assert {"unit", "dependency", "provenance", "sbom"} <= {one.name for one in seen.checks}
    assert seen.scanned and seen.scanned.run == "run-2"


def test_a_changed_artifact_stops_it(case: Case) -> None:
    case.say_everything()
    wheel = case.place.store.blob(next(iter(case.bundle.wheels.values())))
    wheel.write_bytes(wheel.read_bytes() + b"x")
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
    case.say_scans(*(passed(name) for name in RULES if name != "sast"), passed("sast", Outcome.FAILED), hours=0)
    seen = case.look()
    assert seen.verdict.action is Action.PROMOTE
    assert any("Not passed, and not required here: sast (looked)" in one for one in seen.warnings)
