"""pdm.lock is read by the groups that it names."""

import pytest

from gates.lock_formats.pdm import read_pdm
from gates.lock_formats.selection import LockError, Selection
from tests.gates.lock_formats.locks import TARGET, digest, pins

HEAD = """[metadata]
groups = ["default", "dev", "Postgres_SQL"]
strategy = ["cross_platform", "inherit_metadata"]
lock_version = "4.5.0"
content_hash = "sha256:x"
"""


def package(name: str, more: str = 'groups = ["default"]') -> str:
    files = f'files = [{{ file = "{name}-1.0-py3-none-any.whl", hash = "sha256:{digest(name)}" }}]\n'
    return f'[[package]]\nname = "{name}"\nversion = "1.0"\nsummary = ""\n{more}\n{files}'


def target(keys: str) -> str:
    return f"[[metadata.targets]]\n{keys}\n"


NO_TARGET = "targets: none is CPython 3.11 on Linux on x86_64"


@pytest.mark.parametrize(
    "keys",
    [
        'requires_python = ">=3.11,<3.13"',
        'platform = "linux"',
        'platform = "manylinux_2_17_x86_64"\nimplementation = "cpython"',
    ],
    ids=["python", "linux", "machine"],
)
def test_a_lock_for_several_systems_is_read_for_this_one(keys: str) -> None:
    text = HEAD + target('requires_python = ">=3.9"\nplatform = "macos_12_0_arm64"') + target(keys) + package("a")
    assert pins(read_pdm(text, Selection(), TARGET)) == ["a==1.0"]


def test_a_lock_of_todays_pdm_is_read() -> None:
    """As PDM 2.29 writes it, with `lock_inputs`."""
    head = HEAD.replace("4.5.0", "4.5.1") + '[metadata.lock_inputs]\ndependencies = ["a"]\n'
    more = (
        'requires_python = ">=3.9"\ngroups = ["default"]\nmarker = "python_version >= \'3.9\'"\ndependencies = ["b>=1"]'
    )
    assert pins(read_pdm(head + package("a", more), Selection(), TARGET)) == ["a==1.0"]


def test_a_selection_without_a_package_is_refused() -> None:
    read = read_pdm(HEAD + package("d", 'groups = ["dev"]'), Selection(), TARGET)
    assert read.lock.problems[0].startswith("none of its 1 packages is of this selection")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["a==1.0"]),
        (Selection(groups=("dev",)), ["a==1.0", "d==1.0"]),
        (Selection(extras=("postgres-sql",)), ["a==1.0", "p==1.0"]),
    ],
    ids=["default", "group", "extra"],
)
def test_groups_are_chosen(selection: Selection, expected: list[str]) -> None:
    text = HEAD + package("a") + package("d", 'groups = ["dev"]') + package("p", 'groups = ["Postgres_SQL"]')
    text += package("w", 'groups = ["default"]\nmarker = "sys_platform == \'win32\'"')
    text += package("a", 'groups = ["default"]\nextras = ["fast"]')
    assert pins(read_pdm(text, selection, TARGET)) == expected


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('git = "https://x/y"\nref = "main"', "a: it comes from git: "),
        ('hg = "https://x/y"', "a: it comes from hg: "),
        ('svn = "https://x/y"', "a: it comes from svn: "),
        ('bzr = "https://x/y"', "a: it comes from bzr: "),
        ("editable = true", "a: it comes from a folder: "),
        ('subdirectory = "x"', "a: it comes from a part of a repository: "),
        ('fossil = "https://x/y"', "a: it has keys that are not known (fossil)"),
        ('path = "./lib"\neditable = true', "a: it comes from a folder: "),
        ('url = "https://x/a.whl"', "a: it comes from a URL: "),
    ],
    ids=["git", "hg", "svn", "bzr", "editable", "subdirectory", "unknown", "folder", "url"],
)
def test_what_comes_from_elsewhere_is_named(more: str, words: str) -> None:
    problems = read_pdm(HEAD + package("a", f'groups = ["default"]\n{more}'), Selection(), TARGET).lock.problems
    assert problems[0].startswith(words)


@pytest.mark.parametrize(
    ("text", "selection", "words"),
    [
        (HEAD.replace("4.5.0", "5.0"), Selection(), "format 5.0, expected 4.4, "),
        (HEAD.replace(', "inherit_metadata"', ""), Selection(), "it does not say which group asks for which package"),
        (HEAD, Selection(groups=("no",)), "it has no group or extra no; it has: default, dev, postgres-sql"),
        (
            HEAD + '[[package]]\nname = "a"\ngroups = ["default"]\nfiles = 3\n',
            Selection(),
            "a: files: expected a list of tables",
        ),
        (HEAD + package("b") + package("a", ""), Selection(), "a: groups: expected those that ask for it"),
        (HEAD + package("a", 'groups = ["defualt"]'), Selection(), "a: groups: defualt is no group of the lock"),
        (HEAD + package("a", 'groups = "default"'), Selection(), "a: groups: expected a list of texts"),
        (
            HEAD + package("a", 'groups = ["default"]\nmarker = {x = "y"}'),
            Selection(),
            "a: marker: expected a text",
        ),
        (HEAD + target('requires_python = ">=3.12"') + package("a"), Selection(), NO_TARGET),
        (HEAD + target('requires_python = ">=3.9"\nplatform = "windows_amd64"') + package("a"), Selection(), NO_TARGET),
        (
            HEAD + target('requires_python = "moon"') + package("a"),
            Selection(),
            "a constraint on Python that cannot be read: moon",
        ),
        (HEAD + target('platform = "manylinux_2_17_aarch64"') + package("a"), Selection(), NO_TARGET),
        (HEAD + target('implementation = "pypy"') + package("a"), Selection(), NO_TARGET),
        (
            HEAD + package("a", 'groups = ["default"]\nmarker = "moon == 1"'),
            Selection(),
            "a marker that cannot be read",
        ),
    ],
    ids=[
        *("format", "strategy", "group", "type", "no groups", "unknown group", "groups as a text", "marker as a table"),
        *("another python", "another system", "no python", "another machine", "another interpreter", "marker"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, selection: Selection, words: str) -> None:
    with pytest.raises(LockError) as refused:
        read_pdm(text, selection, TARGET)
    assert words in str(refused.value)
