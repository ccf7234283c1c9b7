"""Other tools' locks become one strict list, beside the commit's tree, and everything reads that."""

from pathlib import Path
from typing import Any

import pytest

from evidence.bundle import LockOrigin
from host.errors import ConfigError, SourceError
from host.files import sha256_file
from settings.locks import LockChoice, Locks
from tasks.source.app_locks import AppLocks, made_of, target_of
from tasks.source.locked_environments import check_locks

HASH = "a" * 64
PROJECT = """[project]
name = "shop"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["idna", "lib-a"]
[project.optional-dependencies]
fast = ["colorama"]
[dependency-groups]
dev = ["click"]
[tool.uv.workspace]
members = ["lib-a"]
[tool.uv.sources]
lib-a = { workspace = true }
"""
MEMBER = '[project]\nname = "lib-a"\nversion = "0.1"\nrequires-python = ">=3.11"\ndependencies = ["six"]\n'
GIT = f'[[package]]\nname = "six"\nversion = "1.0"\nsource = {{ git = "https://x.example/y?rev=main#{"a" * 40}" }}\n'
INDEX = '{ registry = "https://index.example/simple" }'


def registered(name: str, wheel: str = "py3-none-any", source: str = INDEX) -> str:
    file = f"https://f.example/{name}-1.0-{wheel}.whl"
    wheels = f'wheels = [{{ url = "{file}", hash = "sha256:{HASH}", size = 1 }}]\n'
    return f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {source}\n{wheels}\n'


UV = (
    'version = 1\nrevision = 2\nrequires-python = ">=3.11"\n[manifest]\nmembers = ["lib-a", "shop"]\n'
    + "".join(map(registered, ("click", "colorama", "idna", "six")))
    + '[[package]]\nname = "lib-a"\nversion = "0.1"\nsource = { editable = "lib-a" }\n'
    'dependencies = [{ name = "six" }]\n'
    '[[package]]\nname = "shop"\nversion = "0.1"\nsource = { virtual = "." }\n'
    'dependencies = [{ name = "idna" }, { name = "lib-a" }]\n'
    '[package.optional-dependencies]\nfast = [{ name = "colorama" }]\n'
    '[package.dev-dependencies]\ndev = [{ name = "click" }]\n'
)
UV_FILES = {"uv.lock": UV, "pyproject.toml": PROJECT, "lib-a/pyproject.toml": MEMBER}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))


def locks_of(tmp_path: Path, runtime: Any, files: dict[str, str]) -> AppLocks:
    for name, text in files.items():
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return AppLocks(tmp_path / "tree", Locks.model_validate({"runtime": runtime, "ci": runtime}), "3.11")


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("backend/uv.lock", ["idna", "six"]),
        ({"file": "backend/uv.lock", "groups": ["dev"], "extras": ["fast"]}, ["click", "colorama", "idna", "six"]),
        ({"file": "backend/uv.lock", "package": "lib-a"}, ["six"]),
    ],
    ids=["project", "group and extra", "member"],
)
def test_a_lock_of_uv_becomes_ours(tmp_path: Path, chosen: Any, names: list[str]) -> None:
    locks = locks_of(tmp_path, chosen, {f"backend/{name}": text for name, text in UV_FILES.items()})
    check_locks(locks)
    lock = locks.locks.runtime
    assert [package.name for package in locks.read(lock).packages] == names
    text = locks.file(lock).read_text()
    assert text.startswith(f"# made of {lock}, for CPython 3.11 on ") and "# the app's own: lib-a, shop\n" in text
    origin = LockOrigin(
        file="backend/uv.lock", sha256=sha256_file(locks.tree / "backend/uv.lock"), selection=str(lock.selection)
    )
    assert made_of(locks) == {"runtime": origin}


@pytest.mark.parametrize(
    ("files", "chosen", "words"),
    [
        ({**UV_FILES, "uv.lock": UV.replace("version = 1", "version = 2", 1)}, {}, "format version 2, expected 1"),
        (UV_FILES, {"groups": ["no"]}, "Group `no` is not defined"),
        ({"uv.lock": UV, "pyproject.toml": PROJECT}, {}, "the commit has no lib-a/pyproject.toml"),
        (
            {**UV_FILES, "uv.lock": UV.replace('"lib-a" }', '"../lib-a" }')},
            {},
            "a member of its workspace lies elsewhere",
        ),
        (
            {
                **UV_FILES,
                "uv.lock": UV.replace(registered("six"), GIT),
            },
            {},
            "six: it comes from git: ",
        ),
        ({**UV_FILES, "uv.lock": UV.replace(HASH, HASH[:9])}, {}, "64"),
        ({**UV_FILES, "uv.lock": f"{UV}\n{UV}"}, {}, "not valid TOML"),
    ],
    ids=["format", "group", "no member", "outside", "git", "short hash", "keys twice"],
)
def test_a_lock_of_uv_that_cannot_be_used_is_refused(
    tmp_path: Path, files: dict[str, str], chosen: dict[str, Any], words: str
) -> None:
    locks = locks_of(tmp_path, {"file": "uv.lock", **chosen}, files)
    with pytest.raises(SourceError) as refused:
        check_locks(locks)
    assert words in str(refused.value) and str(refused.value).startswith("config/pipeline.toml: locks.runtime: uv.lock")


def test_a_package_without_a_wheel_for_this_python_is_refused_at_once(tmp_path: Path) -> None:
    lock = UV.replace(registered("six"), registered("six", "cp39-cp39-linux_x86_64"))
    locks = locks_of(tmp_path, "uv.lock", {**UV_FILES, "uv.lock": lock})
    with pytest.raises(SourceError, match="locks.ci: uv.lock: it names no wheel of six for CPython 3.11 on this"):
        check_locks(locks)


def test_the_part_of_a_list_of_requirements_cannot_be_chosen(tmp_path: Path) -> None:
    locks = locks_of(tmp_path, {"file": "a.lock", "groups": ["dev"]}, {"a.lock": f"x==1 --hash=sha256:{HASH}\n"})
    with pytest.raises(ConfigError, match="a.lock is a list of requirements, which has no groups dev"):
        check_locks(locks)


def test_a_list_of_requirements_is_itself(tmp_path: Path) -> None:
    locks = locks_of(tmp_path, "a.lock", {"a.lock": f"x==1 --hash=sha256:{HASH}\n"})
    assert locks.file(LockChoice(file="a.lock")) == tmp_path / "tree" / "a.lock"
    assert made_of(locks) == {}


def test_the_lock_of_a_python_takes_its_wheels() -> None:
    assert target_of("3.11").takes(["a-1-cp311-abi3-manylinux_2_17_x86_64.whl", "a-1-py3-none-any.whl"])
    assert not target_of("3.11").takes(["a-1-cp312-cp312-manylinux_2_17_x86_64.whl", "a-1.tar.gz"])
