"""Certificates as an issuing program leaves them: a chain and a key in PEM files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC).replace(microsecond=0)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Issuer:
    """Whoever issues: a root and an intermediate, made anew."""

    root: ec.EllipticCurvePrivateKey
    middle: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls) -> "Issuer":
        return cls(ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()))

    def _issue(
        self, subject: str, issuer: str, by: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey, days: int
    ) -> x509.CertificateBuilder:
        begins = NOW - timedelta(days=30)
        builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(begins).not_valid_after(NOW + timedelta(days=days))

    @property
    def root_pem(self) -> bytes:
        """Return what clients trust."""
        basic = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._issue("root", "root", self.root, self.root, 365).add_extension(basic, critical=True)
        return builder.sign(self.root, hashes.SHA256()).public_bytes(Encoding.PEM)

    def pair(self, name: str = "shop.example", days: int = 60, begins_in: int = -30) -> tuple[bytes, bytes]:
        """Return a chain (server's, intermediate's) and its key, valid until `days` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._issue(name, "middle", self.middle, key, days)
        if begins_in > -30:
            leaf = x509.CertificateBuilder().subject_name(_name(name)).issuer_name(_name("middle"))
            leaf = leaf.public_key(key.public_key()).serial_number(x509.random_serial_number())
            leaf = leaf.not_valid_before(NOW + timedelta(days=begins_in)).not_valid_after(NOW + timedelta(days=days))
        leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        middle = self._issue("middle", "root", self.root, self.middle, 365).add_extension(basic, critical=True)
        made = (leaf.sign(self.middle, hashes.SHA256()), middle.sign(self.root, hashes.SHA256()))
        return b"".join(one.public_bytes(Encoding.PEM) for one in made), pem_of(key)


def pem_of(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


@dataclass(frozen=True)
class Files:
    """Where a pair lies."""

    certificate: Path
    key: Path

    @classmethod
    def under(cls, directory: Path) -> "Files":
        directory.mkdir(parents=True, exist_ok=True)
        return cls(directory / "fullchain.pem", directory / "privkey.pem")

    def write(self, pair: tuple[bytes, bytes]) -> None:
        """Write both, in place and one after the other, as some programs do."""
        self.certificate.write_bytes(pair[0])
        self.key.write_bytes(pair[1])
        self.key.chmod(0o600)
