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


def lock(develop: dict[str, Any] | None = None, spec: object = 6, **default: Any) -> str:
    meta = {"hash": {"sha256": "x"}, "pipfile-spec": spec, "requires": {}, "sources": SOURCES}
    return json.dumps({"_meta": meta, "default": default, "develop": develop or {}})


@pytest.mark.parametrize(
    ("groups", "expected"), [((), ["a==1.0"]), (("develop",), ["a==1.0", "d==1.0"]), (("dev",), ["a==1.0", "d==1.0"])]
)
def test_categories_are_chosen(groups: tuple[str, ...], expected: list[str]) -> None:
    text = lock({"d": entry("d"), "a": entry("a")}, a=entry("a"), w=entry("w", markers="sys_platform == 'win32'"))
    assert pins(read_pipfile(text, Selection(groups), TARGET)) == expected


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (entry("b", git="https://x/y", ref="1"), "b: it comes from git: "),
        (entry("b", path=".", editable=True), "b: it comes from a folder: "),
        (entry("b", version="*"), "b: it is not pinned to one version"),
        (entry("b", index="second"), "b comes from another index than the others (https://second.example...)"),
        (entry("b", hashes=["md5:0"]), "b has no SHA-256 in the lock"),
    ],
    ids=["git", "folder", "version", "index", "md5"],
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
        (lock(), Selection(groups=("no",)), "it has no group no; it has: develop"),
        (lock(), Selection(groups=("_meta",)), "it has no group _meta"),
        (lock(), Selection(extras=("x",)), "neither extras"),
    ],
    ids=["format", "a key twice", "no object", "type", "group", "meta", "extra"],
)
def test_what_cannot_be_read_is_refused(text: str, selection: Selection, words: str) -> None:
    with pytest.raises(LockError) as refused:
        read_pipfile(text, selection, TARGET)
    assert words in str(refused.value)
