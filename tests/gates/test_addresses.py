"""Of an address, scheme and host are told; what else stands there can be a password."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.addresses import without_passwords


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("flask==3.0", "flask==3.0"),
        ("-r base.txt", "-r base.txt"),
        ("name@1.0", "name@1.0"),
        ("C:\\x", "C:\\x"),
        ("https://index.example", "https://index.example..."),
        ("-i https://index.example:8443/simple", "-i https://index.example:8443..."),
        ("-i https://user:word@index.example/simple", "-i https://index.example..."),
        ("git+ssh://git@index.example/x.git", "git+ssh://index.example..."),
        ("https://user:wo rd@index.example", "https://..."),
        ("https://user:word", "https://..."),
        ("https://user:wo/rd@index.example", "https://..."),
        ("//user:word@index.example", "//index.example..."),
        ("--proxy user:word@index.example", "--proxy ..."),
        ("user:word@https://index.example", "..."),
    ],
)
def test_up_to_where_a_text_is_told(text: str, told: str) -> None:
    assert without_passwords(text) == told


SECRET = "sesame"
PART = st.text(alphabet="ab.-_/=?&#+", max_size=6)


@pytest.mark.fuzz
@settings(deadline=None)
@given(PART, st.sampled_from(["https://", "git+https://", "//", "ssh://", "http:///"]), PART, PART, PART)
def test_no_password_is_told(before: str, scheme: str, user: str, after: str, path: str) -> None:
    assert SECRET not in without_passwords(f"{before} {scheme}{user}:{SECRET}{after}@index.example/{path}")


def test_a_megabyte_is_read_in_one_pass() -> None:
    for text in ("a" * 1_000_000, ":" * 1_000_000, "://" * 300_000, ": @" * 300_000, "a " * 500_000):
        assert len(without_passwords(text)) <= 1_000_003
