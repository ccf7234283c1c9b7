"""The keys about TLS: a certificate from files, or from an ACME authority, and what each needs."""

import pytest
from pydantic import ValidationError

from settings.tls import Tls

ACME = {"TLS_DOMAINS": "shop.example", "ACME_TERMS": "agreed", "REDIRECT_PORT": 80}


def read(**keys: object) -> Tls:
    return Tls.model_validate({"PORT": 443, **keys})


def test_without_a_key_it_is_plain_http() -> None:
    assert not read().tls and read().domains == ()


def test_names_are_told_once_and_in_small_letters() -> None:
    one = read(**{**ACME, "TLS_DOMAINS": "Shop.example, www.shop.example,shop.example"})
    assert one.tls and one.domains == ("shop.example", "www.shop.example")


def test_names_with_a_star_need_dns() -> None:
    keys = {**ACME, "TLS_DOMAINS": "*.shop.example", "REDIRECT_PORT": 0}
    assert read(**keys, ACME_DNS_HOOK="/etc/shop/dns").domains == ("*.shop.example",)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({**ACME, "ACME_TERMS": ""}, "read the terms of"),
        ({**ACME, "ACME_TERMS": "yes"}, "ACME_TERMS"),
        ({**ACME, "REDIRECT_PORT": 0}, "set REDIRECT_PORT=80"),
        ({**ACME, "REDIRECT_PORT": 443}, "another port than PORT"),
        ({**ACME, "TLS_DOMAINS": "*.shop.example"}, "set ACME_DNS_HOOK"),
        ({**ACME, "TLS_DOMAINS": "https://shop.example"}, "expected a host name"),
        ({**ACME, "TLS_DOMAINS": "localhost"}, "expected a host name"),
        ({**ACME, "TLS_DOMAINS": "a..example"}, "expected a host name"),
        ({**ACME, "TLS_DOMAINS": "-a.example"}, "expected a host name"),
        ({**ACME, "TLS_DOMAINS": "--server=x.example"}, "expected a host name"),
        ({**ACME, "TLS_DOMAINS": ("a" * 64) + ".example"}, "expected a host name"),
        ({**ACME, "TLS_DOMAINS": ",".join(f"a{n}.example" for n in range(101))}, "100 at most"),
        ({**ACME, "ACME_DIRECTORY": "http://acme.example/directory"}, "ACME_DIRECTORY"),
        ({**ACME, "ACME_DIRECTORY": "https://me:word@acme.example/directory"}, "ACME_DIRECTORY"),
        ({**ACME, "ACME_EMAIL": "me"}, "ACME_EMAIL"),
        ({**ACME, "ACME_DNS_HOOK": "hook"}, "ACME_DNS_HOOK"),
        ({**ACME, "TLS_CERTIFICATE": "/a", "TLS_KEY": "/b"}, "set one of them"),
        ({**ACME, "TLS_DOMAINS": ","}, "expected host names"),
        ({**ACME, "TLS_DOMAINS": "127.0.0.1"}, "expected a host name"),
        ({"ACME_TERMS": "agreed"}, "is for TLS_DOMAINS"),
        ({"ACME_DNS_HOOK": "/hook"}, "is for TLS_DOMAINS"),
        ({"TLS_CERTIFICATE": "/a"}, "both be set"),
        ({"REDIRECT_PORT": 80}, "needs TLS_CERTIFICATE or TLS_DOMAINS"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_contradicts_itself_is_refused(keys: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        read(**keys)
