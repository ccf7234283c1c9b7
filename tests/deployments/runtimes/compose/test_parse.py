"""Compose files as values: what compose's own reader makes of plain scalars, and what is written of them."""

import json

import pytest

from deployments.runtimes.compose.parse import parse, written
from host.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0440", 288),
        ("0o17", 15),
        ("0x1f", 31),
        ("1_000", 1000),
        ("-7", -7),
        ("08", 8.0),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("1_000.5", 1000.5),
        ("1_0e3", 10000.0),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "0x52908400098527886E0F7030069857D2E4169EE7"),
        ("0b" + "1" * 65, "0b" + "1" * 65),
        ("0o7777777777777777777777", "0o7777777777777777777777"),
        ("0xFFFFFFFFFFFFFFFF", 2**64 - 1),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", -9223372036854775808.0),
        ("012345670123456701234567", 12345670123456701234567.0),
        ("_1", "_1"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("~", None),
        ("", None),
        ("TRUE", True),
        ("yes", "yes"),
        ("on", "on"),
        ("22:22", "22:22"),
        ("2024-01-01", "2024-01-01"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("'null'", "null"),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: object) -> None:
    found = parse(f"a: {text}", "c.yml").value["a"]
    assert (found, type(found)) == (value, type(value))


def test_merge_keys_are_resolved_and_lines_are_kept() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nm:\n  <<: [*x, *y]\n  c: 3\n"
    document = parse(text, "c.yml")
    assert document.value["m"] == {"c": 3, "a": 1, "b": 1}
    assert document.at(("m", "c")) == "c.yml:5" and document.at(("m", "a", "deep")) == "c.yml:3"


@pytest.mark.parametrize(
    "text", ["a: !!binary eA==", "a: !!timestamp 2024-01-01", "!x {a: 1}", "1: a", "<<: 3", "a: *b"]
)
def test_what_is_no_plain_yaml_is_refused_by_file(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^c\.yml"):
        parse(text, "c.yml")


def test_what_is_written_is_ascii_and_reads_the_same() -> None:
    value = {"a": '\u00fc\u2028\U0001f600\n"', "b": [1, 1.5, None, True, "yes"]}
    text = written(value)
    assert text.isascii() and parse(text, "c.yml").value == value
    assert json.loads(written({"a": ["x"]})) == {"a": ["x"]}
