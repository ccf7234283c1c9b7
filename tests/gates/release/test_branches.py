"""Which branches an environment takes, and which of a commit's are among them."""

import pytest

from gates.release.branches import allowed_branches, allowed_ones


def test_without_a_name_the_default_is_allowed() -> None:
    assert allowed_branches(" , ", ("trunk", "main", "trunk")) == ("trunk", "main")
    assert allowed_branches("main, release/*", ("trunk",)) == ("main", "release/*")


@pytest.mark.parametrize(
    ("allowed", "good"),
    [
        ("main", ["main"]),
        ("release/*", ["release/1"]),
        ("*", ["main", "release/1", "mainx"]),
        ("m*n", ["main"]),
        ("m.in", []),
        ("Main", []),
    ],
)
def test_only_whole_names_match(allowed: str, good: list[str]) -> None:
    assert allowed_ones(["main", "release/1", "mainx"], [allowed]) == good
