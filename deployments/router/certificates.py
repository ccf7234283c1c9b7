"""A TLS certificate and its key, read from PEM files as an issuing program (certbot, a mounted secret) left them."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from gates.release.certificates import CertificateFacts, refusal
from host.errors import ConfigError

# Long enough that nobody is told of its end: its being there is what people are told of.
PLACEHOLDER_LIFE = timedelta(days=3650)
PLACEHOLDER = "placeholder-"


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


def placeholder(names: tuple[str, ...], now: datetime) -> Certificate:
    """Make a certificate that no client believes, for a router that has none yet: a new one, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Slipway: no certificate yet")])
    ends = now + PLACEHOLDER_LIFE
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, ends)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
    chain = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    version = f"{PLACEHOLDER}{hashlib.sha256(chain).hexdigest()[:16]}"
    return Certificate(chain.decode("ascii"), key_pem.decode("ascii"), version, names, ends)


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
