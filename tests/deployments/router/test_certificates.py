"""Whatever may be wrong with a certificate is told by its file, before anybody is served with it."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from deployments.router.certificates import end_of, read_certificate
from gates.release.certificates import ends_soon
from host.errors import ConfigError
from tests.pems import NOW, Files, Issuer, pem_of


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files.under(tmp_path)


def read(files: Files) -> None:
    read_certificate(files.certificate, files.key, NOW)


def test_a_good_pair_is_read_with_its_names_and_end_and_shows_no_key(files: Files) -> None:
    pair = Issuer.make().pair("shop.example", days=40)
    files.write(pair)
    found = read_certificate(files.certificate, files.key, NOW)
    assert found.names == ("shop.example",) and found.ends == NOW + timedelta(days=40) == end_of(found.chain)
    assert "PRIVATE" not in repr(found) and len(found.version) == 16
    other = Issuer.make().pair("shop.example")
    files.write(other)
    assert read_certificate(files.certificate, files.key, NOW).version != found.version


def test_what_cannot_be_served_is_refused_with_the_reason(files: Files) -> None:
    issuer = Issuer.make()
    chain, key = issuer.pair()
    leaf, middle = (part + b"-----END CERTIFICATE-----\n" for part in chain.split(b"-----END CERTIFICATE-----\n")[:2])
    bad = {
        "expired at": issuer.pair(days=0),
        "is not valid before": issuer.pair(begins_in=1),
        "the key does not belong to the certificate for shop.example": (chain, issuer.pair()[1]),
        "the chain is out of order": (leaf + issuer.root_pem + middle, key),
        "fullchain.pem: no certificate in PEM": (b"nothing", key),
        "privkey.pem: no private key in PEM": (chain, b"nothing"),
        "privkey.pem: the key is encrypted": (chain, pem_of(ec.generate_private_key(ec.SECP256R1()), b"word")),
    }
    for why, pair in bad.items():
        files.write(pair)
        with pytest.raises(ConfigError) as refused:
            read(files)
        assert why in str(refused.value) and "PRIVATE" not in str(refused.value)
    files.write((leaf, key))  # an intermediate may come from elsewhere
    read(files)


def test_a_file_that_is_not_there_is_named(files: Files) -> None:
    with pytest.raises(ConfigError, match="fullchain.pem: cannot be read: No such file"):
        read(files)
    files.certificate.write_bytes(Issuer.make().pair()[0])
    with pytest.raises(ConfigError, match="privkey.pem: cannot be read"):
        read(files)


@pytest.mark.parametrize(("days", "said"), [(15, ""), (14, "in 14 days"), (3, "in 3 days"), (0, "clients turn away")])
def test_an_end_that_is_near_is_told(days: int, said: str) -> None:
    assert (said in ends_soon(NOW + timedelta(days=days), NOW)) and bool(
        ends_soon(NOW + timedelta(days=days), NOW)
    ) == bool(said)
