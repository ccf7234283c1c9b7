"""A place that cannot be brought up says why, and leaves nothing running."""

import socket
from pathlib import Path

import pytest

from deployments.environment import Environment
from deployments.runtimes.layout import app_environment
from evidence.bundle import Run
from host.errors import ConfigError
from host.home import Home
from host.ports import free_port
from settings.targets import Target

RUN = Run(command=("python",))


def test_a_stranger_at_the_other_localhost_has_the_port_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as stranger:
        monkeypatch.setenv("SLIPWAY_STAGING_PORT", str(stranger.getsockname()[1]))
        place = Environment.open(Target("staging"), "shop", Home(tmp_path))
        monkeypatch.setattr(place.front, "_runs", lambda: False)
        with pytest.raises(ConfigError, match="is taken by pid .*, on ::1; stop it, or set SLIPWAY_STAGING_PORT"):
            place.front.refuse_taken_ports()


def test_port_taken_by_a_stranger_names_him_and_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        monkeypatch.setenv("SLIPWAY_STAGING_PORT", str(port))
        place = Environment.open(Target("staging"), "shop", Home(tmp_path))
        with pytest.raises(ConfigError, match=f"port {port} is taken by pid .*SLIPWAY_STAGING_PORT"):
            place.up()
        assert not place.supervisor.answers()


def test_place_comes_up_empty_and_goes_down_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STAGING_PORT", str(free_port()))
    place = Environment.open(Target("staging"), "shop", Home(tmp_path))
    try:
        place.up()
        place.up()  # safe to repeat
        assert place.router.ready()
        assert place.ledger().live is None
        first = app_environment(place, place.runtime.database.variables(RUN))
        assert first["DATABASE_URL"].startswith("postgresql+psycopg://shop:")
        assert len(first["SESSION_SECRET"]) > 20
        assert app_environment(place, place.runtime.database.variables(RUN)) == first  # generated once
    finally:
        place.supervisor.down()
    assert not place.supervisor.answers()
