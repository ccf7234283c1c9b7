"""Names that git takes as branches are taken, and no others: git itself is asked."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.branch_names import branch_problem
from tests.waiting import NEVER_S


def git_takes(name: str) -> bool:
    """Say whether `git branch` would make a branch of this name."""
    if "\0" in name or name in ("HEAD", "@"):  # no argument of a program; `git branch` takes "@" for HEAD
        return False
    done = subprocess.run(
        ["git", "check-ref-format", f"refs/heads/{name}"], stdin=subprocess.DEVNULL, timeout=NEVER_S, check=False
    )
    return done.returncode == 0 and not name.startswith("-")


@pytest.mark.parametrize(
    "name",
    [
        "main",
        "topic/a-b.c",
        "a@b",
        "release-1.0",
        "grün",
        "feature/日本",
        "HEADS",
        "x/HEAD",
        "a.locked",
        "@x",
        "a/@",
        "1",
    ]
    + ["gh-readonly-queue/main/pr-104-" + "a" * 40, "x;`id`$(id)&|<>'\"!#%{}", "a" * 240],
)
def test_a_name_that_git_takes(name: str) -> None:
    assert git_takes(name) and branch_problem(name) == ""


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--upload-pack=x", ".x", "a/.x", "@", "HEAD", "a..b", "a@{b", "a.lock", "a.lock/b", "a/", "a.", "/a"]
    + ["a//b", "a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a\x7fb", "a\0b", "a\nb", "main\n", "a\tb"],
)
def test_a_name_that_git_refuses(name: str) -> None:
    assert not git_takes(name) and branch_problem(name) == "not a branch name that git accepts"


@pytest.mark.parametrize(
    "sign", ["\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\x85", "\u00a0", "\u00ad", "\ud800"]
)
def test_a_sign_that_hides_or_turns_what_is_read_is_refused(sign: str) -> None:
    assert branch_problem(f"a{sign}b") == "a branch name with characters that cannot be shown"


def test_a_name_has_an_end() -> None:
    assert branch_problem("a" * 241)


@pytest.mark.fuzz
@given(st.text("ab.@{}/-lock~^:?*[\\ \x7f\n", max_size=9) | st.text(st.characters(codec="utf-8"), max_size=9))
def test_no_name_is_taken_that_git_refuses(name: str) -> None:
    if git_takes(name) and name.isprintable():
        assert branch_problem(name) == ""
    else:
        assert branch_problem(name)
