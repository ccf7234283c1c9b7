"""What `$` begins: as compose reads it, and nothing of a password in what is told."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.runtimes.compose.variables import Mention, dangling, entries, may_be_shown, mentions
from tests.growth import assert_in_proportion


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a$NAME-b", [Mention("NAME")]),
        ("${NAME}", [Mention("NAME", True, True)]),
        ("$$NAME $${NAME}", []),
        ("$ $1 $* $(ls) a$", []),
        ("${A:-x}${B-}${C:+y}${D?no}${E:?no}", [Mention(one, False, True, one in "DE") for one in "ABCDE"]),
        ("${A:-${B}}", [Mention("A", False, True), Mention("B", True, True)]),
        ("${A:-$B}", [Mention("A", False, True), Mention("B")]),
        ("${A:-${B:-{}}}", [Mention("A", False, True), Mention("B", False, True)]),
        ("{} } $A", [Mention("A")]),
        ("${", [Mention("")]),
        ("${1}", [Mention("")]),
        ("${A", [Mention("")]),
        ("${A!}", [Mention("")]),
        ("${A:-x", [Mention("A", False, True), Mention("")]),
        ("\u00fc$\u00fc", []),
    ],
)
def test_variables_are_found_as_compose_finds_them(text: str, found: list[Mention]) -> None:
    assert list(mentions(text)) == found


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("PASSWORD=pa$word", "PASSWORD"),
        ('PASSWORD="pa$word"', "PASSWORD"),
        (r"PASSWORD=pa\$word", "PASSWORD"),
        ("A=1\nB=$A\nC=$D", "C"),
        ("A=$A", "A"),
        ("export DSN=db://u:${pw}@db", "DSN"),
        ("A=x${", "A"),
        ("A=x$word # comment", "A"),
        ('A="one\ntwo $word"', "A"),
        ("A=$B\nB=1", "A"),
        ("A: x$word", "A"),
        ("A:b=$word", "A"),
        ("export A : $word", "A"),
        ("A\nB=$A", "B"),
    ],
)
def test_a_sign_that_begins_a_variable_of_no_value_is_found(line: str, key: str) -> None:
    (found,) = dangling(entries(line), {"TOKEN"})
    assert found[0].key == key


@pytest.mark.parametrize(
    "line",
    [
        "A=pa$$word",
        "A='pa$word'",
        'A="pa\\$word"',
        "A=pa$",
        "A=pa$1x",
        "A=${TOKEN}x$TOKEN",
        "B=1\nA=$B",
        "A=${x:-d}",
        "A=x # $word",
        "# A=$word",
        "A='x\n$word'",
        "A: 'x$word'",
        "A: $TOKEN",
        "",
        "A",
        "A=",
    ],
)
def test_other_signs_are_left_alone(line: str) -> None:
    assert list(dangling(entries(line), {"TOKEN"})) == []


def test_lines_are_counted_from_one_and_comments_with_them() -> None:
    text = "# first\n\nA=1\n\n\nB='x\ny'\nC=$word\n"
    assert [(one.key, one.line) for one in entries(text)] == [("A", 3), ("B", 6), ("C", 8)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=b", [("A", "b")]),
        ("A: b # c", [("A", "b")]),
        ("A:b=c", [("A", "b=c")]),
        (" export A.b-c[0] = d#e", [("A.b-c[0]", "d#e")]),
        ("A=#b", [("A", "")]),
        ('A=\'b\nc\' # d\r\nB="e\\"f"', [("A", "b\nc"), ("B", 'e"f')]),
        ("A\nexport B # c", [("A", None), ("B", None)]),
        ("\ufeffA=b", [("A", "b")]),
        ("A b=c", [("", None)]),
        ("=b", [("", None)]),
        ("'A'=b\nB=c", [("", None), ("B", "c")]),
        ("A='b\nC=d", [("", None), ("C", "d")]),
        ("# A=b\n\n  \n", []),
    ],
)
def test_lines_are_read_as_compose_reads_them(text: str, found: list[tuple[str, str | None]]) -> None:
    assert [(one.key, one.value) for one in entries(text)] == found


def test_a_part_of_a_password_is_not_told() -> None:
    assert may_be_shown(Mention("DB_NAME"), "DSN") and may_be_shown(Mention("TOKEN", True, True), "PASSWORD")
    assert not may_be_shown(Mention("word"), "DSN") and not may_be_shown(Mention("WORD9"), "DB_PASSWORD")


TEXTS = st.text(alphabet="$${}:-?+=#'\"\\ \n\rAb_1\u00fc\x00\u2028", max_size=60) | st.text(max_size=40)


@pytest.mark.fuzz
@given(TEXTS, st.sets(st.sampled_from(["A", "b", "A1"])))
@settings(deadline=None)
def test_any_text_is_read(text: str, known: set[str]) -> None:
    for entry, mention in dangling(entries(text), known):
        assert mention.name not in known and entry.key in text
    for mention in mentions(text):
        assert f"${mention.name}" in text or f"${{{mention.name}" in text


@pytest.mark.parametrize(
    "unit",
    [
        "$",
        "${A:-",
        "${",
        "}",
        "$A",
        "A=$b\n",
        "A='",
        "\n",
        " ",
        "\\",
        'A="x\ny"\n',
        "#$",
        "A\n",
        "A='\n",
        'A="\\',
        "export ",
    ],
)
def test_a_longer_text_takes_longer_in_proportion(unit: str) -> None:
    def prepared(size: int) -> Callable[[], object]:
        text = unit * (size // len(unit))
        return lambda: (list(mentions(text)), list(dangling(entries(text), set())))

    assert_in_proportion(prepared, 50_000, 500_000)
