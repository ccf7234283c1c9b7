"""What a check works on."""

import os
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from tasks.source.git import fetch_source
from tasks.source.workspace import Workspace
from tests.tasks.source.test_git import Repository


def test_an_attempt_after_a_failed_one_gets_a_fresh_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    repository = Repository(tmp_path / "repository")
    repository.commit("first", **{"app.py": "print(1)\n"})
    with disable_run_logger():
        source = fetch_source.fn(repository.app, None, tmp_path / "run")
    workspace = Workspace(tmp_path / "run", source, tmp_path)
    left = workspace.check_directory("lint")
    (left / "left behind").write_text("by the first attempt")
    (left / "app.py").write_text("changed")
    again = workspace.check_directory("lint")
    assert sorted(os.listdir(again)) == ["app.py"]
    assert (again / "app.py").read_text() == "print(1)\n"
