"""Pipfile.lock is read by its categories."""

import json
from typing import Any

import pytest

from gates.lock_formats.pipfile import read_pipfile
from gates.lock_formats.selection import LockError, Selection
from tests.gates.lock_formats.locks import TARGET, digest, pins

SOURCES = [{"name": "first", "url": "https://first.example/simple", "verify_ssl": True}]
SOURCES += [{"name": "second", "url": "https://second.example/simple", "verify_ssl": True}]


def entry(name: str, **more: Any) -> dict[str, Any]:
    return {"hashes": [f"sha256:{digest(name)}"], "index": "first", "version": "==1.0", **more}


def lock(
    develop: dict[str, Any] | None = None, spec: object = 6, requires: dict[str, str] | None = None, **default: Any
) -> str:
    meta = {"hash": {"sha256": "x"}, "pipfile-spec": spec, "requires": requires or {}, "sources": SOURCES}
    return json.dumps({"_meta": meta, "default": default, "develop": develop or {}})


@pytest.mark.parametrize(
    ("groups", "expected"), [((), ["a==1.0"]), (("develop",), ["a==1.0", "d==1.0"]), (("dev",), ["a==1.0", "d==1.0"])]
)
def test_categories_are_chosen(groups: tuple[str, ...], expected: list[str]) -> None:
    text = lock({"d": entry("d"), "a": entry("a")}, a=entry("a"), w=entry("w", markers="sys_platform == 'win32'"))
    assert pins(read_pipfile(text, Selection(groups), TARGET)) == expected


@pytest.mark.parametrize(
    ("marker", "chosen"),
    [
        ({"sys_platform": "== 'linux'", "markers": "python_version >= '3.9'"}, True),
        ({"sys_platform": "== 'win32'", "markers": "python_version >= '3.9'"}, False),
        ({"os_name": "== 'nt'"}, False),
        ({"platform_machine": "== 'aarch64'"}, False),
        ({"python_version": ">= '3.11'"}, True),
        ({"python_version": "< '3.11'"}, False),
        ({"python_full_version": "< '3.11.0'"}, False),
        ({"platform_python_implementation": "== 'PyPy'"}, False),
        ({"implementation_name": "== 'cpython'"}, True),
        ({"platform_system": "== 'Windows'"}, False),
        ({"markers": "os_name == 'nt' or os_name == 'posix'", "sys_platform": "== 'win32'"}, False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else str(value),
)
def test_markers_in_pipfiles_short_form_decide(marker: dict[str, str], chosen: bool) -> None:
    read = read_pipfile(lock(a=entry("a"), m=entry("m", **marker)), Selection(), TARGET)
    assert pins(read) == ["a==1.0", *(["m==1.0"] if chosen else [])] and not read.lock.problems


@pytest.mark.parametrize(
    "requires",
    [{"python_version": "3"}, {"python_version": "3.11"}, {"python_full_version": "3.11.4"}, {"python_version": "*"}],
    ids=["major", "minor", "patch", "any"],
)
def test_a_lock_for_this_python_is_read(requires: dict[str, str]) -> None:
    assert pins(read_pipfile(lock(requires=requires, a=entry("a", editable=False)), Selection(), TARGET)) == ["a==1.0"]


def test_a_package_of_two_categories_has_one_source() -> None:
    develop = {"a": entry("a", index="second")}
    assert pins(read_pipfile(lock({"a": entry("a")}, a=entry("a")), Selection(("dev",)), TARGET)) == ["a==1.0"]
    problems = read_pipfile(lock(develop, a=entry("a")), Selection(("dev",)), TARGET).lock.problems
    assert problems[0] == "a 1.0 stands there twice, with other sources"


def test_a_selection_without_a_package_is_refused() -> None:
    problems = read_pipfile(lock({"d": entry("d")}), Selection(), TARGET).lock.problems
    assert problems[0].startswith("none of its 1 packages is of this selection")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry("b", git="https://x/y", ref="1"), "b: it comes from git: "),
        (entry("b", path=".", editable=True), "b: it comes from a folder: "),
        (entry("b", hg="https://x/y"), "b: it comes from hg: "),
        (entry("b", svn="https://x/y"), "b: it comes from svn: "),
        (entry("b", bzr="https://x/y"), "b: it comes from bzr: "),
        (entry("b", file="https://x/b.whl"), "b: it comes from a URL: "),
        (entry("b", url="https://x/b.whl"), "b: it comes from a URL: "),
        (entry("b", uri="https://x/b.whl"), "b: it comes from a URL: "),
        (entry("b", editable=True), "b: it comes from a folder: "),
        (entry("b", ref="main"), "b: it comes from a repository: "),
        (entry("b", subdirectory="x"), "b: it comes from a part of a repository: "),
        (entry("b", no_binary=True), "b: it has keys that are not known (no_binary), so what they ask for"),
        (entry("b", pip_args=["--config-settings=x"]), "b: it has keys that are not known (pip_args)"),
        (entry("b", version="*"), "b: it is not pinned to one version"),
        (entry("b", index="third"), "b: its index third is none of the lock's sources"),
        (entry("b", index="second"), "b comes from another index than the others (https://second.example...)"),
        (entry("b", hashes=["md5:0"]), "b has no SHA-256 in the lock"),
    ],
    ids=[
        *("git", "folder", "hg", "svn", "bzr", "file", "url", "uri", "editable", "ref", "subdirectory", "no_binary"),
        *("pip_args", "version", "no source", "index", "md5"),
    ],
)
def test_what_cannot_be_installed_is_named(wrong: dict[str, Any], words: str) -> None:
    problems = read_pipfile(lock(a=entry("a"), c=entry("c"), b=wrong), Selection(), TARGET).lock.problems
    assert len(problems) == 1 and problems[0].startswith(words), problems


@pytest.mark.parametrize(
    ("text", "selection", "words"),
    [
        (lock(spec=7), Selection(), "pipfile-spec 7, expected 6"),
        ('{"default": {}, "default": {}}', Selection(), "the key default stands twice"),
        ("[]", Selection(), "expected a JSON object"),
        (lock(a=3), Selection(), "a: expected a table"),
        (lock(a=entry("a")).replace('"name": "second"', '"name": "first"'), Selection(), "sources: two of one name"),
        (lock(a=entry("a", sys_platform=["linux"])), Selection(), "sys_platform: expected a text"),
        (lock(a=entry("a", os_name="nt or")), Selection(), "a marker that cannot be read: os_name nt or"),
        (lock(requires={"python_version": "3.12"}), Selection(), "it is for Python 3.12, and the app has 3.11"),
        (lock(requires={"python_full_version": "3.10.2"}), Selection(), "it is for Python 3.10.2, and the app has"),
        (lock(requires={"python_version": "moon"}), Selection(), "a constraint on Python that cannot be read"),
        (lock(), Selection(groups=("no",)), "it has no group no; it has: develop"),
        (lock(), Selection(groups=("_meta",)), "it has no group _meta"),
        (lock(), Selection(extras=("x",)), "neither extras"),
    ],
    ids=[
        *(
            "format",
            "a key twice",
            "no object",
            "type",
            "two sources",
            "marker's type",
            "marker",
            "python",
            "full python",
            "no python",
        ),
        *("group", "meta", "extra"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, selection: Selection, words: str) -> None:
    with pytest.raises(LockError) as refused:
        read_pipfile(text, selection, TARGET)
    assert words in str(refused.value)
