import pytest

from assistant.security import (
    hash_password,
    read_token,
    sign_token,
    sign_webhook,
    verify_password,
    webhook_problem,
)


def test_only_the_right_password_is_accepted() -> None:
    stored = hash_password("correct horse", log2_n=2)
    assert verify_password("correct horse", stored)
    assert not verify_password("Correct horse", stored)


def test_the_same_password_never_has_the_same_hash() -> None:
    assert hash_password("correct horse", 2) != hash_password("correct horse", 2)


def test_a_hash_keeps_the_cost_it_was_made_with() -> None:
    assert hash_password("correct horse", 3).startswith("scrypt$3$")


def test_a_token_names_its_subject_until_it_expires() -> None:
    token = sign_token("key", "session", 7, expires_at=100)
    assert read_token("key", "session", token, now=99.9) == 7
    assert read_token("key", "session", token, now=100) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-2],
        lambda token: "x" + token,
        lambda token: token.partition(".")[0],
        lambda token: token + "ä",
        lambda token: "",
        lambda token: "a.b.c",
    ],
)
def test_a_changed_token_names_nobody(spoil: object) -> None:
    assert callable(spoil)
    token = spoil(sign_token("key", "session", 7, 100))
    assert read_token("key", "session", token, now=0) is None


def test_a_token_works_for_its_purpose_and_its_key_only() -> None:
    token = sign_token("key", "oauth-mail", 7, 100)
    assert read_token("key", "session", token, 0) is None
    assert read_token("other", "oauth-mail", token, 0) is None


@pytest.mark.parametrize(
    ("timestamp", "age", "problem"),
    [
        ("1000", 0, None),
        ("1000", 300, None),
        ("1000", 301, "timestamp too far from now"),
        ("1000", -301, "timestamp too far from now"),
        ("nan", 0, "timestamp too far from now"),
        ("soon", 0, "bad timestamp"),
    ],
)
def test_webhooks_must_be_fresh(timestamp: str, age: float, problem: str | None) -> None:
    signature = sign_webhook("key", timestamp, b"body")
    assert webhook_problem("key", timestamp, signature, b"body", now=1000 + age) == problem


def test_webhooks_must_be_signed_by_us_over_these_bytes() -> None:
    signature = sign_webhook("key", "1000", b"body")
    assert webhook_problem("key", "1000", signature, b"other", 1000) == "bad signature"
    assert webhook_problem("other", "1000", signature, b"body", 1000) == "bad signature"
    assert webhook_problem("key", "1001", signature, b"body", 1000) == "bad signature"
    assert webhook_problem("key", "1000", "", b"body", 1000) == "unsigned"
