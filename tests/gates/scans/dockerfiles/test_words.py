from collections.abc import Callable

import pytest

from gates.scans.dockerfiles.words import Budget, Expansion, here_documents, split_words
from gates.scans.outcome import ReportError
from tests.growth import assert_in_proportion

VALUES = {"A": "a", "E": "", "V": "v1.2.3", "P": "a.b.c", "R": "ro"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A", "a"),
        ("x${A}y", "xay"),
        ("$A.b", "a.b"),
        ("$X|${X}", "|"),
        ("${X:-b}${E:-b}${A:-b}", "bba"),
        ("${X-b}${E-b}${A-b}", "ba"),
        ("${X:+b}${E:+b}${A:+b}", "b"),
        ("${X+b}${E+b}${A+b}", "bb"),
        ("${A:?no}", "a"),
        ("${V#v}", "1.2.3"),
        ("${P%.*}-${P%%.*}-${P#*.}-${P##*.}", "a.b-a-b.c-c"),
        ("${P/./_}-${P//./_}-${P//?/x}", "a_b.c-a_b_c-xxxxx"),
        ("${P//\\./}-${P/b*/}-${P/x/y}", "abc-a.-a.b.c"),
        ("${X:-${Y:-${Z:-r}}}", "r"),
        ("${X:-'a}'}", "a}"),
        ('"$A b"', "a b"),
        ("'$A b'", "$A b"),
        ('"\\$A \\" \\a"', '$A " \\a'),
        ("\\$A", "$A"),
        ("r\\oo\\t", "root"),
        ("${R}o''t", "root"),
        ("$", "$"),
        ("a$.b", "a$.b"),
        ("$1x", "x"),
        ("a\\", "a"),
    ],
)
def test_a_word_is_expanded_as_the_builder_does(text: str, result: str) -> None:
    assert Expansion(text, VALUES).result() == result


@pytest.mark.parametrize(
    "text", ["${", "${}", "${:-a}", "${{A}}", "${A", "${A:-b", "'a", '"a', "${A!b}", "${A[0]}", "${A:#b}", "${A/b}"]
)
def test_what_the_builder_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(ReportError):
        Expansion(text, VALUES).result()


def test_what_has_no_value_is_told() -> None:
    expansion = Expansion("$A${X}${Y:-b}${Z:+c}${E:-$Q}${A:-$W}", VALUES)
    assert expansion.result() == "aba"
    assert (expansion.used, expansion.unset) == ({"A"}, {"X", "Q"})


def test_the_work_is_linear_and_has_an_end() -> None:
    def prepared(depth: int) -> Callable[[], object]:
        text = "${a:-y" * depth + "}" * depth
        assert Expansion(text, {}).result() == "y" * depth
        return lambda: Expansion(text, {}).result()

    assert_in_proportion(prepared, 4_000, 64_000)
    with pytest.raises(ReportError, match="more text"):
        Expansion("$A" * 20, {"A": "x" * 10}, budget=Budget(100)).result()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=b c=d", ["a=b", "c=d"]),
        ("a='b c' d", ["a='b c'", "d"]),
        ('a="b \\" c" d', ['a="b \\" c"', "d"]),
        ("a=b\\ c d", ["a=b\\ c", "d"]),
        ("a='b", ["a='b"]),
        ("", []),
    ],
)
def test_words_end_outside_of_quotes(text: str, words: list[str]) -> None:
    assert split_words(text, "\\") == words


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("RUN <<EOF", [("EOF", False)]),
        ("RUN <<-EOF cat <<'TWO'", [("EOF", True), ("TWO", False)]),
        ("RUN 3<<EOF", [("EOF", False)]),
        ('RUN <<"A B"', [("A B", False)]),
        ("RUN <<EOF>x", [("EOF>x", False)]),
        ("RUN cat <<<EOF", []),
        ("RUN a<<EOF", []),
        ("RUN $((1<<EOF))", []),
        ("RUN 'a <<EOF'", []),
        ("RUN it's <<EOF", []),
        ("RUN \\<<EOF", []),
        ("COPY <<EOF /app/${NAME}", [("EOF", False)]),
    ],
)
def test_here_documents_begin_where_a_word_does(line: str, ends: list[tuple[str, bool]]) -> None:
    assert here_documents(line) == ends


@pytest.mark.parametrize("line", ["RUN <<$X", "RUN ${a[0]} <<EOF", "RUN << EOF", """RUN "${a:-'"'}" <<EOF"""])
def test_a_here_document_that_only_some_would_see_is_refused(line: str) -> None:
    with pytest.raises(ReportError):
        here_documents(line)
