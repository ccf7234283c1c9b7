"""Sign and verify statements: ed25519 in a DSSE envelope (https://github.com/secure-systems-lab/dsse, v1)."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from evidence.errors import EvidenceError
from evidence.store import write_atomically

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
    """The directory with this installation's signing key and the public keys that it trusts."""

    directory: Path

    @property
    def private(self) -> Path:
        return self.directory / "evidence.key"

    def create(self) -> None:
        """Generate the key once, 0600, and trust it. Safe to repeat, and to be killed in: a complete key is kept."""
        trusted = self.directory / "trusted"
        trusted.mkdir(parents=True, exist_ok=True)
        if self.private.exists():
            return
        key = Ed25519PrivateKey.generate()
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        public = key.public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        # The public key first: a private key that is there is always a whole one that is trusted.
        write_atomically(trusted / f"{_key_id(public)}.pub", pem)
        write_atomically(self.private, key.private_bytes(*form))

    def sign(self, statement: dict[str, Any]) -> dict[str, Any]:
        """Return the statement's signed envelope. EvidenceError when there is no key."""
        try:
            key = serialization.load_pem_private_key(self.private.read_bytes(), password=None)
        except (OSError, ValueError) as error:
            raise EvidenceError(f"{self.private}: no usable signing key ({error}); run: make setup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise EvidenceError(f"{self.private}: expected an ed25519 key, got {type(key).__name__}")
        payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
        signature = key.sign(_encode(payload))
        return {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": _key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
        }

    def verify(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """Return the statement inside when a trusted key signed it, else raise EvidenceError."""
        try:
            if envelope["payloadType"] != PAYLOAD_TYPE:
                raise EvidenceError(f"evidence of type {envelope['payloadType']!r}, expected {PAYLOAD_TYPE}")
            payload = base64.b64decode(envelope["payload"], validate=True)
            signatures = [base64.b64decode(one["sig"], validate=True) for one in envelope["signatures"]]
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"evidence is malformed: {error}") from error
        if not any(_signed(key, signature, payload) for key in self.trusted() for signature in signatures):
            raise EvidenceError("evidence is not signed by a trusted key, or was changed after it was signed")
        try:
            statement = json.loads(payload)
        except ValueError as error:
            raise EvidenceError(f"evidence is malformed: the signed payload is not JSON ({error})") from error
        if not isinstance(statement, dict):
            raise EvidenceError("evidence is malformed: the signed payload is not an object")
        return statement

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
