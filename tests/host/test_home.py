import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.errors import ConfigError
from host.home import LONGEST_SOCKET_DIRECTORY, Home


@pytest.fixture(autouse=True)
def no_umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("SLIPWAY_STORE", raising=False)
    before = os.umask(0)
    yield
    os.umask(before)


def mode(directory: Path) -> int:
    return directory.stat().st_mode & 0o777


def test_only_we_can_look_into_a_home_whatever_it_was_before(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.store.mkdir(parents=True, mode=0o777)
    for _ in range(2):
        home.create()
        for directory in (home.root, home.keys, home.store, home.cache, home.work, home.control):
            assert mode(directory) == 0o700, directory


def test_a_shared_store_is_used_as_it_is_and_never_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    monkeypatch.setenv("SLIPWAY_STORE", str(shared))
    home = Home(tmp_path / "home")
    with pytest.raises(ConfigError) as told:
        home.create()
    assert str(told.value) == f"{shared}: SLIPWAY_STORE is no directory; mount it, or make it"
    assert not shared.exists() and not home.root.exists()
    shared.mkdir(mode=0o750)
    home.create()
    assert (home.store, mode(shared)) == (shared, 0o750)
    assert not (home.root / "store").exists()


def test_the_home_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "a" / ".." / "b"))
    assert Home.find().root == (tmp_path / "b").resolve()
    monkeypatch.setenv("SLIPWAY_HOME", "")
    assert Home.find().root.name == ".slipway"


@pytest.mark.parametrize(("more", "inside"), [(0, True), (1, False)])
def test_sockets_lie_in_the_home_unless_their_path_is_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int, inside: bool
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    room = LONGEST_SOCKET_DIRECTORY - len("/control/run") + more
    home = Home(Path("h" * room))  # relative, so that its length does not hang on where the test runs
    sockets = home.sockets("control")
    assert (sockets == home.control / "run") is inside
    assert inside or sockets.parent.parent == tmp_path
    assert mode(sockets) == 0o700
    assert inside or mode(sockets.parent) == 0o700
    assert home.sockets("control") == sockets


def test_a_link_where_the_short_directory_belongs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    home = Home(tmp_path / ("h" * LONGEST_SOCKET_DIRECTORY))
    short = home.sockets("staging").parent
    (short / "staging").rmdir()
    short.rmdir()
    (tmp_path / "elsewhere").mkdir()
    short.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError) as told:
        home.sockets("staging")
    assert str(told.value) == f"{short} belongs to another user; set SLIPWAY_HOME to a shorter path"
