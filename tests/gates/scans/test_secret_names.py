import pytest

from gates.scans.secret_names import looks_secret

WORDS = (
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "ACCESSKEY",
    "PRIVATE_KEY",
    "PRIVATEKEY",
    "CREDENTIAL",
    "CREDENTIALS",
)
ABOUT = ("FILE", "PATH", "DIR", "URL", "NAME", "TTL", "SECONDS", "MINUTES", "LENGTH", "HEADER", "ENABLED")


@pytest.mark.parametrize("word", WORDS)
def test_a_name_with_a_word_for_secrets_looks_secret_wherever_the_word_stands(word: str) -> None:
    for name in (word, word.lower(), f"APP_{word}", f"{word}_OLD", f"APP_{word}_2"):
        assert looks_secret(name, "x"), name


@pytest.mark.parametrize("word", WORDS)
def test_a_word_for_secrets_within_another_word_is_none(word: str) -> None:
    for name in (f"A{word}", f"{word}Z", f"APP{word}_X"):
        assert not looks_secret(name, "x"), name


@pytest.mark.parametrize("end", ABOUT)
def test_a_name_that_says_where_a_secret_is_or_how_long_it_lives_holds_none(end: str) -> None:
    assert not looks_secret(f"TOKEN_{end}", "x") and not looks_secret(f"token_{end.lower()}", "x")
    assert looks_secret(f"TOKEN_{end}_X", "x") and looks_secret(f"TOKEN_X{end}", "x")


@pytest.mark.parametrize("name", ["", "PORT", "MONKEY", "KEY", "KEYBOARD", "PUBLIC_KEY"])
def test_other_names_hold_no_secret(name: str) -> None:
    assert not looks_secret(name, "x")


@pytest.mark.parametrize(
    ("value", "secret"),
    [
        ("postgresql://app:hunter2@db/shop", True),
        ("postgresql+asyncpg://app:hunter2@db/shop", True),
        ("REDIS://:hunter2@cache", True),
        ("first http://one.example then http://app:hunter2@two.example", True),
        ("postgresql://app@db/shop", False),
        ("postgresql://app:@db/shop", False),
        ("postgresql://db:5432/shop", False),
        ("http://db:5432/shop@home", False),
        ("postgresql://app:$PASSWORD@db/shop", False),
        ("app:hunter2@db", False),
    ],
)
def test_a_password_within_a_url_is_a_secret_under_any_name(value: str, secret: bool) -> None:
    assert looks_secret("DATABASE_URL", value) is secret
    assert looks_secret("TOKEN_URL", value) is secret
    assert looks_secret("X", value) is secret


def test_a_variable_without_a_value_holds_no_secret() -> None:
    assert not looks_secret("PASSWORD", "")
