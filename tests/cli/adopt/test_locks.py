"""Whether a lock can be used is told as `ci` would tell it."""

from pathlib import Path
from typing import Any

import pytest

from cli.adopt.locks import read_locks
from gates.adopt.readiness import Outcome
from gates.adopt.tree import Tree

PROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["thing"]\n'
FILE = f'{{ url = "https://files.example/thing-1.0-py3-none-any.whl", hash = "sha256:{"a" * 64}" }}'
INDEX = '{ registry = "https://pypi.org/simple" }'
OWN = '[[package]]\nname = "shop"\nversion = "1"\nsource = { virtual = "." }\ndependencies = [{ name = "thing" }]\n'
THING = f'[[package]]\nname = "thing"\nversion = "1.0"\nsource = {INDEX}\nwheels = [{FILE}]\n'
UV = f'version = 1\nrequires-python = ">=3.11"\n\n{OWN}\n{THING}'


def read(text: str, runtime: Any = "uv.lock") -> tuple[Outcome, str]:
    tree = Tree(("pyproject.toml", "uv.lock"), {"pyproject.toml": PROJECT, "uv.lock": text})
    return read_locks(tree, {"locks": {"runtime": runtime, "ci": "uv.lock"}}, "3.11")["runtime"]


def test_a_lock_that_ci_takes_is_well() -> None:
    assert read(UV) == (Outcome.OK, "uv.lock: 1 packages, all with hashes and wheels")


@pytest.mark.parametrize(
    ("text", "runtime", "why"),
    [
        (UV.replace("version = 1\n", "version = 9\n", 1), "uv.lock", "format version 9, expected 1"),
        (UV.replace("thing", "../../thing"), "uv.lock", "uv.lock: cannot be used"),
        (
            UV.replace("py3-none-any.whl", "cp39-cp39-win32.whl"),
            "uv.lock",
            "it names no wheel of thing for CPython 3.11",
        ),
        (UV, {"file": "uv.lock", "groups": ["dev"]}, "dev"),
        ("[", "uv.lock", "not valid TOML"),
        (UV, "../uv.lock", "without `..`"),
    ],
    ids="format traversal no-wheel no-group no-toml elsewhere".split(),
)
def test_one_that_ci_would_refuse_blocks_with_its_reason(text: str, runtime: Any, why: str) -> None:
    outcome, told = read(text, runtime)
    assert outcome is Outcome.BLOCKS and why in told


def test_no_name_of_a_commit_leads_out_of_the_copies(tmp_path: Path) -> None:
    outside = tmp_path / "pyproject.toml"
    names = {"uv.lock": UV, "pyproject.toml": PROJECT, str(outside): "x", "../pyproject.toml": "x"}
    found = read_locks(Tree(tuple(names), names), {"locks": {"runtime": "uv.lock", "ci": "uv.lock"}}, "3.11")
    assert found["ci"][0] is Outcome.OK
    assert not outside.exists()
