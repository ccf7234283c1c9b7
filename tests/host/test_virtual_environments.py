"""An environment is compared with its lock when it is made, and where its interpreter lives is kept beside it."""

import sys
from pathlib import Path

import pytest

from gates.locks import Lock, Locked
from host.errors import ArtifactError, ToolError
from host.sandbox.places import has_record, recorded_interpreters
from host.virtual_environments import _pyenv_pythons, check_packages, interpreter, keep_interpreter

LOCK = Lock((Locked(1, "a-b", "1.0"), Locked(2, "c", "2")))
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return the packages' folder of an environment with what LOCK names."""
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("a_b-1.0.dist-info", "c-2.dist-info"):
        (site / name).mkdir(parents=True)
    return site


def test_what_the_lock_names_is_accepted(site: Path, tmp_path: Path) -> None:
    check_packages(tmp_path, LOCK)


@pytest.mark.parametrize(("gone", "more"), [("c-2.dist-info", ""), ("", "d-1.dist-info"), ("", "c-3.dist-info")])
def test_what_is_missing_and_what_is_more_is_refused(site: Path, tmp_path: Path, gone: str, more: str) -> None:
    if gone:
        (site / gone).rmdir()
    if more:
        (site / more).mkdir()
    with pytest.raises(ToolError, match="not what the lock says"):
        check_packages(tmp_path, LOCK)


@pytest.mark.parametrize("folder", ["installed", "cache/environments"])
def test_an_environment_of_an_older_installation_gets_its_record(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path))
    environment = tmp_path / folder / "env-0123"
    environment.mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text(f"home = {tmp_path / 'keys' / 'x'}\n")
    assert list(recorded_interpreters([environment])) == []
    for _ in range(2):
        keep_interpreter(environment, OURS)
    assert list(recorded_interpreters([environment])) == [Path(sys.base_prefix)]


def test_a_python_that_is_not_here_is_told_with_the_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin")
    with pytest.raises(ArtifactError) as told:
        interpreter("3.2")
    for words in ("app.python", f"{tmp_path}, /usr/bin, {tmp_path / 'uv'}, {tmp_path / 'pyenv' / 'versions'}; "):
        assert words in str(told.value)
    assert "uv python install 3.2, or pyenv install 3.2" in str(told.value)


def test_a_python_of_pyenv_is_found_without_a_path_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of the minor version that can be started."""
    for version in ("3.2.9", "3.2.10", "3.2-dev", "3.21.0"):
        program = tmp_path / "versions" / version / "bin" / "python"
        program.parent.mkdir(parents=True)
        program.touch(mode=0o755 if version != "3.2.10" else 0o644)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert _pyenv_pythons("3.2") == [tmp_path / "versions" / "3.2.9" / "bin" / "python"]
    assert _pyenv_pythons("3.3") == []


def test_a_python_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="Python 2.5"):
        keep_interpreter(tmp_path / "env", "2.5")
    assert not has_record(tmp_path / "env")
