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


STANDARD = '[project]\nname = "shop"\ndependencies = ["flask"]\n'


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


@pytest.mark.parametrize(
    "listed", ["loop>=1", "loop (>=1)", "loop[x]>=1", "Loop ; os_name == 'posix'", "loop", "loop~=1.0", " loop==1.0"]
)
def test_an_extra_lists_its_packages_in_every_spelling(listed: str) -> None:
    read = read_poetry(LOCKED.replace("loop (>=1)", listed) + OLD, PROJECT, Selection(), TARGET)
    assert [one.name for one in read.lock.packages] == ["core", "loop", "web"]


@pytest.mark.parametrize("listed", ["pg>=1.0", "pg"])
def test_an_extra_of_the_project_lists_its_packages_in_every_spelling(listed: str) -> None:
    locked = LOCKED.replace('pg = ["pg"]', f'pg = ["{listed}"]')
    read = read_poetry(locked + OLD, PROJECT, Selection(extras=("pg",)), TARGET)
    assert [one.name for one in read.lock.packages] == ["core", "loop", "pg", "web"]


@pytest.mark.parametrize(
    "head",
    ['[project]\nname = "shop"\nversion = "1"\ndynamic = ["dependencies"]\n', '[dependency-groups]\ndev = ["flask"]\n'],
    ids=["dynamic", "a group that is not wanted"],
)
def test_a_standard_project_table_without_requirements_changes_nothing(head: str) -> None:
    read = read_poetry(LOCKED + OLD, head + PROJECT, Selection(), TARGET)
    assert [one.name for one in read.lock.packages] == ["core", "loop", "web"]


def test_both_tables_of_development_requirements_count() -> None:
    project = f'{PROJECT}[tool.poetry.dev-dependencies]\nold = "*"\n'
    read = read_poetry(LOCKED + OLD, project, Selection(groups=("dev",)), TARGET)
    assert {"test", "old"} <= {one.name for one in read.lock.packages}


def test_a_platform_of_a_requirement_decides() -> None:
    project = PROJECT.replace("markers = \"sys_platform == 'darwin'\"", 'platform = "darwin"')
    assert "mac" in read_poetry(LOCKED + OLD, project, Selection(), TARGET).left_out
    read = read_poetry(LOCKED + OLD, project.replace("darwin", "linux"), Selection(), TARGET)
    assert "mac" in [one.name for one in read.lock.packages]


def test_a_lock_of_todays_poetry_is_read() -> None:
    """As Poetry 2.5 writes it for a [project] that [tool.poetry.dependencies] enriches."""
    text = "# This file is automatically @generated by Poetry 2.5.1 and should not be changed by hand.\n\n"
    text += main("idna", 'markers = "sys_platform == \\"linux\\""\n[package.extras]\nall = ["mypy (>=1.11)"]')
    text += main("six", 'markers = "extra == \\"fast\\""') + package("iniconfig", 'groups = ["Dev"]')
    text += f'[extras]\nfast = ["six"]\n{NEW}'
    assert pins(read_poetry(text, STANDARD, Selection(), TARGET)) == ["idna==1.0"]
    chosen = Selection(groups=("dev",), extras=("fast",))
    assert pins(read_poetry(text, STANDARD, chosen, TARGET)) == ["idna==1.0", "iniconfig==1.0", "six==1.0"]


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
        (main("a", '[package.source]\nurl = "https://x/y"\n'), "a: it comes from a source without a type or a url: "),
        (main("a", '[package.source]\ntype = "legacy"\n'), "a: it comes from a source without a type or a url: "),
        (
            main("a", '[package.source]\ntype = "legacy"\nurl = "https://o"\nsubdirectory = "x"\n'),
            "a: it has keys that are not known (subdirectory)",
        ),
        (main("a", 'build = "x"'), "a: it has keys that are not known (build), so what they ask for would be left out"),
        (package("d", 'groups = ["dev"]'), "none of its 1 packages is of this selection"),
        (
            main("b") + main("c") + main("a") + main("a", '[package.source]\ntype = "git"\nurl = "https://x/y"\n'),
            "a 1.0 stands there twice, with other sources",
        ),
    ],
    ids=[
        *(
            "git",
            "folder",
            "unknown",
            "index",
            "md5",
            "no type",
            "no url",
            "source's key",
            "key",
            "none chosen",
            "two sources",
        ),
    ],
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
        (package("a") + main("b") + NEW, "", Selection(), "a: groups: expected a list of names"),
        (package("a", "groups = []") + NEW, "", Selection(), "a: groups: expected a list of names"),
        (main("a", "markers = 3") + NEW, "", Selection(), "a: markers: expected a text, or a table of them by group"),
        (main("a", 'markers = ["x"]') + NEW, "", Selection(), "a: markers: expected a text, or a table of them"),
        (
            main("a", "markers = {dev = \"os_name == 'nt'\"}") + NEW,
            "",
            Selection(),
            "a: markers: the package is not of",
        ),
        (main("a", "markers = {main = 3}") + NEW, "", Selection(), "main: expected a text"),
        (
            main("a") + NEW.replace(">=3.11", ">=3.12,<4"),
            "",
            Selection(),
            "it is for Python >=3.12,<4, and the app has",
        ),
        (LOCKED + OLD.replace(">=3.11", "^3.12"), PROJECT, Selection(), "it is for Python ^3.12, and the app has 3.11"),
        (LOCKED + OLD, f"{STANDARD}{PROJECT}", Selection(), "pyproject.toml has [project] dependencies, which only"),
        (
            LOCKED + OLD,
            f'[project.optional-dependencies]\nx = ["flask"]\n{PROJECT}',
            Selection(),
            "pyproject.toml has [project] optional-dependencies, which only Poetry 2 reads",
        ),
        (
            LOCKED + OLD,
            f'[dependency-groups]\ndev = ["flask"]\n{PROJECT}',
            Selection(groups=("dev",)),
            "pyproject.toml has dev in [dependency-groups], which only Poetry 2 reads",
        ),
        (
            LOCKED + OLD,
            f'[tool.poetry.group.dev]\ninclude-groups = ["docs"]\n{PROJECT}',
            Selection(groups=("dev",)),
            "pyproject.toml has include-groups in the group dev, which only Poetry 2 reads",
        ),
        (
            LOCKED + OLD,
            f'{PROJECT}[tool.poetry.dependencies.x]\nmoon = "1"\n',
            Selection(),
            "x: keys that are not known",
        ),
        (
            LOCKED + OLD,
            f'{PROJECT}[tool.poetry.dependencies.x]\nplatform = "linux|darwin"\n',
            Selection(),
            "x: platform: got linux|darwin, expected one name",
        ),
        (LOCKED.replace("loop (>=1)", "(>=1)") + OLD, PROJECT, Selection(), "extras: not a requirement: (>=1)"),
    ],
    ids=[
        *("format", "group", "extra", "project", "old group", "stale", "two", "constraint", "type", "a key twice"),
        *(
            "no groups",
            "empty groups",
            "marker's type",
            "markers as a list",
            "marker of another group",
            "marker's text",
        ),
        *("another python", "another python for Poetry 1", "project", "project's extras", "standard groups"),
        *("include-groups", "requirement's key", "platform", "an extra without a name"),
    ],
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
