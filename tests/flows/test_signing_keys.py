from pathlib import Path

import pytest
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL

from control.plane import Control
from control.signing_keys import BLOCK, signing_keys
from evidence.signing import Keys
from host.errors import EvidenceError
from host.home import Home

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_the_key_comes_from_a_secret_of_a_real_server_and_from_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, other = Home(tmp_path / "home"), Keys(tmp_path / "other")
    home.create()
    Keys(home.keys).create()
    Control(home).create_auth()
    other.create()
    Secret(value=other.private.read_text()).save("signing-key", overwrite=True, _sync=True)  # type: ignore[call-arg]
    monkeypatch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
    monkeypatch.setenv(BLOCK, "signing-key")
    secret = signing_keys(home).sign({"a": 1})
    assert other.verify(secret) == {"a": 1}
    with pytest.raises(EvidenceError, match="not signed by a trusted key"):
        Keys(home.keys).verify(secret)
    monkeypatch.setenv(BLOCK, "no-such-block")
    with pytest.raises(EvidenceError, match="no-such-block"):
        signing_keys(home)
