import logging
import os
import subprocess
from pathlib import Path

import pytest

from host.errors import SourceError
from tasks.source.git import Source
from tasks.source.working_tree import read_working_tree


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.org")
    top = tmp_path / "a b" / "größe"
    top.mkdir(parents=True)
    run(top, "init", "-q", "-b", "$(touch${IFS}x)")
    (top / "app.py").write_text("one = 1\n")
    (top / ".gitignore").write_text("ignored\n")
    run(top, "add", "-A")
    run(top, "commit", "-q", "-m", "first")
    return top


def run(top: Path, *argv: str) -> str:
    done = subprocess.run(["git", "-C", str(top), *argv], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def read(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    for module in ("tasks.source.git", "tasks.source.working_tree"):
        monkeypatch.setattr(f"{module}.get_run_logger", lambda: logging.getLogger("test"))
    directory = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
    directory.mkdir()
    return read_working_tree.fn(top, directory)


def test_uncommitted_and_new_files_are_in_it_and_ignored_ones_are_not(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "app.py").write_text("one = 2\n")
    (repository / "new ü.py").write_text("new = 1\n")
    (repository / "ignored").write_text("x")
    before = run(repository, "status", "--porcelain"), run(repository, "rev-parse", "HEAD")
    source = read(repository, tmp_path, monkeypatch)
    tree = source.lay_out(tmp_path / "laid", os.geteuid())
    assert (tree / "app.py").read_text() == "one = 2\n"
    assert (tree / "new ü.py").exists() and not (tree / "ignored").exists()
    assert set(source.files) == {"app.py", "new ü.py", ".gitignore"}
    assert source.parent == before[1] and source.commit != before[1]
    assert not source.signable
    assert source.branch == "$(touch${IFS}x)" and not (Path.cwd() / "x").exists()
    assert (run(repository, "status", "--porcelain"), run(repository, "rev-parse", "HEAD")) == before


def test_an_unchanged_tree_is_its_last_commit(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = read(repository, tmp_path, monkeypatch)
    assert source.commit == run(repository, "rev-parse", "HEAD")
    assert not source.signable and source.parent == ""
    assert [one.author for one in source.history] == ["Ada"]


def test_a_repository_without_a_commit_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    top = tmp_path / "fresh"
    top.mkdir()
    run(top, "init", "-q")
    (top / "app.py").write_text("one = 1\n")
    source = read(top, tmp_path, monkeypatch)
    assert set(source.files) == {"app.py"} and source.parent == ""


def test_a_folder_below_the_top_is_the_app_with_the_repositorys_history(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = repository / "apps" / "größe x"
    inside.mkdir(parents=True)
    (inside / "main.py").write_text("two = 2\n")
    fresh = read(inside, tmp_path, monkeypatch)
    assert set(fresh.files) == {"main.py"} and fresh.parent == ""
    assert [one.subject for one in fresh.history] == ["uncommitted changes", "first"]
    run(repository, "add", "-A")
    run(repository, "commit", "-q", "-m", "second")
    same = read(inside, tmp_path, monkeypatch)
    assert set(same.files) == {"main.py"} and same.parent == "" and same.branch
    assert [one.subject for one in same.history] == ["only apps/größe x/", "second", "first"]
    assert same.commit == read(inside, tmp_path, monkeypatch).commit
    assert (same.lay_out(tmp_path / "laid", os.geteuid()) / "main.py").read_text() == "two = 2\n"
    (repository / "app.py").write_text("around = it\n")
    assert read(inside, tmp_path, monkeypatch).commit == same.commit
    (inside / "new.py").write_text("")
    changed = read(inside, tmp_path, monkeypatch)
    assert set(changed.files) == {"main.py", "new.py"} and changed.parent == same.commit
    assert changed.version.endswith("apps/größe x (with uncommitted changes)")


def test_what_changed_in_a_folder_is_told_against_the_folder_before(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = repository / "sub"
    inside.mkdir()
    for number in (1, 2):
        (inside / "main.py").write_text(f"number = {number}\n")
        run(repository, "add", "-A")
        run(repository, "commit", "-q", "-m", f"number {number}")
    source = read(inside, tmp_path, monkeypatch)
    assert run(source.repository, "diff", "--name-only", source.parent, source.commit) == "main.py"
    assert run(source.repository, "show", f"{source.parent}:main.py") == "number = 1"


def test_no_filter_or_hook_of_the_repository_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(repository, "config", "filter.evil.clean", f"touch {tmp_path}/ran; cat")
    run(repository, "config", "core.fsmonitor", f"touch {tmp_path}/ran")
    (repository / ".gitattributes").write_text("*.py filter=evil\n")
    (repository / "app.py").write_text("one = 3\n")
    read(repository, tmp_path, monkeypatch)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("what", ["missing", "no repository"])
def test_what_is_no_working_tree_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    plain = tmp_path / "plain"
    if what != "missing":
        plain.mkdir()
    with pytest.raises(SourceError, match="no such directory" if what == "missing" else "is not a git working tree"):
        read(plain, tmp_path, monkeypatch)
