"""Environments and wheels are kept by what their lock says, and what cannot be fetched is told."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence.scopes import OURS
from host.errors import ConfigError, SourceError, ToolError
from host.home import CHECKOUT
from settings.locks import Locks
from tasks.source import locked_environments as environments
from tasks.source.app_locks import AppLocks
from tasks.source.locked_environments import (
    at_once,
    check_locks,
    fetch_wheels,
    lock_digest,
    locked_environment,
    own_tools,
)

Wanted = list[tuple[str, Path]]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    cache = tmp_path / "home" / "cache"
    cache.mkdir(parents=True)
    return cache


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "app.lock"
    file.write_text("# nothing is needed\n")
    return file


def listing(wanted: Wanted) -> Callable[[str, Path, Callable[[], None]], None]:
    return lambda what, directory, make: wanted.append((what, directory))


def test_the_digest_is_that_of_lock_and_python(lock: Path) -> None:
    digest = lock_digest(lock, "3.11")
    assert len(digest) == 32 and lock_digest(lock, "3.11") == digest
    assert lock_digest(lock, "3.12") != digest
    copy = lock.with_name("other.lock")
    copy.write_bytes(lock.read_bytes())
    assert lock_digest(copy, "3.11") == digest
    copy.write_text("a==1\n")
    assert lock_digest(copy, "3.11") != digest


def test_a_lock_that_the_commit_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as missing:
        lock_digest(tmp_path / "absent.lock", "3.11")
    assert str(missing.value) == "config/pipeline.toml: locks: the commit has no file absent.lock"
    with pytest.raises(ConfigError, match="the commit has no file folder"):
        (tmp_path / "folder").mkdir()
        lock_digest(tmp_path / "folder", "3.11")


HASH = f"--hash=sha256:{'0' * 64}"


def test_the_locks_of_a_commit_are_looked_at_before_anything_is_made_of_one(tmp_path: Path) -> None:
    locks = Locks(runtime="requirements.txt", ci="backend/pixi.lock", smoke="smoke.lock", others=("docs.lock",))
    (tmp_path / "requirements.txt").write_text("flask>=2\n")
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "pixi.lock").write_text("version: 6\n")
    (tmp_path / "smoke.lock").write_text("")
    with pytest.raises(SourceError) as refused:
        check_locks(AppLocks(tmp_path, locks, "3.11"))
    for words in (
        "config/pipeline.toml: locks.runtime: requirements.txt: it is no lock, ",
        "make one: slipway lock requirements.txt; ",
        "config/pipeline.toml: locks.ci: backend/pixi.lock: it is no lock that can be read; make one: slipway",
        "config/pipeline.toml: locks.smoke: smoke.lock: it names no package",
    ):
        assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"x==1 {HASH}\n", ""),
        (f"x==1 ; sys_platform == 'win32' {HASH}\n", ""),
        (f"x==1 {HASH}\nx==2 {HASH}\n", "app.lock: line 2: x is pinned twice: 1, 2"),
        (f"x==1 {HASH}\ny==2\n", "app.lock: line 2: no --hash=sha256:"),
    ],
)
def test_a_lock_is_good_or_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "app.lock").write_text(text)
    locks = Locks(runtime="app.lock", ci="app.lock")
    if not problem:
        check_locks(AppLocks(tmp_path, locks, "3.11"))
        return
    with pytest.raises(SourceError) as refused:
        check_locks(AppLocks(tmp_path, locks, "3.11"))
    assert f"locks.ci: {problem}" in str(refused.value) and f"locks.runtime: {problem}" in str(refused.value)


def test_a_lock_that_is_not_there_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "app.lock").write_text(f"x==1 {HASH}\n")
    with pytest.raises(
        ConfigError, match="config/pipeline.toml: locks.ci: the commit has no file dev.lock; make a lock: slipway"
    ):
        check_locks(AppLocks(tmp_path, Locks(runtime="app.lock", ci="dev.lock"), "3.11"))


def test_environments_and_wheels_are_kept_apart_by_the_digest(cache: Path, lock: Path) -> None:
    wanted: Wanted = []
    digest = lock_digest(lock, "3.11")
    assert locked_environment(lock, "3.11", OURS, listing(wanted)) == cache / "environments" / "shared" / digest
    assert fetch_wheels(lock, "3.11", OURS, listing(wanted)) == cache / "wheels" / "shared" / digest
    assert wanted == [
        ("environment app.lock", cache / "environments" / "shared" / digest),
        ("wheels app.lock", cache / "wheels" / "shared" / digest),
    ]


def test_our_tools_are_those_of_their_own_lock(cache: Path) -> None:
    wanted: Wanted = []
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = lock_digest(CHECKOUT / "requirements" / "scanners.lock", python)
    assert own_tools("scanners", listing(wanted)) == cache / "environments" / "shared" / digest
    assert wanted == [("environment scanners.lock", cache / "environments" / "shared" / digest)]


def test_a_lock_that_names_nothing_needs_no_wheels(cache: Path, lock: Path) -> None:
    folder = fetch_wheels(lock, "3.11", OURS)
    assert folder.is_dir() and list(folder.glob("*.whl")) == []


def test_what_is_there_is_not_made_again(cache: Path) -> None:
    made: list[str] = []

    def make() -> None:
        made.append("once")
        (cache / "thing").mkdir()

    at_once("a thing", cache / "thing", make)
    at_once("a thing", cache / "thing", make)
    assert made == ["once"]


def test_wheels_that_cannot_be_fetched_are_told_and_not_kept(
    cache: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lock.write_text(f"nobody-has-it==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ToolError) as failed:
        fetch_wheels(lock, "3.11", OURS)
    assert str(failed.value).startswith("app.lock: the wheels cannot be fetched: ")
    wanted: Wanted = []
    folder = fetch_wheels(lock, "3.11", OURS, listing(wanted))
    assert not (folder / ".complete").exists()


def test_a_download_that_does_not_end_is_told(cache: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "DOWNLOAD_TIMEOUT_S", 0)
    lock.write_text(f"a==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ToolError) as failed:
        fetch_wheels(lock, "3.11", OURS)
    assert str(failed.value) == "the wheels of app.lock were not fetched within 0 s"
