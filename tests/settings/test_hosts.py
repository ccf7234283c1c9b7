from pathlib import Path

import pytest

from control.plane import Control
from control.server_process import DATABASE, SERVER
from host.errors import ConfigError
from host.home import Home
from settings.hosts import all_pools, pools, server_url, targets
from settings.targets import Target


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", all_pools()),
        (" ", all_pools()),
        ("prod", ("prod",)),
        ("prod, ci", ("ci", "prod")),
        ("staging,dev", ("dev", "staging")),
    ],
)
def test_a_host_takes_the_runs_of_its_pools(monkeypatch: pytest.MonkeyPatch, said: str, found: tuple[str, ...]) -> None:
    monkeypatch.setenv("SLIPWAY_POOLS", said)
    assert pools() == found
    assert [target.short for target in targets()] == [name for name in found if name != "ci"]


@pytest.mark.parametrize("said", ["production", "prod,", ",", "ci prod"])
def test_a_pool_that_there_is_not_is_named(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("SLIPWAY_POOLS", said)
    with pytest.raises(ConfigError, match="SLIPWAY_POOLS: got .* expected names among: ci, dev, staging, prod"):
        pools()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ""),
        ("https://prefect.example.com:4243/api", "https://prefect.example.com:4243"),
        ("https://prefect.example.com/", "https://prefect.example.com"),
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200"),
    ],
)
def test_the_server_may_be_another_hosts(monkeypatch: pytest.MonkeyPatch, said: str, found: str) -> None:
    monkeypatch.setenv("SLIPWAY_PREFECT_URL", said)
    assert server_url() == found


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("prefect.example.com", "expected https://HOST:PORT"),
        ("ftp://prefect.example.com", "expected https://HOST:PORT"),
        ("https://user@prefect.example.com", "expected https://HOST:PORT"),
        ("http://prefect.example.com:4200", "would show the login"),
    ],
)
def test_a_login_never_goes_over_the_network_in_the_clear(monkeypatch: pytest.MonkeyPatch, said: str, why: str) -> None:
    monkeypatch.setenv("SLIPWAY_PREFECT_URL", said)
    with pytest.raises(ConfigError, match=why):
        server_url()


def test_with_a_server_elsewhere_none_runs_here_and_its_login_is_copied(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLIPWAY_PREFECT_URL", "http://127.0.0.1:4999")
    monkeypatch.setenv("SLIPWAY_POOLS", "prod")
    home = Home(tmp_path / "state")
    home.create()
    control = Control(home)
    with pytest.raises(ConfigError, match="prefect-auth: copy the file of this name from the server's host"):
        control.create_auth()
    (home.keys / "prefect-auth").write_text("slipway:theirs")
    control.create_auth()
    assert control.client_environment()["PREFECT_API_URL"] == "http://127.0.0.1:4999/api"
    assert control.auth == "slipway:theirs"
    assert {SERVER, DATABASE} & set(control.own) == set() and "worker-prod" in control.own
    assert [target for target in Target.all() if f"worker-{target.short}" in control.own] == [Target("production")]


def test_a_shared_store_is_never_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIPWAY_STORE", str(tmp_path / "mounted"))
    home = Home(tmp_path / "state")
    with pytest.raises(ConfigError, match="SLIPWAY_STORE is no directory; mount it"):
        home.create()
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted").chmod(0o770)
    home.create()
    assert home.store == tmp_path / "mounted" and not (home.root / "store").exists()
    assert home.store.stat().st_mode & 0o777 == 0o770
