"""pylock.toml is read for one Python on Linux."""

import pytest

from gates.lock_formats.pylock import read_pylock
from gates.lock_formats.selection import LockError, Selection, Target
from tests.gates.lock_formats.locks import TARGET, digest, pins
from tests.growth import assert_in_proportion

HEAD = 'lock-version = "1.0"\ncreated-by = "test"\n'
INDEX = "https://index.example/simple"


def package(name: str, version: str = "1.0", more: str = "", index: str = INDEX, wheel: str = "py3-none-any") -> str:
    file = f"{name.replace('-', '_')}-{version}-{wheel}.whl"
    return (
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\nindex = "{index}"\n{more}'
        f'wheels = [{{ name = "{file}", url = "https://f.example/{file}", '
        f'hashes = {{ sha256 = "{digest(name)}" }} }}]\n'
    )


def test_packages_are_taken_with_their_hashes() -> None:
    read = read_pylock(HEAD + package("b-b") + package("a"), Selection(), TARGET)
    assert pins(read) == ["a==1.0", "b-b==1.0"]
    assert read.lock.text().splitlines()[0] == f"a==1.0 --hash=sha256:{digest('a')}"
    assert read.unbuilt == () and read.left_out == ()


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("sys_platform == 'win32'", []),
        ("sys_platform == 'linux' and python_version >= '3.9'", ["a==1.0"]),
        ("python_version < '3.11'", []),
        ("python_full_version < '3.11.3'", ['a==1.0 ; python_full_version < "3.11.3"']),
        ("python_full_version >= '3.11.3'", ['a==1.0 ; python_full_version >= "3.11.3"']),
        (
            "python_full_version != '3.11.3'",
            ['a==1.0 ; python_full_version < "3.11.3" or python_full_version >= "3.11.4"'],
        ),
        ("platform_machine == 'arm64'", []),
        ("'dev' in dependency_groups", []),
    ],
)
def test_a_marker_decides_for_every_patch_release_of_this_python(marker: str, expected: list[str]) -> None:
    known = 'dependency-groups = ["dev"]\n'
    read = read_pylock(
        f'{HEAD}{known}{package("a", more=f"marker = {chr(34)}{marker}{chr(34)}{chr(10)}")}', Selection(), TARGET
    )
    assert pins(read) == expected
    assert read.left_out == (() if expected else ("a",))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ["a==1.0"]),
        (Selection(groups=("dev",)), ["a==1.0", "d==1.0"]),
        (Selection(extras=("pg",)), ["a==1.0", "p==1.0"]),
    ],
    ids=["none", "group", "extra"],
)
def test_groups_and_extras_are_chosen(selection: Selection, expected: list[str]) -> None:
    text = f'{HEAD}extras = ["pg"]\ndependency-groups = ["dev"]\n{package("a")}'
    text += package("d", more="marker = \"'dev' in dependency_groups\"\n")
    text += package("p", more="marker = \"'pg' in extras\"\n")
    assert pins(read_pylock(text, selection, TARGET)) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (package("a") + package("a", "2.0"), "a is chosen twice: 1.0, 2.0"),
        (
            package("a") + package("c") + package("b", index="https://user:word@other.example/simple"),
            "b comes from another index than the others (https://other.example...): name that index in",
        ),
        (
            '[[packages]]\nname = "g"\nvcs = { type = "git", url = "https://x/y", commit-id = "1" }\n',
            "g: it comes from git: ",
        ),
        ('[[packages]]\nname = "g"\ndirectory = { path = "../x" }\n', "g: it comes from a folder: "),
        (
            '[[packages]]\nname = "g"\nvcs = { type = "svn", url = "https://x/y", commit-id = "1" }\n',
            "g: it comes from svn: ",
        ),
        (
            f'[[packages]]\nname = "g"\narchive = {{ url = "https://x/y", hashes = {{ sha256 = "{"0" * 64}" }} }}\n',
            "g: it comes from a URL: ",
        ),
        (
            package("a").replace('url = "https://f.example/', 'path = "vendor/'),
            "a: it comes from a file beside the lock (vendor/a-1.0-py3-none-any.whl): ",
        ),
        (
            package("a", more=f'sdist = {{ path = "a-1.0.tar.gz", hashes = {{ sha256 = "{"0" * 64}" }} }}\n'),
            "a: it comes from a file beside the lock (a-1.0.tar.gz): ",
        ),
        (
            package("a", more='requires-python = ">=3.12"\n'),
            "a: it is for Python >=3.12, and the app has 3.11 (app.python)",
        ),
        (
            package("b") + package("c") + package("a") + package("a", index="https://other.example/simple"),
            "a 1.0 stands there twice, with other sources",
        ),
        (package("a", more="marker = \"os_name == 'nt'\"\n"), "none of its 1 packages is of this selection, for this"),
        (package("a").replace("sha256", "md5"), "a has no SHA-256 in the lock"),
        (package("a").replace(digest("a"), digest("a")[:63]), "a: a hash that is not 64 digits of SHA-256"),
    ],
    ids=[
        *("two versions", "another index", "git", "folder", "svn", "archive", "a wheel's path", "an sdist's path"),
        *("another python", "two sources", "none chosen", "md5", "a short hash"),
    ],
)
def test_what_cannot_be_installed_is_named(text: str, problem: str) -> None:
    problems = read_pylock(HEAD + text, Selection(), TARGET).lock.problems
    assert len(problems) == 1 and problems[0].startswith(problem), problems


@pytest.mark.parametrize("wants", [">=3.9", "!=3.11.0,>=3.9", ">=3.11.4", "==3.11.*", "<3.12"])
def test_a_package_for_a_patch_release_of_this_python_is_taken(wants: str) -> None:
    text = HEAD + f'requires-python = "{wants}"\n' + package("a", more=f'requires-python = "{wants}"\n')
    assert pins(read_pylock(text, Selection(), TARGET)) == ["a==1.0"]


def test_what_excludes_this_python_and_is_not_chosen_is_left_out() -> None:
    more = 'requires-python = ">=3.12"\nmarker = "python_version >= \'3.12\'"\n'
    read = read_pylock(HEAD + package("a") + package("b", more=more), Selection(), TARGET)
    assert pins(read) == ["a==1.0"] and read.left_out == ("b",) and not read.lock.problems


def test_keys_of_tools_and_of_the_specification_change_nothing() -> None:
    more = 'dependencies = [{ name = "b" }]\nattestation-identities = [{ kind = "x" }]\n[packages.tool.x]\ny = 1\n'
    text = HEAD + "tool = { x = 1 }\n" + package("a").rstrip("\n") + f"\n{more}"
    assert pins(read_pylock(text, Selection(), TARGET)) == ["a==1.0"]


def test_an_index_that_this_host_asks_is_none_of_another() -> None:
    text = HEAD + package("a") + package("c") + package("b", index="https://torch.example/cpu/")
    target = Target("3.11", "x86_64", indexes=frozenset({"https://torch.example/cpu"}))
    assert len(read_pylock(text, Selection(), target).lock.packages) == 3


def test_a_package_without_a_wheel_for_this_python_is_known() -> None:
    text = HEAD + package("a", wheel="cp310-cp310-linux_x86_64") + package("b", wheel="cp311-cp311-linux_x86_64")
    assert read_pylock(text, Selection(), TARGET).unbuilt == ("a",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD.replace("1.0", "2.0") + package("a"), "version 2.0 is not supported"),
        (HEAD + package("a") + "x = 1\nx = 2\n", "not valid TOML"),
        (HEAD + 'requires-python = ">=3.12"\n' + package("a"), "it is for Python >=3.12, and the app has 3.11"),
        (HEAD + "environments = [\"sys_platform == 'win32'\"]\n" + package("a"), "it is for other systems than Linux"),
        (HEAD + package("a", more=f'marker = "{"(" * 60}os_name == \'posix\'{")" * 60}"\n'), "longer than any"),
        (HEAD + package("A"), "not normalized"),
        (HEAD + "packages = 3\n", "packages"),
        (HEAD.replace('"1.0"', '"1.1"') + package("a"), "lock-version 1.1, expected 1.0: lock it anew"),
        (HEAD + 'overrides = ["x"]\n' + package("a"), "the lock: keys that lock-version 1.0 does not have: overrides"),
        (HEAD + package("a", more="build = true\n"), "packages.a: keys that lock-version 1.0 does not have: build"),
    ],
    ids=[
        *("format", "a key twice", "python", "system", "marker", "name", "no packages", "a later version"),
        *("a key", "a package's key"),
    ],
)
def test_what_is_no_lock_for_this_system_is_refused(text: str, words: str) -> None:
    with pytest.raises(LockError) as refused:
        read_pylock(text, Selection(), TARGET)
    assert words in str(refused.value)


@pytest.mark.parametrize("selection", [Selection(groups=("no",)), Selection(extras=("no",)), Selection(package="no")])
def test_what_it_does_not_have_is_refused(selection: Selection) -> None:
    with pytest.raises(LockError, match="no"):
        read_pylock(HEAD + package("a"), selection, TARGET)


def test_work_grows_with_the_number_of_packages() -> None:
    def prepared(count: int) -> object:
        text = HEAD + "".join(package(f"p{number}") for number in range(count))
        return lambda: read_pylock(text, Selection(), TARGET)

    assert_in_proportion(prepared, 100, 1000)  # type: ignore[arg-type]
