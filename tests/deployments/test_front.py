"""TLS from files, proxies in front, and low ports: the embedded router. The container's: test_router_container.py."""

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from deployments.environment import Environment
from evidence.bundle import Run
from host import ports
from host.docker.engine import Engine
from host.errors import ConfigError
from host.ports import free_port
from tests.deployments.asking import Asking
from tests.deployments.running import CHECKOUT, Running, backend, routing
from tests.deployments.shop import Shop
from tests.pems import Files, Issuer


@dataclass
class World:
    """An environment with TLS whose router runs; nothing but the router is needed of it."""

    made: Shop
    files: Files
    issuer: Issuer = field(default_factory=Issuer.make)

    @property
    def place(self) -> Environment:
        return self.made.place()

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.issuer.root_pem.decode())

    def served(self) -> str:
        """Return the serial number of the certificate that a new connection gets, checked by its name and issuer."""
        at = ("127.0.0.1", self.place.settings.port)
        with (
            socket.create_connection(at, 5) as raw,
            self.trusted().wrap_socket(raw, server_hostname="shop.example") as tls,
        ):
            seen = tls.getpeercert()
            assert seen
            return str(seen["serialNumber"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("front")
    files = Files.under(directory / "pem")
    tls = f"TLS_CERTIFICATE={files.certificate}\nTLS_KEY={files.key}\nREDIRECT_PORT={free_port()}\n"
    one = World(Shop(directory, "process", Engine(), tls), files)
    one.files.write(one.issuer.pair())
    place = one.place
    try:
        place.up()
        yield one
    finally:
        place.supervisor.down()


def test_it_speaks_tls_in_public_and_plain_http_to_us_alone(world: World) -> None:
    place = world.place
    assert place.public_url == f"https://127.0.0.1:{place.settings.port}"
    assert place.url.startswith("http://127.0.0.1:") and world.served()
    with backend("blue", threading.Event()) as port:
        place.router.publish(routing("e1-r1", {"blue": port}, "blue"))
        with httpx.Client(verify=False, trust_env=False, http2=False) as client:
            seen = client.get(place.public_url, headers={"x-forwarded-proto": "http"}).json()["headers"]
        assert seen["x-forwarded-proto"] == "https"
        headers = place.health_rules(Run(command=("serve",))).headers
        assert httpx.get(place.url, headers=headers, trust_env=False).json()["headers"]["x-forwarded-proto"] == "https"
        redirect = f"http://127.0.0.1:{place.settings.redirect_port}/a?b=c"
        answer = httpx.post(redirect, trust_env=False)
        assert (answer.status_code, answer.headers["location"]) == (308, f"{place.public_url}/a?b=c")
        _changes_without_loss(world)


def _changes_without_loss(world: World) -> None:
    """New connections get the new certificate, and no request is lost meanwhile."""
    place = world.place
    assert place.front.renew() is None
    with Asking(place.public_url, world.trusted(), "shop.example") as asking:
        for _ in range(5):
            before = world.served()
            world.files.write(world.issuer.pair())
            said = place.front.renew()
            assert said and "shop.example" in said
            assert world.served() != before
            asking.more(4)
    assert asking.errors == []


def test_a_bad_certificate_is_refused_and_the_old_one_serves_on(world: World) -> None:
    before = world.served()
    for why, pair in {
        "expired": world.issuer.pair(days=0),
        "does not belong": (world.issuer.pair()[0], world.issuer.pair()[1]),
        "no certificate in PEM": (b"", b""),
    }.items():
        world.files.write(pair)
        with pytest.raises(ConfigError, match=why):
            world.place.front.renew()
        (problem,) = world.place.front.problems()
        assert why in problem and "TLS_CERTIFICATE" in problem and "goes on with the one that it has" in problem
        world.place.up()  # comes up all the same
        assert world.served() == before
    world.files.certificate.unlink()
    assert "cannot be read" in world.place.front.problems()[0]
    world.files.write(world.issuer.pair(days=9))
    assert world.place.front.renew()
    assert "in 8 days" in world.place.front.notes()[0] or "in 9 days" in world.place.front.notes()[0]


def test_without_any_good_certificate_it_does_not_start(tmp_path: Path) -> None:
    files = Files.under(tmp_path / "pem")
    made = Shop(tmp_path, "process", Engine(), f"TLS_CERTIFICATE={files.certificate}\nTLS_KEY={files.key}\n")
    with pytest.raises(ConfigError, match="fullchain.pem: cannot be read"):
        made.place().front.up()


@pytest.mark.parametrize(
    ("hops", "sent", "believed"),
    [(0, "6.6.6.6", "127.0.0.1"), (1, "6.6.6.6, 1.2.3.4", "1.2.3.4"), (2, "6.6.6.6, 1.2.3.4, 10.0.0.1", "1.2.3.4")],
)
def test_only_the_proxies_that_are_counted_are_believed(tmp_path: Path, hops: int, sent: str, believed: str) -> None:
    running = Running(tmp_path, trusted_hops=hops)
    try:
        running.start()
        with backend("blue", threading.Event()) as port:
            running.router.publish(routing("e1-r1", {"blue": port}, "blue"))
            spoofed = {"x-forwarded-for": sent, "x-real-ip": "6.6.6.6", "forwarded": "for=6.6.6.6"}
            url = f"http://127.0.0.1:{running.router.edge.port}/"
            seen = running.client.get(url, headers=spoofed).json()["headers"]
            assert seen["x-forwarded-for"] == believed == seen["x-real-ip"]
            assert "6.6.6.6" not in str(seen)
    finally:
        running.kill()


def test_a_low_port_without_the_right_to_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.front.needs_rights", lambda port: True)
    with pytest.raises(ConfigError, match="sysctl -w net.ipv4.ip_unprivileged_port_start="):
        Shop(tmp_path, "process", Engine()).place().front.refuse_taken_ports()


def test_low_ports_are_the_kernels_to_give() -> None:
    """Asked of the kernel: as somebody without rights, who then tries."""
    script = (
        "import encodings.ascii, os, socket\nfrom host.ports import needs_rights\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "def refused(port):\n"
        "    with socket.socket() as one:\n"
        "        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        "        try: one.bind(('127.0.0.1', port))\n"
        "        except PermissionError: return True\n"
        "        except OSError: return None\n"
        "        return False\n"
        "for port in (7, 19, 1023, 1024, 60000): assert refused(port) in (None, needs_rights(port)), port\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, check=True, timeout=600)
    assert not ports.needs_rights(free_port())


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("TLS_CERTIFICATE=/a.pem\n", "must both be set"),
        ("TLS_CERTIFICATE=a.pem\nTLS_KEY=/b.pem\n", "TLS_CERTIFICATE"),
        ("REDIRECT_PORT=80\n", "needs TLS_CERTIFICATE"),
        ("XFF_TRUSTED_HOPS=-1\n", "XFF_TRUSTED_HOPS"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, more: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        Shop(tmp_path, "process", Engine(), more).place()
