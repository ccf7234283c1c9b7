"""poetry.lock of Poetry 1 and 2."""

from collections.abc import Callable

import pytest

from gates.lock_formats.poetry import read_poetry
from gates.lock_formats.selection import LockError, Selection
from tests.gates.lock_formats.locks import TARGET, digest, pins
from tests.growth import assert_in_proportion

NEW = '[metadata]\nlock-version = "2.1"\npython-versions = ">=3.11"\ncontent-hash = "x"\n'
OLD = NEW.replace("2.1", "2.0")


def package(name: str, more: str = "", version: str = "1.0", dependencies: str = "") -> str:
    file = f'{{ file = "{name}-{version}-py3-none-any.whl", hash = "sha256:{digest(name)}" }}'
    below = f"[package.dependencies]\n{dependencies}\n" if dependencies else ""
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\npython-versions = ">=3.8"\n'
        f"files = [{file}]\n{more}\n{below}"
    )


def main(name: str, more: str = "") -> str:
    return package(name, f'groups = ["main"]\n{more}')


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ['a==1.0 ; python_full_version < "3.11.3"', "m==1.0"]),
        (Selection(groups=("dev",)), ['a==1.0 ; python_full_version < "3.11.3"', "b==1.0", "d==1.0", "m==1.0"]),
        (Selection(extras=("pg",)), ['a==1.0 ; python_full_version < "3.11.3"', "m==1.0", "p==1.0"]),
    ],
    ids=["main", "group", "extra"],
)
def test_poetry_2_says_whose_each_package_is(selection: Selection, expected: list[str]) -> None:
    text = main("m") + main("a", "markers = 'python_full_version < \"3.11.3\"'") + package("d", 'groups = ["dev"]')
    text += main("p", "optional = true\nmarkers = 'extra == \"pg\"'").replace("optional = false\n", "", 1)
    text += package("b", 'groups = ["dev", "main"]\nmarkers = { main = "sys_platform == \'win32\'" }')
    text += f'[extras]\npg = ["p"]\n{NEW}'
    assert pins(read_poetry(text, "", selection, TARGET)) == expected


PROJECT = """
[tool.poetry.dependencies]
python = "^3.8"
web = {version = "^1.0", extras = ["fast"]}
pg = {version = ">=1,<2", optional = true}
mac = {version = "*", markers = "sys_platform == 'darwin'"}
[tool.poetry.group.dev.dependencies]
test = [{version = "~0.9", python = "<3.10"}, {version = "1.*", python = ">=3.10"}]
[tool.poetry.extras]
pg = ["pg"]
"""
LOCKED = (
    package(
        "web",
        '[package.extras]\nfast = ["loop (>=1)"]\n',
        dependencies='core = ">=0.5"\nloop = {version = ">=1", optional = true}',
    )
    + package("core", dependencies='web = "*"\nold = {version = "*", markers = "python_version < \'3.10\'"}')
    + package("loop")
    + package("pg")
    + package("mac")
    + package("old")
    + package("test", dependencies='plug = "^1.0"')
    + package("plug")
    + '[extras]\npg = ["pg"]\n'
)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["core", "loop", "web"]),
        (Selection(groups=("dev",)), ["core", "loop", "plug", "test", "web"]),
        (Selection(extras=("pg",)), ["core", "loop", "pg", "web"]),
    ],
    ids=["main", "group", "extra"],
)
def test_in_a_lock_of_poetry_1_the_projects_own_requirements_are_followed(
    selection: Selection, expected: list[str]
) -> None:
    read = read_poetry(LOCKED + OLD, PROJECT, selection, TARGET)
    assert [one.name for one in read.lock.packages] == expected  # web and core ask for each other
    assert "mac" in read.left_out and "old" in read.left_out


def test_the_oldest_form_has_the_hashes_at_the_end() -> None:
    text = '[[package]]\nname = "web"\nversion = "1.0"\ncategory = "main"\noptional = false\npython-versions = "*"\n'
    text += (
        OLD.replace("2.0", "1.1") + f'[metadata.files]\nweb = [{{ file = "w.whl", hash = "sha256:{digest("w")}" }}]\n'
    )
    read = read_poetry(text, '[tool.poetry.dependencies]\nweb = "*"\n', Selection(), TARGET)
    assert read.lock.text() == f"web==1.0 --hash=sha256:{digest('w')}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (main("a", '[package.source]\ntype = "git"\nurl = "https://x/y"\n'), "a: it comes from git: "),
        (main("a", '[package.source]\ntype = "directory"\nurl = "../x"\n'), "a: it comes from a folder: "),
        (main("a", '[package.source]\ntype = "moon"\nurl = "x"\n'), "a: it comes from a source of a kind that is not"),
        (
            main("a") + main("b") + main("c", '[package.source]\ntype = "legacy"\nurl = "https://o"\n'),
            "c comes from another",
        ),
        (main("a").replace("sha256:", "md5:"), "a has no SHA-256"),
    ],
    ids=["git", "folder", "unknown", "index", "md5"],
)
def test_what_cannot_be_installed_is_named(text: str, problem: str) -> None:
    problems = read_poetry(text + NEW, "", Selection(), TARGET).lock.problems
    assert len(problems) == 1 and problems[0].startswith(problem), problems


@pytest.mark.parametrize(
    ("text", "project", "selection", "words"),
    [
        (main("a") + NEW.replace("2.1", "3.0"), "", Selection(), "format 3.0, expected 1.1, 2.0, 2.1: make it anew"),
        (main("a") + NEW, "", Selection(groups=("no",)), "no package is of the group no; it has: main"),
        (main("a") + NEW, "", Selection(extras=("no",)), "it has no extra no"),
        (LOCKED + OLD, "", Selection(), "the pyproject.toml beside it has no [tool.poetry.dependencies]"),
        (LOCKED + OLD, PROJECT, Selection(groups=("no",)), "pyproject.toml has no group no; it has: dev"),
        (LOCKED + OLD, PROJECT.replace('"^1.0"', '"^2.0"'), Selection(), "web ^2.0 is asked for and not in it"),
        (
            package("web", version="1.1") + LOCKED + OLD,
            PROJECT,
            Selection(),
            "web ^1.0 is asked for, of which the lock",
        ),
        (LOCKED + OLD, PROJECT.replace('"^1.0"', '"^^1"'), Selection(), "a constraint that cannot be read: ^^1"),
        (package("a").replace('version = "1.0"', "version = 1") + NEW, "", Selection(), "a: "),
        ("a = 1\na = 2\n", "", Selection(), "not valid TOML"),
    ],
    ids=["format", "group", "extra", "project", "old group", "stale", "two", "constraint", "type", "a key twice"],
)
def test_what_is_no_lock_of_this_project_is_refused(text: str, project: str, selection: Selection, words: str) -> None:
    with pytest.raises(LockError) as refused:
        read_poetry(text, project, selection, TARGET)
    assert words in str(refused.value)


@pytest.mark.parametrize("lock", [OLD, NEW], ids=["1", "2"])
def test_work_grows_with_the_number_of_packages(lock: str) -> None:
    def prepared(count: int) -> Callable[[], object]:
        names = [f"p{number}" for number in range(count)]
        text = "".join(
            package(name, 'groups = ["main"]', dependencies=f'{other} = "*"')
            for name, other in zip(names, [*names[1:], names[0]])
        )
        project = '[tool.poetry.dependencies]\np0 = "*"\n'
        return lambda: read_poetry(text + lock, project, Selection(), TARGET)

    assert_in_proportion(prepared, 50, 500)
