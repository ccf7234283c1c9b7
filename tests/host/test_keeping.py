import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from host import keeping
from host.home import CHECKOUT
from host.keeping import bound, first_complete, hold, kept_below
from host.virtual_environments import COMPLETE
from tasks.source import kept as caches


def made(directory: Path, used: int, complete: bool = True, size: int = 50_000) -> Path:
    directory.mkdir(parents=True)
    (directory / "content").write_bytes(os.urandom(size))
    if complete:
        (directory / COMPLETE).touch()
    os.utime(directory, (used, used))
    return directory


def test_the_oldest_go_first_until_the_rest_is_small_enough(tmp_path: Path) -> None:
    kept = [made(tmp_path / name, used) for used, name in enumerate("abcd", 1)]
    removed = bound(kept, 130_000)
    assert [line.split(" (")[0] for line in removed] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert "last used 1970-01-01)" in removed[0]
    assert not bound(kept[2:], 130_000)
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_dir()) == ["c", "d"]


def test_what_was_used_again_is_not_the_oldest(tmp_path: Path) -> None:
    kept = [made(tmp_path / name, used) for used, name in enumerate("ab", 1)]
    (tmp_path / "a.used").touch()
    assert [line.split(" (")[0] for line in bound(kept, 60_000)] == [str(tmp_path / "b")]


def test_what_another_process_holds_stays_until_that_ends(tmp_path: Path) -> None:
    kept = made(tmp_path / "a", 1)
    code = "import sys; from pathlib import Path; from host.keeping import hold; hold(Path(sys.argv[1])); "
    code += "print(1, flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(kept)], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout and holder.stdout.readline() == b"1\n"
    assert bound([kept], 0) == [] and kept.exists()
    holder.communicate(b"\n")
    assert len(bound([kept], 0)) == 1 and not kept.exists()


def test_what_this_process_holds_stays_and_is_found_again(tmp_path: Path) -> None:
    kept = made(tmp_path / "own" / "key", 1)
    assert first_complete([tmp_path / "shared" / "key", kept]) == kept
    assert bound([kept], 0) == [] and kept.exists()
    assert not (tmp_path / "shared").exists()


def test_what_is_to_be_made_is_made_in_the_last_place(tmp_path: Path) -> None:
    half = made(tmp_path / "shared" / "key", 1, complete=False)
    assert first_complete([half, tmp_path / "own" / "key"]) == tmp_path / "own" / "key"


def test_a_directory_that_was_removed_and_made_again_is_held_again(tmp_path: Path) -> None:
    kept = tmp_path / "a"
    hold(kept)
    (tmp_path / "a.used").unlink()
    hold(kept)
    made(kept, 1)
    assert bound([kept], 0) == []


def test_the_size_of_what_is_complete_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, growing = made(tmp_path / "a", 1), made(tmp_path / "b", 1, complete=False)
    bound([whole, growing], 10**9)
    measured: list[Path] = []
    monkeypatch.setattr(keeping, "_measured", lambda directory: measured.append(directory) or 1)
    assert bound([whole, growing], 10**9) == [] and measured == [growing]
    assert (tmp_path / "a.used").stat().st_mtime == 1


def test_a_removal_that_was_interrupted_is_finished_by_the_next(tmp_path: Path) -> None:
    left = made(tmp_path / ".removed-0123", 1)
    assert list(kept_below(tmp_path)) == []
    bound([made(tmp_path / "a", 1)], 0)
    assert not left.exists()


def test_what_an_earlier_version_kept_without_a_scope_is_found_and_goes_too(tmp_path: Path) -> None:
    old, new = made(tmp_path / "digest", 1), made(tmp_path / "shared" / "digest", 2)
    (tmp_path / "digest.lock").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    assert sorted(kept_below(tmp_path)) == [old, new]


def test_a_cache_of_uv_that_got_too_large_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    monkeypatch.setattr(caches, "LARGEST_UV_BYTES", 10_000)
    monkeypatch.setattr(caches, "progress", logging.getLogger("test"))
    cache = made(tmp_path / "cache" / "uv", 1, complete=False)
    with caplog.at_level("INFO"):
        assert caches.uv_cache() == cache
    assert f"removed to make room: {cache}" in caplog.text and not cache.exists()
