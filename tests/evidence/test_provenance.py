import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

from evidence.bundle import Build, Bundle, Image, LockOrigin, OtherImage, SourceBuild, put_bundle, read_bundle
from evidence.provenance import (
    Provenance,
    make_provenance,
    origin_checks,
    read_provenance,
    sign_origin,
    without_credentials,
)
from evidence.sbom import make_bom
from evidence.signing import Keys
from evidence.statements import Kind, state
from evidence.store import Store
from gates.check import Outcome
from host.errors import EvidenceError
from tests.evidence.artifacts import artifact

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Keys(tmp_path / "keys")
    made.create()
    return made


def provenance(bundle: Bundle, repository: str = "https://git.example.org/shop.git") -> Provenance:
    return make_provenance(bundle, repository, "p" * 64, "run-1", NOW, NOW + timedelta(seconds=40), "builder-1")


def signed(store: Store, keys: Keys) -> tuple[str, Bundle]:
    digest, bundle = artifact(store)
    sign_origin(store, keys, digest, bundle, provenance(bundle), make_bom(store, digest, bundle))
    return digest, bundle


def envelope(store: Store, digest: str, kind: Kind) -> dict[str, Any]:
    (found,) = store.statements(digest, kind)
    return found


def test_what_was_signed_is_good(store: Store, keys: Keys) -> None:
    digest, bundle = signed(store, keys)
    origin, bom = origin_checks(store, keys, digest, bundle)
    assert (origin.name, origin.outcome, bom.name, bom.outcome) == (
        "provenance",
        Outcome.PASSED,
        "sbom",
        Outcome.PASSED,
    )
    assert "run-1" in origin.reason and "builder-1" in origin.reason and origin.seconds == 40
    assert "4 shipped wheels" in bom.reason
    found = read_provenance(store, keys, digest)
    assert found and origin.tool == bom.tool == f"key {found[1]}"


def test_nothing_signed_is_no_pass(store: Store, keys: Keys) -> None:
    digest, bundle = artifact(store)
    assert [one.outcome for one in origin_checks(store, keys, digest, bundle)] == [Outcome.SKIPPED, Outcome.SKIPPED]


def test_others_read_and_verify_the_envelope(store: Store, keys: Keys) -> None:
    digest, _ = signed(store, keys)
    public = keys.trusted()[0].keyval["public"]
    raw = envelope(store, digest, Kind.PROVENANCE)
    keyid = raw["signatures"][0]["keyid"]
    other = SSlibKey(keyid, "ed25519", "ed25519", {"public": public})
    read = Envelope.from_dict(json.loads(json.dumps(raw)))
    assert list(read.verify([other], 1)) == [keyid]
    message = json_format.Parse(read.payload, statement_pb2.Statement())
    statement = Statement([dict_subject for dict_subject in message.subject], message.predicate_type, message.predicate)
    statement.validate()
    assert message.predicate_type == "https://slsa.dev/provenance/v1"
    assert message.subject[0].digest["sha256"] == digest


def test_others_refuse_what_was_changed(store: Store, keys: Keys) -> None:
    digest, _ = signed(store, keys)
    raw = envelope(store, digest, Kind.PROVENANCE)
    payload = base64.b64decode(raw["payload"]).replace(b"builder-1", b"builder-2")
    raw["payload"] = base64.b64encode(payload).decode()
    public = keys.trusted()[0].keyval["public"]
    other = SSlibKey(raw["signatures"][0]["keyid"], "ed25519", "ed25519", {"public": public})
    with pytest.raises(Exception, match="[Ss]ignature"):
        Envelope.from_dict(copy.deepcopy(raw)).verify([other], 1)
    with pytest.raises(EvidenceError, match="trusted key"):
        keys.verify(raw)


def test_the_predicate_has_what_slsa_asks_for(store: Store, keys: Keys) -> None:
    digest, bundle = signed(store, keys)
    statement = keys.verify(envelope(store, digest, Kind.PROVENANCE))
    predicate = statement["predicate"]
    definition, run = predicate["buildDefinition"], predicate["runDetails"]
    assert definition["buildType"] and definition["externalParameters"]["commit"] == bundle.commit
    assert {"gitCommit": bundle.commit} in [one["digest"] for one in definition["resolvedDependencies"]]
    assert {"sha256": bundle.lock} in [one["digest"] for one in definition["resolvedDependencies"]]
    assert run["builder"]["id"] and run["metadata"]["invocationId"] == "run-1"


def test_the_file_that_a_lock_was_made_of_is_stated(store: Store, keys: Keys) -> None:
    digest, bundle = artifact(store)
    origin = LockOrigin(file="backend/uv.lock", sha256="e" * 64, selection="groups dev")
    made = bundle.model_copy(update={"made_of": {"runtime": origin}})
    stated = provenance(made).build_definition
    assert stated.internal_parameters["lock runtime"] == "backend/uv.lock (groups dev)"
    assert ("urn:slipway:lock:runtime:made-of:backend/uv.lock", {"sha256": "e" * 64}) in [
        (one.uri, one.digest) for one in stated.resolved_dependencies
    ]
    state(store, keys, digest, "assistant", Kind.PROVENANCE, provenance(bundle))
    assert origin_checks(store, keys, digest, made)[0].outcome is Outcome.FAILED


def test_an_artifact_whose_locks_are_our_own_keeps_its_digest(store: Store) -> None:
    digest, bundle = artifact(store)
    assert b"made_of" not in store.manifest(digest) and put_bundle(store, bundle) == digest
    assert b"built" not in store.manifest(digest)


def built_from_source(bundle: Bundle) -> tuple[str, str, Bundle]:
    """Return a wheel of a bundle with its digest, and that bundle where it was built of sources."""
    name, digest = next(iter(bundle.wheels.items()))
    build = SourceBuild(
        source="said-1.0.tar.gz",
        source_sha256="a" * 64,
        backend="flit_core.buildapi",
        tools=("flit-core 4.2.0",),
        unlike=("flit-core<4 (given 4.2.0)",),
        tools_lock="b" * 64,
        isolation="namespaces",
    )
    return name, digest, Bundle.model_validate(bundle.model_dump() | {"built": {digest: build}})


def test_what_a_wheel_was_built_of_is_stated(store: Store, keys: Keys) -> None:
    _, bundle = artifact(store)
    name, wheel, made = built_from_source(bundle)
    digest = put_bundle(store, made)
    assert read_bundle(store, digest) == made
    stated = provenance(made)
    assert stated.build_definition.internal_parameters[f"built {name}"] == (
        f"of said-1.0.tar.gz (SHA-256 {'a' * 64}) by flit_core.buildapi, with flit-core 4.2.0;"
        " it wanted flit-core<4 (given 4.2.0); isolation namespaces"
    )
    went_in = [(one.uri, one.digest["sha256"]) for one in stated.build_definition.resolved_dependencies[1:]]
    assert ("urn:slipway:sdist:said-1.0.tar.gz", "a" * 64) in went_in
    assert ("urn:slipway:lock:build", "b" * 64) in went_in
    assert [one.digest["sha256"] for one in stated.run_details.byproducts] == [wheel]
    state(store, keys, digest, "assistant", Kind.PROVENANCE, stated)
    check, _ = origin_checks(store, keys, digest, made)
    assert check.outcome is Outcome.PASSED and "1 wheels built from source" in check.examined
    state(store, keys, digest, "assistant", Kind.PROVENANCE, provenance(bundle))
    assert origin_checks(store, keys, digest, made)[0].outcome is Outcome.FAILED


def test_only_a_wheel_of_the_bundle_was_built(store: Store) -> None:
    _, bundle = artifact(store)
    _, wheel, made = built_from_source(bundle)
    with pytest.raises(ValueError, match="was built, and is no wheel of it"):
        Bundle.model_validate(bundle.model_dump() | {"built": {"0" * 64: made.built[wheel]}})


@pytest.mark.parametrize("change", [{"lock": "0" * 64}, {"commit": "d" * 40}, {"smoke_lock": "0" * 64}])
def test_provenance_of_another_build_fails(store: Store, keys: Keys, change: dict[str, str]) -> None:
    digest, bundle = artifact(store)
    other = bundle.model_copy(update=change)
    state(store, keys, digest, "assistant", Kind.PROVENANCE, provenance(bundle))
    check = origin_checks(store, keys, digest, other)[0]
    assert check.outcome is Outcome.FAILED and "does not say how this was built" in check.reason


def test_provenance_of_another_kind_of_build_fails(store: Store, keys: Keys) -> None:
    digest, bundle = artifact(store)
    body = provenance(bundle).model_dump(mode="json", by_alias=True)
    body["buildDefinition"]["buildType"] = "something else"
    state(store, keys, digest, "assistant", Kind.PROVENANCE, body)
    assert origin_checks(store, keys, digest, bundle)[0].outcome is Outcome.FAILED


@pytest.mark.parametrize("body", [{}, {"buildDefinition": 1}])
def test_provenance_that_cannot_be_read_is_an_error(store: Store, keys: Keys, body: dict[str, Any]) -> None:
    digest, bundle = artifact(store)
    state(store, keys, digest, "assistant", Kind.PROVENANCE, body)
    with pytest.raises(EvidenceError, match="cannot be read"):
        origin_checks(store, keys, digest, bundle)


def test_a_bill_that_leaves_a_wheel_out_fails(store: Store, keys: Keys) -> None:
    digest, bundle = artifact(store)
    bom = make_bom(store, digest, bundle)
    state(store, keys, digest, "assistant", Kind.SBOM, {**bom, "components": bom["components"][1:]})
    check = origin_checks(store, keys, digest, bundle)[1]
    assert check.outcome is Outcome.FAILED and "leaves out 1 of 4" in check.reason


@pytest.mark.parametrize("body", [{}, {"bomFormat": "SPDX"}, {"bomFormat": "CycloneDX", "components": [1]}])
def test_a_bill_that_is_none_has_no_verdict(store: Store, keys: Keys, body: dict[str, Any]) -> None:
    digest, bundle = artifact(store)
    state(store, keys, digest, "assistant", Kind.SBOM, body)
    assert origin_checks(store, keys, digest, bundle)[1].outcome is Outcome.NO_VERDICT


def test_a_strangers_provenance_is_an_error(store: Store, keys: Keys, tmp_path: Path) -> None:
    stranger = Keys(tmp_path / "stranger")
    stranger.create()
    digest, bundle = signed(store, stranger)
    with pytest.raises(EvidenceError, match="trusted key"):
        origin_checks(store, keys, digest, bundle)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://user:token@git.example.org/a.git?x=1#y", "https://git.example.org/a.git"),
        ("https://git.example.org/a.git", "https://git.example.org/a.git"),
        ("ssh://git@git.example.org:22/a", "ssh://git.example.org:22/a"),
        ("/srv/a", "/srv/a"),
        ("git@git.example.org:a.git", "git@git.example.org:a.git"),
    ],
)
def test_credentials_are_not_stated(store: Store, address: str, told: str) -> None:
    assert without_credentials(address) == told
    _, bundle = artifact(store)
    assert "token" not in provenance(bundle, address).model_dump_json()


IMAGE = Image(
    id="sha256:" + "1" * 64,
    others={"edge": OtherImage(id="sha256:" + "2" * 64, build=Build(dockerfile="edge/Dockerfile"))},
    services={"production": {"edge": "edge"}},
)


def test_both_name_every_image(store: Store, keys: Keys) -> None:
    digest, bundle = artifact(store, image=IMAGE)
    bom = make_bom(store, digest, bundle)
    named = [(one["name"], one["hashes"][0]["content"]) for one in bom["components"] if one["type"] == "container"]
    assert named == [("assistant", "1" * 64), ("edge", "2" * 64)]
    sign_origin(store, keys, digest, bundle, provenance(bundle), bom)
    origin, found = origin_checks(store, keys, digest, bundle)
    assert (origin.outcome, found.outcome) == (Outcome.PASSED, Outcome.PASSED)
    assert "2 images" in origin.examined and "and 2 images" in found.reason


def test_an_image_that_is_not_named_fails_both(store: Store, keys: Keys) -> None:
    digest, bundle = artifact(store, image=IMAGE)
    fewer = bundle.model_copy(update={"image": Image(id=IMAGE.id, services={})})
    sign_origin(store, keys, digest, bundle, provenance(fewer), make_bom(store, digest, fewer))
    origin, bom = origin_checks(store, keys, digest, bundle)
    assert origin.outcome is Outcome.FAILED and "sha256 222222222222" in origin.reason
    assert bom.outcome is Outcome.FAILED and "it leaves out 1 of 2 images" in bom.reason


def test_statements_of_before_there_were_several_images_hold(store: Store, keys: Keys) -> None:
    digest, bundle = artifact(store, image=Image(id=IMAGE.id))
    bare = bundle.model_copy(update={"image": None})
    sign_origin(store, keys, digest, bundle, provenance(bare), make_bom(store, digest, bare))
    assert [one.outcome for one in origin_checks(store, keys, digest, bundle)] == [Outcome.PASSED, Outcome.PASSED]
