"""Certificates from an ACME authority (Pebble): HTTP-01 through the router, DNS-01 by a hook."""

import socket
import ssl
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from deployments.acme import FIRST_PAUSE, LONGEST_PAUSE, Acme, Tried
from deployments.environment import Environment
from host.docker.engine import Engine
from host.errors import ToolError
from host.ports import free_port
from tasks.source.locked_environments import own_tools
from tests.acme_server import Authority, authority
from tests.deployments.shop import Shop

HOOK = """#!{python}
import json, os, sys, urllib.request
what = {{"present": "set-txt", "cleanup": "clear-txt"}}[sys.argv[1]]
facts = {{"host": "_acme-challenge." + os.environ["CERTBOT_DOMAIN"] + ".", "value": os.environ["CERTBOT_VALIDATION"]}}
asked = urllib.request.Request("http://127.0.0.1:{port}/" + what, json.dumps(facts).encode())
urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(asked)
"""


@dataclass
class World:
    """An environment with a router, and an authority that asks at its port of plain HTTP."""

    made: Shop
    authority: Authority
    plain: str

    def asks_for(self, names: str, more: str = "") -> Environment:
        """Set the names, and what else of TLS; return the environment, as the next command would open it."""
        self.made.settings.write_text(f"{self.plain}TLS_DOMAINS={names}\n{more}")
        return self.made.place()

    def served(self, place: Environment, name: str) -> tuple[str, ...]:
        """Return the names of the certificate that a client gets who believes the authority."""
        at = ("127.0.0.1", place.settings.port)
        trust = self.authority.trusted()
        with socket.create_connection(at) as raw, trust.wrap_socket(raw, server_hostname=name) as tls:
            seen = tls.getpeercert()
            assert seen
            return tuple(str(value) for kind, value in seen["subjectAltName"] if kind == "DNS")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory, redirect = tmp_path_factory.mktemp("acme"), free_port()
    with authority(directory, redirect) as one:
        tls = f"REDIRECT_PORT={redirect}\nACME_DIRECTORY={one.directory}\nACME_AUTHORITIES={one.root}\n"
        made = Shop(directory, "process", Engine(), f"{tls}ACME_TERMS=agreed\n")
        world = World(made, one, made.settings.read_text())
        place = world.asks_for("shop.example")
        try:
            place.up()
            yield world
        finally:
            place.supervisor.down()


@pytest.fixture(scope="module")
def certbot() -> Path:
    return own_tools("acme") / "bin" / "python"


def test_until_there_is_a_certificate_one_serves_that_no_client_believes(world: World) -> None:
    place = world.asks_for("shop.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        world.served(place, "shop.example")
    (problem,) = place.front.problems()
    assert "no certificate for shop.example yet" in problem and "goes on with one that no client believes" in problem
    assert Acme(place).due(datetime.now(UTC))


def test_a_certificate_is_got_over_http_and_served_and_kept_until_it_is_to_be_renewed(
    world: World, certbot: Path
) -> None:
    place = world.asks_for("shop.example")
    acme = Acme(place)
    acme.obtain(certbot)
    assert place.front.renew() and place.front.problems() == [] and place.front.notes() == []
    assert world.served(place, "shop.example") == ("shop.example",)
    assert stat.S_IMODE(acme.key.resolve().stat().st_mode) == 0o600
    assert not acme.due(datetime.now(UTC)) and acme.due(datetime.now(UTC) + timedelta(hours=12))
    before = acme.certificate.read_bytes()
    acme.obtain(certbot)
    assert acme.certificate.read_bytes() == before and place.front.renew() is None
    # What was answered to the authority is no longer told; people are sent to TLS.
    challenge = f"http://127.0.0.1:{place.settings.redirect_port}/.well-known/acme-challenge/abc"
    assert httpx.get(challenge, trust_env=False).status_code == 308


def test_other_names_are_another_certificate(world: World, certbot: Path) -> None:
    place = world.asks_for("shop.example,www.shop.example")
    acme = Acme(place)
    assert acme.due(datetime.now(UTC))
    acme.obtain(certbot)
    assert place.front.renew()
    assert set(world.served(place, "www.shop.example")) == {"shop.example", "www.shop.example"}


def test_what_the_authority_refuses_is_told_and_tried_later_and_the_old_one_serves_on(
    world: World, certbot: Path
) -> None:
    world.authority.tell("set-servfail", host="away.example")
    place = world.asks_for("shop.example,away.example")
    with pytest.raises(ToolError, match=r"^no certificate for shop.example, away.example: away.example: "):
        Acme(place).obtain(certbot)
    tried = Acme(place).tried()
    assert tried and tried.failures == 1 and not Acme(place).due(datetime.now(UTC))
    (note,) = place.front.notes()
    assert "away.example" in note and "next try at" in note and place.front.problems() == []
    assert world.served(place, "shop.example")


def test_a_name_with_a_star_is_proved_by_dns(world: World, certbot: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hook"
    hook.write_text(HOOK.format(python=sys.executable, port=world.authority.dns))
    place = world.asks_for("*.shop.example", f"ACME_DNS_HOOK={hook}\n")
    with pytest.raises(ToolError, match="ACME_DNS_HOOK: .* is no program that this user may run"):
        Acme(place).obtain(certbot)
    hook.chmod(0o700)
    Acme(place).obtain(certbot)
    assert place.front.renew()
    assert world.served(place, "any.shop.example") == ("*.shop.example",)


def test_the_pause_after_failures_grows_and_ends() -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    pauses = [Tried(at=at, names=("a.example",), failures=count, error="no").next - at for count in (1, 2, 3, 9, 5000)]
    assert pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
