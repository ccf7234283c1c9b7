import os
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.checks import tool_caches
from tasks.checks.tool_caches import ToolCache
from tasks.source.git import Source

MAIN = Source("c" * 40, "v1", "main", (), Path("source.tar"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))


def cache(source: Source = MAIN, tool: str = "mypy", environment: str = "env-1") -> ToolCache:
    return ToolCache(tool, Path("/environments") / environment, source)


def test_what_a_tool_leaves_is_there_the_next_time_and_as_a_copy(tmp_path: Path) -> None:
    cache().lend(tmp_path / "one")
    assert not list((tmp_path / "one").iterdir())
    (tmp_path / "one" / "known").write_text("1")
    cache().take_back(tmp_path / "one")
    for name in ("two", "three"):
        cache().lend(tmp_path / name)
        assert (tmp_path / name / "known").read_text() == "1"
        (tmp_path / name / "known").write_text(name)
    cache().take_back(tmp_path / "three")
    cache().lend(tmp_path / "four")
    assert (tmp_path / "four" / "known").read_text() == "three"
    assert len(list(cache().kept.parent.iterdir())) == 1


def test_nobody_reads_what_another_branch_tool_or_environment_left() -> None:
    branches = (MAIN, replace(MAIN, branch="feature"), replace(MAIN, branch=""), replace(MAIN, signable=False))
    caches = [*(cache(source) for source in branches), cache(tool="types"), cache(environment="env-2")]
    assert len({one.kept for one in caches}) == len(caches)


@pytest.mark.parametrize("trap", ["link", "file", "gone", "pipe", "big"])
def test_what_is_no_cache_is_not_kept(trap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / "left"
    if trap == "link":
        (tmp_path / "host").mkdir()
        left.symlink_to(tmp_path / "host")
    elif trap == "file":
        left.touch()
    elif trap in ("pipe", "big"):
        left.mkdir()
        (left / "some").write_text("12")
        os.mkfifo(left / "fifo")
        monkeypatch.setattr(tool_caches, "LARGEST_CACHE_BYTES", 2 if trap == "pipe" else 1)
    cache().take_back(left)
    assert cache().kept.exists() is (trap == "pipe")
    cache().lend(tmp_path / "next")  # a pipe cannot be copied: the tool starts afresh
    assert not list((tmp_path / "next").iterdir())
