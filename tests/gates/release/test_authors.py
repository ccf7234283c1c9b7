"""Two spellings of an address are one person, and what cannot be seen is spelt out."""

import pytest

from gates.release.authors import address_key, shown_address, shown_name


@pytest.mark.parametrize(
    "address",
    [
        "Robin@Bücher.example",
        " robin@bücher.example ",
        "<robin@bücher.example>",
        "robin@xn--bcher-kva.example",
        "robin\u200b@b\u00fccher.example",
        "robin@bu\u0308cher.example",
        "robin@bücher.example.",
    ],
)
def test_spellings_of_an_address_have_one_key(address: str) -> None:
    assert address_key(address) == "robin@xn--bcher-kva.example"


@pytest.mark.parametrize("address", ["", "robin", "@", "a@b@c", "robin@" + "x" * 300, "robin@" + "ü" * 300, "a@..b"])
def test_what_is_no_address_keeps_its_text(address: str) -> None:
    assert address_key(address) == address


def test_different_addresses_stay_different() -> None:
    assert len({address_key(one) for one in ("robin@a.b", "robin@a.c", "robin+x@a.b", "r\u043ebin@a.b")}) == 4


def test_what_is_shown_hides_nothing() -> None:
    assert shown_address("Robin@example.com") == "Robin@example.com"
    assert shown_address("r\u043eb\u200bin @a.b") == "r\\u043eb\\u200bin\\u0020@a.b"
    assert shown_address("") == "no address"
    assert shown_name("Zoë \u202eevil") == "Zoë \\u202eevil"
