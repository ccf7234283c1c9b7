"""Who may speak with the monitoring stack: one certificate for its programs, and one for those who ask them.

Both are signed by an authority whose key is thrown away then: nobody can make a third one. A client sends its secret to
nobody: a stranger on the port of a program that is down gets nothing that can be used later.
"""

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from host.files import read_or_create, write_atomically
from host.home import Home

FILE = "monitoring.pem"
VALID = timedelta(days=3650)
RENEWED_BEFORE = timedelta(days=90)
_BLOCK = re.compile(rb"-----BEGIN [A-Z ]+-----\n.+?\n-----END [A-Z ]+-----\n", re.DOTALL)


@dataclass(frozen=True)
class Certificates:
    """PEM texts: what both sides trust, and what each shows."""

    authority: bytes
    server: bytes
    server_key: bytes
    client: bytes
    client_key: bytes


def certificates(home: Home, now: datetime | None = None) -> Certificates:
    """Return the certificates in keys/ (0600), made when absent, and made anew when unreadable or soon over."""
    file, now = home.keys / FILE, now or datetime.now(UTC)
    known = _read(read_or_create(file, lambda: _made(now)), now)
    if known is not None:
        return known
    fresh = _made(now)
    write_atomically(file, fresh)
    return Certificates(*_BLOCK.findall(fresh))


def client_context(directory: Path) -> ssl.SSLContext:
    """Return the context of a client whose files lie in `directory`. Raises OSError if they are absent or none."""
    context = ssl.create_default_context(cafile=str(directory / "ca.crt"))
    context.load_cert_chain(directory / "client.crt", directory / "client.key")
    return context


def _read(content: bytes, now: datetime) -> Certificates | None:
    """Return what a file holds, None when it is not what `_made` writes or is over within RENEWED_BEFORE."""
    blocks = _BLOCK.findall(content)
    try:
        read = Certificates(*blocks)
        ends = [
            x509.load_pem_x509_certificate(one).not_valid_after_utc
            for one in (read.authority, read.server, read.client)
        ]
    except (TypeError, ValueError):
        return None
    return read if min(ends) - now > RENEWED_BEFORE else None


def _made(now: datetime) -> bytes:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    name = _name("slipway monitoring")
    authority = (
        _builder(name, name, authority_key.public_key(), authority_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    blocks = [authority.public_bytes(serialization.Encoding.PEM)]
    for subject, purpose in (
        ("slipway monitoring server", ExtendedKeyUsageOID.SERVER_AUTH),
        ("slipway monitoring client", ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        blocks += _leaf(subject, purpose, authority_key, now)
    return b"".join(blocks)


def _leaf(subject: str, purpose: ObjectIdentifier, signer: ec.EllipticCurvePrivateKey, now: datetime) -> list[bytes]:
    """Return a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    local = [x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")]
    builder = (
        _builder(_name(subject), _name("slipway monitoring"), key.public_key(), signer, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(local), critical=False)
    )
    plain = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return [
        builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(*plain),
    ]


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + VALID)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return builder.add_extension(signed_by, critical=False)


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
