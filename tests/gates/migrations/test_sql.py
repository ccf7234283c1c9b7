"""PostgreSQL's lexical forms: what stands in texts, names and comments is no statement, and hides none."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.migrations import sql as reader
from gates.migrations.revision import judge_migration, without_own
from gates.migrations.sql import Statement, UnreadableSql, name_at, statements
from gates.migrations.statements import Kind
from tests.growth import assert_in_proportion

CONTRACT = Kind.CONTRACT


def test_words_are_not_what_stands_in_texts_comments_and_names() -> None:
    sql = """ALTER TABLE public."Us;ers" ADD a text DEFAULT 'x; y' /* ; -- */; -- DROP TABLE b;
        UPDATE t SET a = E'it\\'s; x', b = $x$ ; $x$;"""
    assert statements(sql) == [
        Statement(
            "ALTER TABLE public.\"Us;ers\" ADD a text DEFAULT 'x; y'",
            ("ALTER", "TABLE", "PUBLIC", ".", '"Us;ers"', "ADD", "A", "TEXT", "DEFAULT", "'"),
            ("x; y",),
        ),
        Statement(
            "UPDATE t SET a = E'it\\'s; x', b = $x$ ; $x$",
            ("UPDATE", "T", "SET", "A", "=", "'", ",", "B", "=", "'"),
            ("it's; x", " ; "),
        ),
    ]


def test_a_name_in_numbers_is_one_word() -> None:
    found = statements("""SELECT u&"a", U&"b" UESCAPE '!', u & "c", u& "d", xu&"e", U&'f', "U"&"g" """)
    assert found[0].words == tuple(
        """SELECT U&"a" , U&"b" UESCAPE ' , U & "c" , U & "d" , XU & "e" , ' , "U" & "g\"""".split()
    )


def test_a_statement_knows_where_it_stands() -> None:
    sql = "/* a */ SELECT 1;\n\nSELECT 2 -- b\n"
    assert [sql[one.start : one.end] for one in statements(sql)] == ["SELECT 1", "SELECT 2"]


@pytest.mark.parametrize("sql", ["SELECT 'open", 'SELECT "open', "/* open", "/* /* */ open", "DO $x$ open $y$"])
def test_what_does_not_end_cannot_be_read(sql: str) -> None:
    with pytest.raises(UnreadableSql, match="cannot be read as SQL"):
        statements(sql)
    step = judge_migration("1", sql)
    assert step.kind is CONTRACT and step.reason.startswith("cannot be read as SQL: ")


@pytest.mark.parametrize(
    ("words", "name", "end"),
    [
        (("USERS", "ADD"), "users", 1),
        (("PUBLIC", ".", "USERS"), "public.users", 3),
        (('"Users"',), "Users", 1),
        (("OLD", ".", "USERS", "DROP"), "old.users", 3),
        (('"a.b"', ".", "C"), "a..b.c", 3),
        (('"a""b"',), 'a"b', 1),
        ((), "", 0),
        (('U&"a"', "ADD"), "", 1),
        (("PUBLIC", ".", 'U&"a"', "ADD"), "", 3),
        (("(", "A", ")"), "", 1),
    ],
)
def test_names_are_compared_as_the_database_does(words: tuple[str, ...], name: str, end: int) -> None:
    assert name_at(words, 0) == (name, end)


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        (r"SELECT 'a\'; DROP TABLE t; --'", 2),
        (r"SELECT E'a\'; DROP TABLE t; --'", 1),
        (r"SELECT E'\\'; DROP TABLE t", 2),
        (r"SELECT e'\''';'; DROP TABLE t", 2),
        (r"SELECT U&'d\' UESCAPE '!'; DROP TABLE t; --'", 2),
        (r"SELECT N'a\'; DROP TABLE t; --'", 2),
        (r'SELECT U&"d\"; DROP TABLE t; --"', 2),
        (r"SELECT typeE'a\'; DROP TABLE t; --'", 2),
        ("SELECT 'a'\n'b;'; DROP TABLE t", 2),
        ("SELECT $$a;b$$; DROP TABLE t", 2),
        ("SELECT $a$ $b$ ; $a$; DROP TABLE t", 2),
        ("SELECT $\xe9$;$\xe9$; DROP TABLE t", 2),
        ("SELECT $\u2192$ ' $\u2192$; DROP TABLE t; --' $\u2192$", 2),
        ("SELECT a$b$; DROP TABLE t; SELECT $b$ x $b$", 3),
        ("SELECT $1; DROP TABLE t; SELECT $1", 3),
        ("/* a /* b */ ; DROP TABLE x */ SELECT 1", 1),
        ("SELECT 'a' ||/* ' */ 'b'; DROP TABLE t; --'", 2),
        ("SELECT 1 #-- '\n; DROP TABLE t; --'", 2),
        ("SELECT 1 <-- 2\n; DROP TABLE t", 2),
        ("SELECT 1 -- x\r; DROP TABLE t", 2),
        ("SELECT '{#'; DROP TABLE t; SELECT '#}'", 3),
        ('SELECT "a""b;"; DROP TABLE t', 2),
        ("DROP/**/TABLE t", 1),
        ("SELECT `a; DROP TABLE t; b`", 3),
        ("SET standard_conforming_strings = on; SELECT 1", 2),
        ("SET LOCAL standard_conforming_strings TO 'on'; SELECT 1", 2),
    ],
)
def test_statements_end_where_postgresql_ends_them(sql: str, count: int) -> None:
    assert len(statements(sql)) == count


@pytest.mark.parametrize(
    "sql",
    [
        "{# ; DROP TABLE t; #}",
        "SELECT 1 {# 2; DROP TABLE t; SELECT #}",
        "{{ x }}; SELECT 1",
        "/*/**/ ' */; DROP TABLE t; --'",
        "/* a /* b */* */; DROP TABLE t; /* */ */ SELECT 1 */",
        "/*/ ; DROP TABLE t; /*/",
        "SELECT 1 AS x\u2003$$; DROP TABLE t; SELECT 1 AS x\u2003$$",
        "SELECT E'a'\n'\\''; DROP TABLE t; --'",
        "DROP\u2003TABLE t",
        "COPY t FROM stdin;\n1\t2\n\\.\nDROP TABLE t;",
        "\\i other.sql\nSELECT 1;",
        "SELECT 1 \\gexec",
        "SET standard_conforming_strings = off; SELECT '\\'; DROP TABLE t; --'",
        "SELECT set_config('standard_conforming_strings', 'off', false)",
        "RESET standard_conforming_strings",
        "ALTER TABLE t ADD a int), DROP b",
        "SELECT (1",
        "SELECT 1]",
    ],
)
def test_what_another_reader_could_take_otherwise_is_unreadable(sql: str) -> None:
    with pytest.raises(UnreadableSql):
        statements(sql)
    assert judge_migration("1", sql).kind is CONTRACT


def test_more_than_anybody_judges_is_not_called_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "SELECT 1"
    monkeypatch.setattr(reader, "MOST_CHARACTERS", len(sql))
    assert judge_migration("1", sql).kind is Kind.EXPAND
    step = judge_migration("1", sql + ";")
    assert step.kind is CONTRACT and "9 characters of SQL, more than 8" in step.reason


# What begins, ends or escapes one of the forms, and what must be read as a statement nowhere inside of them.
FRAGMENTS = st.sampled_from(
    ["'", "''", "\\", "\\'", "--", "$$", "$a$", "$", ";", "\n", "\r", '"', " E'", "e", "{#", "#}", "[", ")", "\xe9"]
    + ["\u2028", "\xa0", " ", "x", "1", "U&", "; DROP TABLE other; ", "-- Running upgrade a -> b\n"]
)
BODIES = st.lists(FRAGMENTS, max_size=8).map("".join)


def _dollar(tag: str, body: str) -> str:
    return f"${tag}${body.replace('$', '')}${tag}$"


def _comment(parts: list[str]) -> str:
    return "/*" + " ".join(parts) + "*/"


TEXTS = st.one_of(
    BODIES.map(lambda body: "'" + body.replace("'", "''") + "'"),
    BODIES.map(lambda body: "N'" + body.replace("'", "''") + "'"),
    BODIES.map(lambda body: "U&'" + body.replace("'", "''") + "'"),
    BODIES.map(lambda body: "E'" + body.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    BODIES.map(lambda body: "e'" + body.replace("\\", "\\n").replace("'", "''") + "'"),
    st.builds(_dollar, st.sampled_from(["", "a", "_b1", "\xe9", "DROP"]), BODIES),
)
NAMES = st.one_of(
    BODIES.map(lambda body: '"' + body.replace('"', '""') + '"'), st.sampled_from(["a$b$", "\xe9", "e", "n"])
)
COMMENTS = st.one_of(
    BODIES.map(lambda body: "--" + body.replace("\n", "").replace("\r", "") + "\n"),
    st.recursive(BODIES, lambda inner: st.lists(inner, max_size=3).map(_comment), max_leaves=6).map(
        lambda body: _comment([body])
    ),
)
SPACES = st.one_of(st.sampled_from([" ", "\n", "\t", " \r\n"]), COMMENTS)
HARMLESS = st.builds(
    lambda things, spaces: "SELECT "
    + ",".join(f"{space} {thing}" for space, thing in zip(spaces, things, strict=False)),
    st.lists(st.one_of(TEXTS, NAMES), min_size=1, max_size=4),
    st.lists(SPACES, min_size=4, max_size=4),
)


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.lists(HARMLESS, max_size=3), st.lists(HARMLESS, max_size=3), SPACES, SPACES)
def test_nothing_hides_a_statement(before: list[str], after: list[str], space: str, other: str) -> None:
    story = [*before, f"{space}DROP{other}TABLE{space}t", *after]
    sql = ";".join(story)
    assert judge_migration("1", sql).kind is CONTRACT
    try:
        found = statements(sql)
    except UnreadableSql:
        return
    assert [one.starts("DROP", "TABLE") for one in found] == [*(False for _ in before), True, *(False for _ in after)]


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.lists(HARMLESS, min_size=1, max_size=4))
def test_what_only_looks_like_a_statement_is_none(story: list[str]) -> None:
    try:
        found = statements(";".join(story))
    except UnreadableSql as error:
        assert "/*" in "".join(story), error  # comments in comments: some are given up
        return
    assert [one.words[0] for one in found] == ["SELECT"] * len(story)


@pytest.mark.fuzz
@settings(deadline=None)
@given(
    st.one_of(
        st.text(),
        st.lists(
            st.one_of(
                FRAGMENTS, st.sampled_from(["/*", "*/", "ALTER TABLE t ADD ", "WITH ", "AS (", "UPDATE t SET ", ","])
            )
        ).map("".join),
    )
)
def test_any_text_is_judged_or_unreadable(sql: str) -> None:
    judge_migration("1", sql)
    assert without_own(sql).count("\n") == sql.count("\n")
    try:
        statements(sql)
    except UnreadableSql as error:
        assert str(error)


@pytest.mark.parametrize(
    "shape",
    [
        "ALTER TABLE t {ADD }",
        "SELECT {a,}1",
        "{CREATE TABLE a (i int);}",
        "SELECT {''}",
        "SELECT {$ }",
        "{/*}",
        "{/* */}",
        "{;}",
    ]
    + ["SELECT {(}{)}", "SELECT E'{\\'}'", 'SELECT "{""}"', "SELECT 1 {-- x\n}", "SELECT {$1 }", "DROP TABLE {a.}b"]
    + ["SELECT {f(}1{)}", "SELECT {set_config('a', 'b', false), }1", "SELECT 1 FROM {(SELECT 1) x(a), }t"]
    + ["UPDATE t SET {a = b IS DISTINCT FROM c, }d = 1", "WITH {a AS (SELECT 1), }b AS (SELECT 1) SELECT 1"]
    + [
        "ALTER TABLE a {ADD b int REFERENCES c (d) ON DELETE CASCADE, }ADD c int",
        "CREATE TABLE a (i int); {DROP TABLE a;}",
    ],
)
def test_the_time_grows_with_the_size(shape: str) -> None:
    def prepared(characters: int) -> Callable[[], object]:
        text = shape
        while "{" in text:
            start, end = text.index("{"), text.index("}")
            part = text[start + 1 : end]
            text = text[:start] + part * (characters // len(part)) + text[end + 1 :]
        return lambda: judge_migration("1", text)

    assert_in_proportion(prepared, 10_000, 80_000)
