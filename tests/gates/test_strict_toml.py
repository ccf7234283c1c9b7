"""TOML that no reader could go down, or no program be given, is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.strict_toml import TomlError, parse


def test_tables_are_read() -> None:
    assert parse(b"a.b = 1\n[c]\nd = [1, {e = 2}]\n") == {"a": {"b": 1}, "c": {"d": [1, {"e": 2}]}}
    assert parse("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "not valid TOML: "),
        (b'a = "\xff"', "not valid TOML: not UTF-8 at byte 5"),
        ("x = " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
        (".".join("a" * 2_000) + " = 1", "nested too deeply"),
        (".".join("a" * 102) + " = 1", "nested too deeply"),
        ("a = " + "9" * 5_000, "it holds a value that cannot be read: "),
        ('a = "\\u0000"', "a: holds a NUL character"),
        ('[a]\n"b\\u0000" = 1', "a.'b\\x00': holds a NUL character"),
    ],
    ids=range(8),
)
def test_what_is_wrong_is_told(text: str | bytes, said: str) -> None:
    with pytest.raises(TomlError) as error:
        parse(text)
    assert said in str(error.value) and len(str(error.value)) < 300


def test_a_hundred_levels_are_read() -> None:
    assert parse(".".join("a" * 100) + " = 1")


@pytest.mark.fuzz
@given(st.text() | st.binary())
def test_any_text_is_toml_or_an_error_of_ours(text: str | bytes) -> None:
    try:
        assert isinstance(parse(text), dict)
    except TomlError:
        pass
