"""Sign and verify statements: ed25519 in a DSSE envelope (https://github.com/secure-systems-lab/dsse, v1)."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from host.errors import EvidenceError
from host.files import write_atomically

PAYLOAD_TYPE = "application/vnd.in-toto+json"
RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw


def _encode(payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding of the payload."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(*RAW)).hexdigest()[:16]


@dataclass(frozen=True)
class Keys:
    """The directory with this installation's signing key and the public keys that it trusts.

    `SLIPWAY_SIGNING_KEY` names another file with the signing key (PEM, PKCS 8, ed25519). `pem` is the key itself,
    where it comes from somewhere else. What it signs is good only where its public key lies in `trusted/`.
    """

    directory: Path
    pem: bytes | None = field(default=None, repr=False)

    @property
    def private(self) -> Path:
        named = os.environ.get("SLIPWAY_SIGNING_KEY")
        return Path(named) if named else self.directory / "evidence.key"

    def create(self) -> None:
        """Generate the key once, 0600, and trust it. Safe to repeat, and to be killed in: a complete key is kept.

        A key that `SLIPWAY_SIGNING_KEY` names is never made, only trusted. EvidenceError when it cannot be used.
        """
        trusted = self.directory / "trusted"
        trusted.mkdir(parents=True, exist_ok=True)
        if os.environ.get("SLIPWAY_SIGNING_KEY"):
            self.trust(self._load().public_key())
            return
        if self.private.exists():
            return
        key = Ed25519PrivateKey.generate()
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        # The public key first: a private key that is there is always a whole one that is trusted.
        self.trust(key.public_key())
        write_atomically(self.private, key.private_bytes(*form))

    def trust(self, public: Ed25519PublicKey) -> None:
        """Trust what this key signs, from now on."""
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        write_atomically(self.directory / "trusted" / f"{_key_id(public)}.pub", pem)

    def _load(self) -> Ed25519PrivateKey:
        where = "the signing key" if self.pem else str(self.private)
        try:
            key = serialization.load_pem_private_key(self.pem or self.private.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            # What the parser says of a key that came from elsewhere may quote it.
            said = type(error).__name__ if self.pem else error
            raise EvidenceError(f"{where}: no usable signing key ({said}); run: make setup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise EvidenceError(f"{where}: expected an ed25519 key, got {type(key).__name__}")
        return key

    def prove(self) -> None:
        """EvidenceError unless there is a usable signing key whose signatures count here."""
        public = self._load().public_key()
        if _key_id(public) not in map(_key_id, self.trusted()):
            raise EvidenceError(
                f"the signing key {_key_id(public)} is not trusted here: put its public key into "
                f"{self.directory / 'trusted'}/{_key_id(public)}.pub"
            )

    def sign(self, statement: dict[str, Any]) -> dict[str, Any]:
        """Return the statement's signed envelope. EvidenceError when there is no key."""
        key = self._load()
        payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
        signature = key.sign(_encode(payload))
        return {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": _key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
        }

    def verify(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """Return the statement inside when a trusted key signed it, else raise EvidenceError."""
        return self.examine(envelope)[0]

    def examine(self, envelope: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """Return the statement inside and the id of the trusted key that signed it, else raise EvidenceError."""
        try:
            if envelope["payloadType"] != PAYLOAD_TYPE:
                raise EvidenceError(f"evidence of type {envelope['payloadType']!r}, expected {PAYLOAD_TYPE}")
            payload = base64.b64decode(envelope["payload"], validate=True)
            signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"evidence is malformed: {error}") from error
        signer = next((key for key in self.trusted() for one in signatures if _signed(key, one, payload)), None)
        if signer is None:
            raise EvidenceError("evidence is not signed by a trusted key, or was changed after it was signed")
        try:
            statement = json.loads(payload)
        except ValueError as error:
            raise EvidenceError(f"evidence is malformed: the signed payload is not JSON ({error})") from error
        if not isinstance(statement, dict):
            raise EvidenceError("evidence is malformed: the signed payload is not an object")
        return statement, _key_id(signer)

    def trusted(self) -> list[Ed25519PublicKey]:
        """Return the trusted public keys: every `trusted/*.pub` (PEM)."""
        keys = []
        for file in sorted((self.directory / "trusted").glob("*.pub")):
            try:
                key = serialization.load_pem_public_key(file.read_bytes())
            except (OSError, ValueError) as error:
                raise EvidenceError(f"{file}: not a public key ({error}); restore it, or remove it") from error
            if not isinstance(key, Ed25519PublicKey):
                raise EvidenceError(f"{file}: expected an ed25519 public key")
            keys.append(key)
        return keys


def _signed(key: Ed25519PublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        key.verify(signature, _encode(payload))
    except InvalidSignature:
        return False
    return True
