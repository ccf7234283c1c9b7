"""A server that is away is one line that says how to start it."""

from pathlib import Path

import pytest

from control.plane import Control
from control.prefect_api import PrefectApi
from host.errors import ConfigError, ServerAway
from host.home import Home
from host.ports import free_port


def test_server_away_says_how_to_start_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PREFECT_PORT", str(free_port()))
    home = Home(tmp_path)
    home.create()
    control = Control(home)
    control.create_auth()
    with pytest.raises(ServerAway) as caught:
        PrefectApi(control).call("GET", "/flow_runs/x")
    assert "make up" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_credential_says_make_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run: make up$"):
        PrefectApi(Control(Home(tmp_path))).call("GET", "/flow_runs/x")


def test_bad_port_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PREFECT_PORT", "http")
    with pytest.raises(ConfigError, match='SLIPWAY_PREFECT_PORT: got "http"'):
        assert Control(Home(tmp_path)).url
