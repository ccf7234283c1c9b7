"""`slipway lock` by the real uv, with a folder of wheels in place of an index."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from gates.locks import read_lock
from host.errors import ToolError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, on a host whose index is empty and whose wheels are in another one."""
    shared = Path(tempfile.mkdtemp())  # the sandbox's user cannot go through pytest's own folder
    wheels, index, project = shared / "wheels", shared / "simple", tmp_path / "project"
    for folder in (wheels, index, project):
        folder.mkdir(mode=0o755)
    with zipfile.ZipFile(wheels / "thing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("thing.py", "")
        wheel.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        wheel.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("thing-1.0.dist-info/RECORD", "")
    for path in (shared, *shared.rglob("*")):
        path.chmod(0o755)
    for name in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.as_uri())
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    yield project
    shutil.rmtree(shared)


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["lock", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_list_is_printed_and_written_only_when_that_is_asked_for(project: Path) -> None:
    (project / "requirements.txt").write_text("-r more.txt\n")
    (project / "more.txt").write_text("thing\n")
    printed = run(str(project))
    assert "thing==1.0" in printed and "not in the lock" not in printed
    assert not (project / "requirements.lock").exists()
    said = run(str(project), "--write")
    lock = read_lock((project / "requirements.lock").read_text())
    assert [package.name for package in lock.packages] == ["thing"] and not lock.problems
    assert "written: " in said and "commit requirements.lock" in said
    assert str(project.parent) not in (project / "requirements.lock").read_text()


def test_an_option_that_the_lock_does_not_hold_is_told(project: Path) -> None:
    wheels = Path(os.environ["UV_FIND_LINKS"])
    (project / "requirements.in").write_text(f"--find-links {wheels}\n--pre\nthing\n")
    said = " ".join(run(str(project)).split())
    assert "not in the lock requirements.in line 1: --find-links" in said
    assert "not in the lock requirements.in line 2: --pre: uv passes over it" in said


def test_what_uv_cannot_find_is_told_and_nothing_is_written(project: Path) -> None:
    (project / "requirements.in").write_text("absent>=2\n")
    with pytest.raises(ToolError, match="requirements.in: uv pip compile made no lock: .*absent"):
        CliRunner().invoke(app, ["lock", str(project), "--write"], catch_exceptions=False)
    assert not (project / "requirements.lock").exists()
