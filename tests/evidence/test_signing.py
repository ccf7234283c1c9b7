import base64
import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.dsse import Envelope as Dsse
from securesystemslib.signer import CryptoSigner, SSlibKey

from evidence import signing
from evidence.signing import Keys
from host.errors import EvidenceError

STATEMENT = {"_type": "x", "predicate": {"ö": [1, 2.5, None, True]}}
Envelope = dict[str, Any]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Keys(tmp_path / "keys")
    made.create()
    return made


def test_what_is_signed_verifies(keys: Keys) -> None:
    envelope = keys.sign(STATEMENT)
    assert keys.verify(envelope) == STATEMENT
    assert keys.verify(json.loads(json.dumps(envelope))) == STATEMENT


def test_the_signature_covers_type_and_length(keys: Keys) -> None:
    # By hand, as https://github.com/secure-systems-lab/dsse/blob/master/protocol.md says.
    envelope = keys.sign(STATEMENT)
    payload = base64.b64decode(envelope["payload"])
    kind = b"application/vnd.in-toto+json"
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    public = _private(keys).public_key()
    public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed)
    assert envelope["signatures"][0]["keyid"] == hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def _private(keys: Keys) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(keys.private.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def test_the_private_key_is_nobody_elses_and_is_kept(keys: Keys) -> None:
    before = keys.private.read_bytes()
    assert keys.private.stat().st_mode & 0o777 == 0o600
    keys.create()
    assert keys.private.read_bytes() == before and len(keys.trusted()) == 1


def test_a_key_that_was_being_made_is_made_anew(keys: Keys) -> None:
    envelope = keys.sign(STATEMENT)
    keys.private.unlink()  # killed after the public key was written
    keys.create()
    assert keys.verify(keys.sign(STATEMENT)) == STATEMENT == keys.verify(envelope)


def _set(name: str, value: object) -> Callable[[Envelope], object]:
    return lambda envelope: envelope.__setitem__(name, value)


def _flip(text: str, position: int) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[position] ^= 1
    return base64.b64encode(bytes(raw)).decode()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda e: e.update(payload=_flip(e["payload"], 0)), id="payload, first byte"),
        pytest.param(lambda e: e.update(payload=_flip(e["payload"], -1)), id="payload, last byte"),
        pytest.param(lambda e: e.update(payload=e["payload"][:-1]), id="payload truncated inside base64"),
        pytest.param(lambda e: e.update(payload=e["payload"][:-4]), id="payload truncated between groups"),
        pytest.param(lambda e: e.update(payload=""), id="payload empty"),
        pytest.param(lambda e: e.update(payload=None), id="payload null"),
        pytest.param(lambda e: e.update(payload="ümlaut"), id="payload not base64"),
        pytest.param(lambda e: e.update(payload=e["payload"] + "\n"), id="payload with more behind it"),
        pytest.param(lambda e: e.pop("payload"), id="no payload"),
        pytest.param(lambda e: e["signatures"][0].update(sig=_flip(e["signatures"][0]["sig"], 5)), id="signature"),
        pytest.param(lambda e: e["signatures"][0].update(sig=e["signatures"][0]["sig"][:-1]), id="sig truncated"),
        pytest.param(lambda e: e["signatures"][0].update(sig=e["signatures"][0]["sig"][:-4]), id="sig too short"),
        pytest.param(lambda e: e["signatures"][0].update(sig=""), id="sig empty"),
        pytest.param(lambda e: e["signatures"][0].update(sig=7), id="sig a number"),
        pytest.param(lambda e: e["signatures"][0].pop("sig"), id="no sig"),
        pytest.param(_set("signatures", []), id="no signature"),
        pytest.param(_set("signatures", None), id="signatures null"),
        pytest.param(_set("signatures", "abc"), id="signatures a text"),
        pytest.param(_set("signatures", {"sig": "x"}), id="signatures an object"),
        pytest.param(lambda e: e["signatures"][0].update(keyid=[]), id="key id a list"),
        pytest.param(lambda e: e["signatures"].append(dict(e["signatures"][0])), id="the same signature twice"),
        pytest.param(_set("payloadType", "text/plain"), id="another type"),
        pytest.param(_set("payloadType", None), id="type null"),
        pytest.param(lambda e: e.pop("payloadType"), id="no type"),
    ],
)
def test_a_changed_envelope_is_refused(keys: Keys, change: Callable[[Envelope], object]) -> None:
    envelope = copy.deepcopy(keys.sign(STATEMENT))
    change(envelope)
    with pytest.raises(EvidenceError):
        keys.verify(envelope)


@pytest.mark.parametrize("envelope", [[], "text", None, 7, {}])
def test_what_is_no_envelope_is_refused(keys: Keys, envelope: Any) -> None:
    with pytest.raises(EvidenceError, match="malformed"):
        keys.verify(envelope)


def test_a_stranger_is_not_trusted_whatever_key_id_is_claimed(keys: Keys, tmp_path: Path) -> None:
    stranger = Keys(tmp_path / "stranger")
    stranger.create()
    envelope = stranger.sign(STATEMENT)
    envelope["signatures"][0]["keyid"] = keys.sign(STATEMENT)["signatures"][0]["keyid"]
    with pytest.raises(EvidenceError, match="not signed by a trusted key"):
        keys.verify(envelope)


def test_a_second_host_is_trusted_once_its_public_key_lies_there(keys: Keys, tmp_path: Path) -> None:
    other = Keys(tmp_path / "other")
    other.create()
    (public,) = (other.directory / "trusted").glob("*.pub")
    (keys.directory / "trusted" / "staging-host.pub").write_bytes(public.read_bytes())
    assert keys.verify(other.sign(STATEMENT)) == STATEMENT
    # one good signature among several is enough
    both = other.sign(STATEMENT)
    both["signatures"].insert(0, {"keyid": "x", "sig": base64.b64encode(b"0" * 64).decode()})
    assert keys.verify(both) == STATEMENT


def test_without_trusted_keys_nothing_verifies(keys: Keys) -> None:
    envelope = keys.sign(STATEMENT)
    for public in (keys.directory / "trusted").glob("*.pub"):
        public.unlink()
    with pytest.raises(EvidenceError, match="not signed by a trusted key"):
        keys.verify(envelope)


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_missing_or_broken_private_key_says_how_to_get_one(keys: Keys, content: bytes | None) -> None:
    keys.private.unlink()
    if content is not None:
        keys.private.write_bytes(content)
    with pytest.raises(EvidenceError, match="evidence.key: no usable signing key .* run: make setup"):
        keys.sign(STATEMENT)


def test_a_key_of_another_kind_is_refused(keys: Keys) -> None:
    key = generate_private_key(SECP256R1())
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    keys.private.write_bytes(key.private_bytes(*form))
    with pytest.raises(EvidenceError, match="expected an ed25519 key"):
        keys.sign(STATEMENT)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (keys.directory / "trusted" / "ec.pub").write_bytes(public)
    with pytest.raises(EvidenceError, match="expected an ed25519 public key"):
        keys.trusted()


def test_a_broken_public_key_is_named(keys: Keys) -> None:
    envelope = keys.sign(STATEMENT)
    (keys.directory / "trusted" / "half.pub").write_bytes(b"-----BEGIN PUBLIC")
    with pytest.raises(EvidenceError, match="half.pub: not a public key"):
        keys.verify(envelope)


@pytest.mark.parametrize("payload", [b"[1]", b'"text"', b"null", b"no JSON"])
def test_a_signed_payload_that_is_no_object_is_refused(keys: Keys, payload: bytes) -> None:
    unsigned = Dsse(payload, signing.PAYLOAD_TYPE, {})
    private = _private(keys)
    unsigned.sign(CryptoSigner(private, SSlibKey.from_crypto(private.public_key(), keys.trusted()[0].keyid)))
    with pytest.raises(EvidenceError, match="malformed: the signed payload"):
        keys.verify(unsigned.to_dict())


def test_a_key_that_is_named_signs_and_is_trusted_but_never_made(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Keys(tmp_path / "elsewhere")
    elsewhere.create()
    own = keys.sign(STATEMENT)
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY", str(tmp_path / "elsewhere" / "evidence.key"))
    signed = keys.sign(STATEMENT)
    with pytest.raises(EvidenceError, match="trusted key"):
        keys.verify(signed)
    keys.create()
    assert keys.examine(signed)[1] == signed["signatures"][0]["keyid"] != own["signatures"][0]["keyid"]
    assert keys.verify(own) == STATEMENT
    monkeypatch.setenv("SLIPWAY_SIGNING_KEY", str(tmp_path / "missing.key"))
    with pytest.raises(EvidenceError, match="missing.key: no usable signing key"):
        keys.create()
    assert not (tmp_path / "missing.key").exists()


def test_a_key_that_was_handed_over_signs_and_is_not_shown(tmp_path: Path, keys: Keys) -> None:
    pem = keys.private.read_bytes()
    handed = Keys(keys.directory, pem)
    assert keys.verify(handed.sign(STATEMENT)) == STATEMENT
    assert "PRIVATE" not in repr(handed)
    with pytest.raises(EvidenceError) as told:
        Keys(keys.directory, b"not a key: secret").sign(STATEMENT)
    assert "secret" not in str(told.value)
