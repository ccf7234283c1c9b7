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
        ('path = "./lib"\neditable = true', "a: it comes from a folder: "),
        ('url = "https://x/a.whl"', "a: it comes from a URL: "),
    ],
    ids=["git", "folder", "url"],
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
        (HEAD + '[[package]]\nname = "a"\nfiles = 3\n', Selection(), "a: files: expected a list of tables"),
        (
            HEAD + package("a", 'groups = ["default"]\nmarker = "moon == 1"'),
            Selection(),
            "a marker that cannot be read",
        ),
    ],
    ids=["format", "strategy", "group", "type", "marker"],
)
def test_what_cannot_be_read_is_refused(text: str, selection: Selection, words: str) -> None:
    with pytest.raises(LockError) as refused:
        read_pdm(text, selection, TARGET)
    assert words in str(refused.value)
