"""Signed statements: ed25519 in DSSE envelopes (https://github.com/secure-systems-lab/dsse, v1)."""

import copy
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from evidence.revocation import read_revocations, signed_at
from host.errors import EvidenceError, RevokedError
from host.files import write_atomically

REVOKED = "revoked.toml"
CI, ALL = "ci", "everything"
ROLE = re.compile("[a-z][a-z0-9-]*")
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def _key(public: Ed25519PublicKey) -> SSlibKey:
    """Return the library's form of a public key; its id is the start of the SHA-256 of its 32 bytes."""
    return SSlibKey.from_crypto(public, keyid=hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16])


@dataclass(frozen=True)
class Keys:
    """The directory with this installation's signing key and the public keys that it trusts.

    `SLIPWAY_SIGNING_KEY` names another file with the signing key (PEM, PKCS 8, ed25519). `pem` is the key itself,
    if it does not come from a file. A signature counts only where its public key is in `trusted/`, for everything, or
    in a folder there that is named for a role: `trusted/ci/` for evidence, `trusted/<environment>/` for what that
    environment promotes and withdraws.
    """

    directory: Path
    pem: bytes | None = field(default=None, repr=False)

    @property
    def private(self) -> Path:
        named = os.environ.get("SLIPWAY_SIGNING_KEY")
        return Path(named) if named else self.directory / "evidence.key"

    def create(self) -> None:
        """Generate the key once, mode 0600, and trust it. Safe to repeat after a kill: a complete key is kept.

        A key that `SLIPWAY_SIGNING_KEY` names is never generated, only trusted. Raises EvidenceError if it is unusable.
        """
        trusted = self.directory / "trusted"
        trusted.mkdir(parents=True, exist_ok=True)
        if os.environ.get("SLIPWAY_SIGNING_KEY"):
            public = self._load().public_key()
            if _key(public) not in self.trusted():  # with its role, if it has one
                self.trust(public)
            return
        if self.private.exists():
            return
        key = Ed25519PrivateKey.generate()
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        # The public key first: an existing private key is always complete and trusted.
        self.trust(key.public_key())
        write_atomically(self.private, key.private_bytes(*form))

    def trust(self, public: Ed25519PublicKey) -> None:
        """Trust the signatures of this key from now on."""
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        write_atomically(self.directory / "trusted" / f"{_key(public).keyid}.pub", pem)

    def _load(self) -> Ed25519PrivateKey:
        source = "the signing key" if self.pem else str(self.private)
        try:
            key = serialization.load_pem_private_key(self.pem or self.private.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            # The parser's message may quote a key that does not come from a file.
            reason = type(error).__name__ if self.pem else error
            raise EvidenceError(f"{source}: no usable signing key ({reason}); run: make setup") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise EvidenceError(f"{source}: expected an ed25519 key, got {type(key).__name__}")
        return key

    def prove(self, role: str = CI) -> None:
        """Raise EvidenceError unless there is a usable signing key whose signatures count here, for this role."""
        key = _key(self._load().public_key())
        if key not in self.trusted():
            raise EvidenceError(
                f"the signing key {key.keyid} is not trusted here: put its public key into "
                f"{self.directory / 'trusted'}/{key.keyid}.pub"
            )
        self._refuse_revoked(key.keyid, datetime.now(UTC))
        self._refuse_role(key.keyid, role)

    def sign(self, statement: dict[str, Any]) -> dict[str, Any]:
        """Return the statement's signed envelope. Raises EvidenceError if there is no key."""
        private = self._load()
        envelope = Envelope(json.dumps(statement, sort_keys=True, separators=(",", ":")).encode(), PAYLOAD_TYPE, {})
        envelope.sign(CryptoSigner(private, _key(private.public_key())))
        return envelope.to_dict()

    def verify(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """Return the statement in an envelope. Raises like `examine`."""
        return self.examine(envelope)[0]

    def examine(
        self, envelope: dict[str, Any], role_of: Callable[[dict[str, Any]], str] = lambda _: CI
    ) -> tuple[dict[str, Any], str]:
        """Return the statement and the id of the key that signed it. `role_of` says who may sign such a statement.

        Raises RevokedError if the key was revoked before it signed this, EvidenceError if no key that is trusted with
        it signed it.
        """
        try:
            signed = Envelope.from_dict(copy.deepcopy(envelope))  # it changes its argument
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EvidenceError(f"evidence is malformed: {error}") from error
        if signed.payload_type != PAYLOAD_TYPE:
            raise EvidenceError(f"evidence of type {signed.payload_type!r}, expected {PAYLOAD_TYPE}")
        trusted = self.trusted()
        try:
            (key_id,) = signed.verify(trusted, threshold=1)
        except (VerificationError, ValueError) as error:
            raise EvidenceError(
                "evidence is not signed by a trusted key, or was changed after it was signed"
            ) from error
        try:
            statement = json.loads(signed.payload)
        except ValueError as error:
            raise EvidenceError(f"evidence is malformed: the signed payload is not JSON ({error})") from error
        if not isinstance(statement, dict):
            raise EvidenceError("evidence is malformed: the signed payload is not an object")
        self._refuse_revoked(key_id, signed_at(statement))
        self._refuse_role(key_id, role_of(statement))
        return statement, key_id

    def _refuse_role(self, key_id: str, role: str) -> None:
        roles = {given for key, given in self._trusted() if key.keyid == key_id}
        if not roles & {ALL, role}:
            trusted = self.directory / "trusted"
            raise EvidenceError(
                f"the key {key_id} signs for {', '.join(sorted(roles))}, not for {role}: if it may, put its .pub into "
                f"{trusted / role} too"
            )

    def _refuse_revoked(self, key_id: str, at: datetime | None) -> None:
        for one in read_revocations(self.directory / REVOKED):
            if one.key == key_id and one.covers(at):
                since = f" since {one.since:%Y-%m-%d}" if one.since else ""
                raise RevokedError(f"the key {key_id} is revoked{since} ({one.reason}): what it signed does not count")

    def files(self) -> list[Path]:
        """Return the files that say which keys count."""
        return [*sorted((self.directory / "trusted").rglob("*.pub")), self.directory / REVOKED]

    def trusted(self) -> list[Key]:
        """Return the trusted public keys (PEM): every `trusted/*.pub`, and those with a role, `trusted/<role>/*.pub`.

        Raises EvidenceError if a file is not one, or if nobody can tell which keys are revoked.
        """
        read_revocations(self.directory / REVOKED)
        return list({key.keyid: key for key, _ in self._trusted()}.values())

    def _trusted(self) -> list[tuple[Key, str]]:
        """Return the trusted keys, each with the role that it has: ALL, or the name of its folder."""
        trusted = self.directory / "trusted"
        keys: list[tuple[Key, str]] = []
        for file in (*sorted(trusted.glob("*.pub")), *sorted(trusted.glob("*/*.pub"))):
            role = ALL if file.parent == trusted else file.parent.name
            if role != ALL and not ROLE.fullmatch(role):
                raise EvidenceError(f"{file.parent}: no role; a folder is called {CI} or as an environment")
            try:
                key = serialization.load_pem_public_key(file.read_bytes())
            except (OSError, ValueError) as error:
                raise EvidenceError(f"{file}: not a public key ({error}); restore it, or remove it") from error
            if not isinstance(key, Ed25519PublicKey):
                raise EvidenceError(f"{file}: expected an ed25519 public key")
            keys.append((_key(key), role))
        return keys
