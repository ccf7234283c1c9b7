"""Files that a commit brings, read by us: what is small and becomes huge is refused."""

from pathlib import Path

import pytest

from host.errors import SourceError
from tasks.scans.files import read_compose, read_yaml


def _written(at: Path, text: str) -> Path:
    (at / "c.yml").write_text(text)
    return at / "c.yml"


def _laughs(levels: int) -> str:
    lines = [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(["x-0: &a0 [x, x, x]", *lines, "services: {}"])


def _merges(levels: int) -> str:
    lines = [f"b{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}'] * 10)}]}}" for n in range(1, levels)]
    return "\n".join(["b0: &b0 {x: 1}", *lines, "services: {}"])


@pytest.mark.parametrize(
    "text",
    [_laughs(8), _merges(8), "a: &a [*a]", "a: " + "[" * 100 + "]" * 100, "a: &a {b: *a}", "[" + "1," * 200_000 + "]"],
    ids=["laughs", "merges", "itself", "deep", "itself in a mapping", "long"],
)
def test_what_is_small_and_becomes_huge_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"c.yml:\d+: more than 200000 values, or more than 60 levels"):
        read_yaml(_written(tmp_path, text), "c.yml")


@pytest.mark.parametrize("text", [_laughs(3), _merges(3), "a: &a 1\nb: [*a, *a]", "a: 1", "", "[[1, 2], {a: [b]}]"])
def test_what_people_write_is_read(tmp_path: Path, text: str) -> None:
    read_yaml(_written(tmp_path, text), "c.yml")


@pytest.mark.parametrize("text", ["a: *nowhere", "a: [", "a: 2001-99-99", "? [a]\n: b", "a: " + "9" * 5000])
def test_what_is_no_yaml_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match="c.yml"):
        read_yaml(_written(tmp_path, text), "c.yml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("services:\n  a:\n    privileged: true\n    privileged: false\n", 4),
        ("services: {a: {x: 1}}\nx-y: [{b: 1,\n  b: 2}]\n", 3),
        ("services: {}\nservices: {}\n", 2),
    ],
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "c.yml").write_text(text)
    with pytest.raises(SourceError, match=f"^c.yml:{line}: the key [a-z]+ stands twice"):
        read_compose(tmp_path / "c.yml", "c.yml")


def test_plain_values_are_those_that_compose_reads(tmp_path: Path) -> None:
    text = "b: &b {x: 1}\nc: {<<: *b, x: 2}\nports: [22:22, 1:20:30.5, 80, 0x1f, 1_000, 1.5, -.inf]\nd: *b\n"
    (tmp_path / "c.yml").write_text(text)
    found, _ = read_compose(tmp_path / "c.yml", "c.yml")
    assert found["ports"] == ["22:22", "1:20:30.5", 80, 31, 1000, 1.5, float("-inf")]
    assert (found["c"], found["d"]) == ({"x": 2}, {"x": 1})
