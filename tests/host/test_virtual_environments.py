"""An environment is compared with its lock when it is made, and where its interpreter lives is kept beside it."""

import sys
from pathlib import Path

import pytest

from gates.locks import Lock, Locked
from host.errors import ArtifactError, ToolError
from host.sandbox.places import has_record, recorded_interpreters
from host.virtual_environments import check_packages, keep_interpreter

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


def test_a_python_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="Python 2.5"):
        keep_interpreter(tmp_path / "env", "2.5")
    assert not has_record(tmp_path / "env")
