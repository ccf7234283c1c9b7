"""What a source distribution asks to be built with, and what is said when that is not there."""

import pytest

from gates.locks import Lock, Locked, read_lock
from gates.source_builds import (
    SETUPTOOLS,
    BuildError,
    build_cure,
    read_build_system,
    to_build,
    tools_of,
    way_out,
    with_built,
)
from tests.gates.lock_formats.locks import TARGET

A, B = "a" * 64, "b" * 64
BACKENDS = read_lock(
    f"setuptools==80.1 --hash=sha256:{A}\nwheel==0.45 --hash=sha256:{A}\nflit-core==3.9 --hash=sha256:{A}\n"
    f"tomli==2.0 ; python_version < '3.11' --hash=sha256:{A}\n"
)


def system(requires: str, rest: str = "") -> bytes:
    return f"[build-system]\nrequires = {requires}\n{rest}".encode()


@pytest.mark.parametrize("text", [None, b"", b"[project]\nname = 'x'\n"], ids=["no file", "empty", "no table"])
def test_what_says_nothing_is_built_by_setuptools(text: bytes | None) -> None:
    found = read_build_system(text)
    assert (found.backend, [str(one) for one in found.requires]) == (SETUPTOOLS, ["setuptools"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[build-system\n", "its pyproject.toml cannot be read: not valid TOML"),
        (b"\xff", "not UTF-8"),
        (b"build-system = 3\n", "requires in its pyproject.toml: expected a list"),
        (b"[build-system]\nbuild-backend = 'x'\n", "expected a list"),
        (system(str(["a"] * 101)), "at most 100"),
        (system("[3]"), "an entry is no requirement"),
        (system(f"['{'x' * 4001}']"), "an entry is no requirement"),
        (system(f"['x; {'(' * 51}']"), "an entry is no requirement"),
        (system("['not a requirement']"), "no requirement: not a requirement"),
        (system("[]", "build-backend = 3\n"), "build-backend in its pyproject.toml is no name"),
        (system("[]", "build-backend = 'a b'\n"), "build-backend in its pyproject.toml is no name"),
    ],
    ids=[
        *("no TOML", "no UTF-8", "no table", "no list", "many", "number", "long", "deep", "words", "no text", "space"),
    ],
)
def test_a_build_system_that_cannot_be_read_is_refused(text: bytes, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        read_build_system(text)


@pytest.mark.parametrize(
    ("requires", "given", "unlike"),
    [
        ("['setuptools', 'wheel']", ("setuptools 80.1", "wheel 0.45"), ()),
        ("['Flit_Core >=3,<4']", ("flit-core 3.9",), ()),
        ("['setuptools<60']", ("setuptools 80.1",), ("setuptools<60 (given 80.1)",)),
        ("['wheel', \"tomli; python_version < '3.11'\"]", ("wheel 0.45",), ()),
        ("['wheel', \"pywin32; sys_platform == 'win32'\"]", ("wheel 0.45",), ()),
        ("[]", (), ()),
    ],
    ids=["both", "spelling", "another version", "older Python", "other system", "nothing"],
)
def test_a_build_gets_our_locked_tools(requires: str, given: tuple[str, ...], unlike: tuple[str, ...]) -> None:
    tools = tools_of(read_build_system(system(requires)), BACKENDS, TARGET)
    assert (tools.given, tools.unlike) == (given, unlike)


@pytest.mark.parametrize(
    ("requires", "name"),
    [
        ("['setuptools', 'meson-python>=0.15']", "meson-python>=0.15"),
        ("['tomli']", "tomli"),
        ("['wheel @ file:///tmp/wheel.whl']", "wheel @ file:///tmp/wheel.whl"),
    ],
    ids=["no backend of ours", "not for this Python", "from elsewhere"],
)
def test_a_tool_that_is_none_of_ours_is_named_with_the_cure(requires: str, name: str) -> None:
    with pytest.raises(BuildError) as refused:
        tools_of(read_build_system(system(requires)), BACKENDS, TARGET)
    message = str(refused.value)
    assert message.startswith(f"it is built with {name}, which is none of Slipway's build backends: ")
    assert "requirements/build.in" in message and "pip wheel" in message


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("error: command 'gcc' failed: No such file or directory", "a compiler that this host does not have: gcc:"),
        ("error: command '/usr/bin/x86_64-linux-gnu-gcc' failed: No such file", "x86_64-linux-gnu-gcc"),
        ("unable to execute 'cc': No such file or directory", "a compiler that this host does not have: cc:"),
        ("sh: 1: gcc: not found", "a compiler that this host does not have: gcc:"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'g++'", "does not have: g++:"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'cargo'", "does not have: cargo:"),
        (
            "x.c:1:10: fatal error: libpq-fe.h: No such file or directory",
            "does not have the header libpq-fe.h: install",
        ),
        ("x.c:1:10: fatal error: 'ffi.h' file not found", "does not have the header ffi.h"),
        ("ModuleNotFoundError: No module named 'numpy'", "Its build wants numpy, which is none"),
        ("BackendUnavailable: Cannot import 'mesonpy'", "Its build wants mesonpy, which is none"),
        ("ERROR: No matching distribution found for pytest-runner", "Its build wants pytest-runner, which is none"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'README'", ""),
        ("error: something else", ""),
    ],
)
def test_a_failure_says_what_is_missing_where_that_can_be_told(output: str, words: str) -> None:
    found = way_out(f"before\n{output}\nafter")
    assert words in found if words else found == ""


def test_the_cure_names_the_key_and_some_packages() -> None:
    assert 'build_from_source = ["flask-mail", "langdetect"]; or pin' in build_cure(["flask-mail", "langdetect"])
    assert build_cure([f"x{number}" for number in range(99)]).count('"') == 40


LOCK = Lock(
    (
        Locked(1, "langdetect", "1.0", hashes=(A,)),
        Locked(2, "six", "1.17", extras=("x",), hashes=(A, B)),
        *read_lock(f"odd==1 ; python_version < '3.9' --hash=sha256:{A}\n").packages,
    )
)


def test_only_the_named_packages_of_this_python_are_built() -> None:
    assert [one.name for one in to_build(LOCK, ("langdetect", "odd", "other"), "3.11")] == ["langdetect"]
    assert not to_build(LOCK, (), "3.11")


def test_only_what_was_built_has_the_hash_of_its_wheel() -> None:
    lines = with_built(LOCK, {("langdetect", "1.0"): B, ("six", "9"): B}).text().splitlines()
    assert lines == [f"langdetect==1.0 --hash=sha256:{B}", *LOCK.text().splitlines()[1:]]
