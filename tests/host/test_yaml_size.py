"""How large a YAML text's value is, told without making it."""

import pytest
import yaml

from host.yaml_size import line_beyond


def _nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", None),
        ("a: 1", None),
        ("[1,2,3,4,5,6,7,8,9]", None),  # ten values: nine and the list
        ("[1,2,3,4,5,6,7,8,9,10]", 1),
        ("a: &a [1, 2]\nb: *a", None),  # a mapping, two keys, a list of two, and the list again
        ("a: &a [1, 2]\nb: *a\nc: 1", 3),
        ("a: &a 1\nb: [*a, *a, *a]", None),
        ("a: &a 1\nb: [*a, *a,\n *a, *a, *a, *a]", 3),
        ("a: &a [*a]", 1),
        ("a: &a\n  b: *a", 2),
        (_nested(4), None),
        (_nested(5), 1),
        ("a: &a [[1]]\nb: [*a]", None),
        ("a: &a [[1]]\nb: [[*a]]", 2),
        ("- &a [1]\n- &a [[[1]]]\n- [*a]", 3),  # the later anchor of two counts
    ],
)
def test_values_and_levels_are_counted_as_often_as_an_alias_repeats_them(text: str, line: int | None) -> None:
    assert line_beyond(text, 10, 4) == line


def test_what_laughs_is_counted_and_not_made() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    assert line_beyond("\n".join(lines), 20_000, 60) == 5  # a list of ten, four times in each other


def test_what_is_no_yaml_is_told() -> None:
    with pytest.raises(yaml.YAMLError):
        line_beyond("a: [", 10, 4)
