"""What is kept beside an environment: where its interpreter lives."""

import sys
from pathlib import Path

import pytest

from host.errors import ArtifactError
from host.sandbox.places import has_record, recorded_interpreters
from host.virtual_environments import keep_interpreter

OURS = f"{sys.version_info.major}.{sys.version_info.minor}"


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
