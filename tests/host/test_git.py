"""The one runner of git: no program that a repository names is started, and errors say what git wrote."""

from pathlib import Path

import pytest

from host.errors import SourceError
from host.git import NO_USER_SETTINGS, git, git_bytes, run_git

WHO = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in {"NAME": "Ada", "EMAIL": "ada@example.org", "DATE": "2026-01-01T00:00:00Z"}.items()
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git("init", "-q", "-b", "main", str(tmp_path / "shop"))
    git("commit", "-q", "--allow-empty", "-m", "first", at=tmp_path / "shop", env=WHO)
    return tmp_path / "shop"


def test_text_is_stripped_and_bytes_are_as_they_are(repository: Path) -> None:
    assert git("log", "--format=%s", at=repository) == "first"
    assert git_bytes("log", "--format=%s", at=repository) == b"first\n"
    blob = git_bytes("hash-object", "-w", "--stdin", at=repository, stdin=b"\xff\n").decode().strip()
    assert git_bytes("cat-file", "blob", blob, at=repository) == b"\xff\n"


def test_what_git_wrote_is_in_the_error(repository: Path) -> None:
    with pytest.raises(SourceError, match=f"^git rev-parse in {repository}: fatal: .*absent"):
        git("rev-parse", "absent", at=repository)
    assert run_git("rev-parse", "absent", at=repository).returncode == 128


def test_a_host_without_git_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="git is not installed; install it, then: make doctor"):
        git("version")


def test_no_hook_and_no_file_monitor_of_a_repository_is_started(repository: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    (repository / ".git" / "hooks").mkdir(exist_ok=True)
    (repository / ".git" / "hooks" / "post-commit").symlink_to(program)
    git("config", "core.fsmonitor", str(program), at=repository)
    git("commit", "-q", "--allow-empty", "-m", "second", at=repository, env=WHO)
    git("status", "--short", at=repository)
    assert not (tmp_path / "started").exists()


def test_variables_of_a_hook_that_runs_us_do_not_name_the_repository(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another"))
    assert git("log", "--format=%s", at=repository) == "first"


def test_settings_of_the_user_are_read_unless_they_must_not_be(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[slipway]\n\tword = mine\n")
    assert git("config", "slipway.word", at=repository) == "mine"
    assert run_git("config", "slipway.word", at=repository, env=NO_USER_SETTINGS).returncode == 1


def test_another_variable_of_ours_does_not_reach_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "secret")
    shown = git("-c", "alias.show-variables=!env", "show-variables", at=repository)
    assert "PATH=" in shown and "secret" not in shown
