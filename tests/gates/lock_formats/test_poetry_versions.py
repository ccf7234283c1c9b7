"""Constraints as Poetry documents them."""

import pytest

from gates.lock_formats.poetry_versions import allows, python_marker
from gates.lock_formats.selection import LockError


@pytest.mark.parametrize(
    ("constraint", "inside", "outside"),
    [
        ("^1.2.3", ["1.2.3", "1.9"], ["1.2.2", "2.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.9"], ["0.1.0"]),
        ("^0", ["0.9"], ["1.0"]),
        ("~1.2.3", ["1.2.9"], ["1.3.0"]),
        ("~1.2", ["1.2.9"], ["1.3.0"]),
        ("~1", ["1.9"], ["2.0"]),
        ("1.*", ["1.9"], ["2.0"]),
        ("*", ["0.1", "99"], []),
        (">=1,<2 || >=3", ["1.5", "3.0"], ["2.5"]),
        (">= 1.0 < 2.0", ["1.5"], ["2.5"]),
        ("1.2", ["1.2", "1.2.0"], ["1.2.1"]),
        ("!=1.5,>1", ["1.6"], ["1.5", "0.9"]),
    ],
)
def test_a_constraint_allows_what_is_inside(constraint: str, inside: list[str], outside: list[str]) -> None:
    assert all(allows(constraint, version) for version in inside)
    assert not any(allows(constraint, version) for version in outside)


@pytest.mark.parametrize("constraint", ["^x", "@", "1 2 3 $", "1" * 2000, "^"])
def test_what_is_none_is_refused(constraint: str) -> None:
    with pytest.raises(LockError):
        allows(constraint, "1.0")


@pytest.mark.parametrize(
    ("constraint", "marker"),
    [
        ("*", ""),
        ("^3.8", "python_full_version < '4' and python_full_version >= '3.8'"),
        ("<3.8 || >=3.11", "(python_full_version < '3.8') or (python_full_version >= '3.11')"),
    ],
)
def test_a_constraint_on_python_is_a_marker(constraint: str, marker: str) -> None:
    assert python_marker(constraint) == marker
