"""A TLS certificate and its key, read from PEM files as an issuing program (certbot, a mounted secret) left them."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gates.release.certificates import CertificateFacts, refusal
from host.errors import ConfigError


@dataclass(frozen=True)
class Certificate:
    """A pair that was found good. `version` tells it from others and is no secret; `ends` is aware UTC."""

    chain: str
    key: str
    version: str
    names: tuple[str, ...]
    ends: datetime

    def __repr__(self) -> str:
        return f"Certificate({self.version}, {', '.join(self.names)}, until {self.ends:%Y-%m-%d})"


def read_certificate(certificate: Path, key: Path, now: datetime) -> Certificate:
    """Read and check a pair. Raises ConfigError, which names the file and why it cannot be served; nothing of the key
    is in it.
    """
    chain_pem, key_pem = _bytes(certificate), _bytes(key)
    chain = _chain(certificate, chain_pem)
    facts = CertificateFacts(
        begins=chain[0].not_valid_before_utc,
        ends=chain[0].not_valid_after_utc,
        names=_names(chain[0]),
        key_matches=_belongs(key, key_pem, chain[0]),
        in_order=_in_order(chain),
    )
    if why := refusal(facts, now):
        raise ConfigError(f"{certificate}, {key}: {why}")
    version = hashlib.sha256(chain_pem).hexdigest()[:16]
    return Certificate(chain_pem.decode("ascii"), key_pem.decode("ascii"), version, facts.names, facts.ends)


def end_of(chain_pem: str) -> datetime:
    """Return when a chain's first certificate ends, aware UTC."""
    return x509.load_pem_x509_certificates(chain_pem.encode())[0].not_valid_after_utc.astimezone(UTC)


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; let this user read it") from error


def _chain(file: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        pem.decode("ascii")
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{file}: no certificate in PEM: {str(error)[:120]}") from error


def _belongs(file: Path, pem: bytes, certificate: x509.Certificate) -> bool:
    try:
        pem.decode("ascii")
        private = load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ConfigError(f"{file}: the key is encrypted, and nobody is there to type its password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{file}: no private key in PEM") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def _in_order(chain: list[x509.Certificate]) -> bool:
    for one, issuer in zip(chain, chain[1:], strict=False):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
    return True


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    return (*names.get_values_for_type(x509.DNSName), *addresses)
