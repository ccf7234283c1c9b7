"""Which changes are made to source, and which are not because the type checker tells them."""

import pytest

from benchmarks.mutations import Mutant, mutants, places, sample

FILE = "pkg/limits.py"


def _mutants(source: str) -> list[Mutant]:
    return [mutant for place in places(FILE, source) for mutant in mutants(place)]


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("ok = a < b", ["ok = a <= b"]),
        ("ok = a == b", ["ok = a != b"]),
        ("ok = a is b", ["ok = a is not b"]),
        ("ok = a not in b", ["ok = a in b"]),
        ("ok = a and b", ["ok = a or b"]),
        ("ok = not a", ["ok = a"]),
        ("ok = True", ["ok = False"]),
        ("most = 5", ["most = 6"]),
        ("total = a + b", ["total = a - b"]),
        ("total += a", ["total = a", "total -= a"]),
        ("ok = a if b else c", ["ok = a if (b) and False else c", "ok = a if (b) or True else c"]),
        ("if a: pass", ["if not (a): pass"]),
        ("if not a: pass", ["if a: pass"]),
        ("if (a): pass", ["if not (a): pass"]),
        ("while a: continue", ["while not (a): continue", "while a: break"]),
        ("a.lstrip(b)", ["a.rstrip(b)", "pass"]),
        ("ok = a(b, c=d, e=f)", ["ok = a(b, e=f)", "ok = a(b, c=d, )"]),
    ],
)
def test_a_decision_is_changed(source: str, changed: list[str]) -> None:
    assert sorted(mutant.after for mutant in _mutants(source)) == sorted(changed)


@pytest.mark.parametrize(
    "source",
    [
        "def f(a: int | None) -> str | None: pass",
        "a: int | None",
        "@dataclass(frozen=True)\nclass A: pass",
        "def f(a, *, b, **c): pass",
        '"""Five + 5."""',
        'a = "five + 5"',
        "a = f(b, *c, **d)",
        "from a import b",
    ],
)
def test_what_types_or_words_tell_is_not_changed(source: str) -> None:
    assert _mutants(source) == []


def test_a_default_beside_an_annotation_is_changed() -> None:
    assert [mutant.after for mutant in _mutants("a: int | None = 5")] == ["a: int | None = 6"]


def test_what_python_cannot_read_is_left_out() -> None:
    source = "for a in b:\n    break\n"  # mutmut returns instead, which no module can
    assert _mutants(source) == []
    within = f"def f():\n    {source.replace('break', '    break')}"
    assert [mutant.after for mutant in _mutants(within)] == ["return"]


def test_a_mutant_names_its_line_and_changes_nothing_else() -> None:
    source = "a = b  # why\nif a:\n    c = a == d\n"
    (mutant,) = [mutant for mutant in _mutants(source) if mutant.after == "c = a != d"]
    assert (mutant.file, mutant.line, mutant.before) == (FILE, 3, "c = a == d")
    assert mutant.text == "a = b  # why\nif a:\n    c = a != d\n"


def test_the_line_is_the_one_that_differs_not_where_the_expression_begins() -> None:
    (mutant,) = _mutants("a = [\n    b,\n    c < d,\n]\n")
    assert (mutant.line, mutant.before, mutant.after) == (3, "c < d,", "c <= d,")


def test_the_seed_draws_the_same_mutants_again_and_another_seed_others() -> None:
    found = places(FILE, "\n".join(f"a{number} = b{number} < {number}" for number in range(12)))
    first = sample(found, 5, seed=1)
    assert len(first) == 5
    assert first == sample(reversed(found), 5, seed=1)
    assert first != sample(found, 5, seed=2)


def test_of_each_place_one_mutant_is_drawn() -> None:
    found = places(FILE, "ok = a if b else c")
    assert len(_mutants("ok = a if b else c")) == 2
    assert len(sample(found, 10, seed=1)) == 1
    assert {sample(found, 1, seed)[0].after for seed in range(20)} == {
        mutant.after for mutant in _mutants("ok = a if b else c")
    }
