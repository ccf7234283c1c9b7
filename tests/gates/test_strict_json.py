import json
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

from gates.strict_json import JsonError, Part, parse, read


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Invalid JSON: Expecting value at line 1 column 1"),
        ("{", "Invalid JSON: Expecting property name"),
        ("1 2", "Invalid JSON: Extra data"),
        ('{"a": NaN}', "Invalid JSON: NaN is no number of it"),
        ("[-Infinity]", "Invalid JSON: -Infinity is no number of it"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key c stands twice in one object"),
        ('{"a\\u2028b": 1, "a\\u2028b": 2}', "the key a?b stands twice in one object"),
        ("[" * 200_000, "Invalid JSON: nested too deeply"),
        ('{"a":' * 200_000, "Invalid JSON: nested too deeply"),
        ("[" * 200_000 + "]" * 200_000, "Invalid JSON: nested too deeply"),
        ("[" * 101 + "1" + "]" * 101, "Invalid JSON: nested too deeply"),
        ('{"a":' * 101 + "1" + "}" * 101, "Invalid JSON: nested too deeply"),
        ("9" * 5_000, "Invalid JSON: a number has too many digits"),
        ('["\\ud83d"]', "Invalid JSON: it is not UTF-8 throughout"),
        ('{"\\udead": 1}', "Invalid JSON: it is not UTF-8 throughout"),
        (b'["\xff"]', "Invalid JSON: it is not UTF-8 throughout"),
        ("\ufeff\ufeff{}", "Invalid JSON: Unexpected UTF-8 BOM"),
    ],
)
def test_what_is_no_json_or_could_be_read_in_two_ways_is_refused(text: str | bytes, why: str) -> None:
    with pytest.raises(JsonError, match=f"^{why.replace('?', '[?]')}"):
        parse(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
BYTES = st.binary(max_size=200) | st.text(alphabet='{}[]":,\\ux01eE+-. \n\ufeffNaIfty', max_size=60).map(str.encode)


@pytest.mark.fuzz
@given(VALUES)
def test_every_document_comes_out_as_it_is(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.fuzz
@given(BYTES)
def test_any_bytes_are_read_as_every_program_would_or_refused(content: bytes) -> None:
    try:
        found = parse(content)
    except JsonError:
        return
    assert json.dumps(found) == json.dumps(json.loads(content.decode("utf-8-sig")))


def test_a_key_twice_among_many_is_found_in_one_pass() -> None:
    text = "{" + ",".join(f'"{number}":1' for number in range(100_000)) + ',"99999":1}'
    with pytest.raises(JsonError, match="the key 99999 stands twice"):
        parse(text.encode())


@pytest.mark.parametrize("value", [{}, [], None, 1.5, "\U0001f600", {"a": [{"b": "\u2028"}]}, [[[[1]]]], 10**400])
def test_all_else_is_read(value: object) -> None:
    assert parse(json.dumps(value)) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value
    assert parse(b"\xef\xbb\xbf" + json.dumps(value).encode()) == value


class _Inner(Part):
    number: int = Field(ge=0)


class _Outer(Part):
    MEANS_NOTHING: ClassVar = frozenset({"comment"})
    name: str = ""
    share: float = 0
    inner: list[_Inner]


OUTER = TypeAdapter(_Outer)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[]", "Input should be a valid dictionary"),
        ("{}", "inner: Field required"),
        ('{"inner": null}', "inner: Field required"),
        ('{"inner": [{"number": 1, "more": "secret"}]}', "inner.0.more: a key that Slipway does not know$"),
        ('{"inner": [], "a\\nb": 1}', "a[?]b: a key that Slipway does not know$"),
        ('{"inner": [{"number": "1"}]}', "inner.0.number: Input should be a valid integer$"),
        ('{"inner": [{"number": true}]}', "inner.0.number: Input should be a valid integer$"),
        ('{"inner": [{"number": 1.0}]}', "inner.0.number: Input should be a valid integer$"),
        ('{"inner": [{"number": -1}]}', "inner.0.number: Input should be greater than or equal to 0$"),
        ('{"inner": [], "share": 1e999}', "share: Input should be a finite number$"),
        ('{"inner": [], "name": 5}', "name: Input should be a valid string$"),
    ],
)
def test_a_part_that_is_not_known_is_refused_by_name_without_its_value(text: str, why: str) -> None:
    with pytest.raises(JsonError, match=f"^{why}"):
        read(OUTER, text)


def test_null_is_absent_and_what_means_nothing_is_not_looked_at() -> None:
    text = '{"inner": [{"number": 3}], "name": null, "comment": {"anything": [NaN]}}'
    assert read(OUTER, text.replace("NaN", "0")) == _Outer(inner=[_Inner(number=3)])
    with pytest.raises(JsonError):
        read(OUTER, text)
