"""Envoy in a container of its own, on the same files as the embedded one."""

import socket
import ssl
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from deployments.router.bootstrap import Edge
from deployments.router.container import RouterContainer
from deployments.router.router import Envoy
from deployments.runtimes.compose.projects import stop_containers
from host.docker.engine import Engine
from host.docker.labels import owner
from host.errors import ConfigError, RouterError
from host.ports import free_port, is_free
from host.sandbox.run import ROUTER_UID
from tests.deployments.asking import Asking
from tests.deployments.running import routing
from tests.deployments.shop import Shop, shop
from tests.pems import Files, Issuer
from tests.waiting import wait_for

pytestmark = pytest.mark.docker


def test_a_router_in_a_container_switches_without_losing_a_request(engine: Engine, tmp_path: Path) -> None:
    with shop(tmp_path, "compose", engine, "ROUTER=container\n") as made:
        assert made.release(made.artifact("good one")) == ""
        name = f"{made.project}-router"
        given = _inspect(name, "{{.HostConfig.NetworkMode}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}")
        assert given == "host true [ALL]"
        assert made.place().supervisor.state("router") is None
        with Asking(made.place().url) as asking:
            asking.more()
            assert made.release(made.artifact("good two")) == ""
            asking.more()
        assert made.says() == ["good", "two"]
        assert asking.errors == []
        made.place().up()  # safe to repeat
        _is_replaced_while_it_serves(made)
        _starts_again(made, engine)


def _is_replaced_while_it_serves(made: Shop) -> None:
    """It gets TLS, and then another one: neither the running one's requests nor new ones are lost."""
    name, place = f"{made.project}-router", made.place()
    before = _inspect(name, "{{.Id}}")
    place.up()
    assert _inspect(name, "{{.Id}}") == before  # nothing changed, nothing is replaced
    with made.set("XFF_TRUSTED_HOPS", "1"), made.set("DRAIN_SECONDS", "3"), Asking(place.url) as asking:
        asking.more()
        made.place().up()
        after = _inspect(name, "{{.Id}}")
        assert after != before
        made.place().up()
        assert _inspect(name, "{{.Id}}") == after
        asking.more()
    assert asking.errors == []
    assert not made.engine.container(f"{name}-old")
    assert made.place().router.version() == place.ledger().routing["version"]  # type: ignore[index]
    print(f"replaced while it served: {asking.asked} requests, {asking.lost} lost")


def test_a_router_in_a_container_with_tls_and_a_low_port_takes_new_certificates(engine: Engine, tmp_path: Path) -> None:
    files, issuer = Files.under(tmp_path / "pem"), Issuer.make()
    files.write(issuer.pair())
    low = next(port for port in range(700, 1024) if is_free(port))
    more = f"ROUTER=container\nTLS_CERTIFICATE={files.certificate}\nTLS_KEY={files.key}\nREDIRECT_PORT={low}\n"
    made = Shop(tmp_path, "process", engine, more)
    place = made.place()
    try:
        place.supervisor.up()
        place.router.prepare()
        place.front.refuse_taken_ports()
        place.front.up()
        place.front.wait()
        trusted = ssl.create_default_context(cadata=issuer.root_pem.decode())
        place.router.publish(routing("e1-r1", {}, None))
        redirect = httpx.get(f"http://127.0.0.1:{low}/", trust_env=False)
        assert redirect.headers["location"] == f"{place.public_url}/"
        first = _serial(place.settings.port, trusted)
        files.write(issuer.pair())
        assert place.front.renew()
        assert _serial(place.settings.port, trusted) != first
    finally:
        place.supervisor.down()
        engine.remove(engine.containers(owner(made.home.root, "production")))


def _serial(port: int, trusted: ssl.SSLContext) -> str:
    with socket.create_connection(("127.0.0.1", port), 5) as raw:
        with trusted.wrap_socket(raw, server_hostname="shop.example") as tls:
            return str((tls.getpeercert() or {})["serialNumber"])


def _starts_again(made: Shop, engine: Engine) -> None:
    """Everything is stopped, as by `make down`, and serves again after `up`."""
    labels = owner(made.home.root, "production")
    made.place().supervisor.down()
    stop_containers(made.home.place("production") / "compose", labels)
    assert not [one for one in engine.containers(labels) if one.state == "running"]
    made.place().up()
    for _ in range(100):
        if httpx.get(made.place().url, timeout=120, trust_env=False).status_code == 200:
            break
    assert made.says() == ["good", "two"]
    assert {one.service for one in engine.containers(labels) if one.state == "running"} >= {"web", "store", "ticker"}


def test_a_strangers_router_is_left_alone(engine: Engine, tmp_path: Path) -> None:
    made = Shop(tmp_path, "compose", engine, "ROUTER=container\n")
    name = f"{made.project}-router"
    subprocess.run(["docker", "run", "-d", "--name", name, "python:3.11-slim", "sleep", "60"], check=True)
    try:
        with pytest.raises(ConfigError, match=f"{name} is not Slipway's"):
            made.place().up()
        assert _inspect(name, "{{.State.Status}}") == "running"
    finally:
        made.place().supervisor.down()
        subprocess.run(["docker", "rm", "-f", name], check=True)


def _inspect(name: str, form: str) -> str:
    argv = ["docker", "inspect", name, "--format", form]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("shared, uid", [(False, ROUTER_UID), (True, 0)], ids=["shares no port", "was another uid's"])
def test_a_router_that_cannot_be_beside_its_successor_is_replaced_in_its_place_and_comes_back_when_that_fails(
    engine: Engine, tmp_path: Path, shared: bool, uid: int
) -> None:
    port, labels = free_port(), {"slipway.test": str(tmp_path)}

    def envoy(hops: int) -> Envoy:
        edge = Edge(port, trusted_hops=hops, shared=shared and hops < 2)
        made = Envoy(tmp_path / "router", tmp_path / "run", edge, uid=ROUTER_UID if hops else uid)
        made.prepare()
        return made

    name = f"router-{uuid.uuid4().hex[:8]}"
    container = RouterContainer(engine, name, labels, "envoyproxy/envoy:v1.40-latest")
    try:
        container.up(envoy(0))
        wait_for(envoy(0).ready, "Envoy in its container")
        before, after = _inspect(name, "{{.Id}}"), envoy(1)
        assert container.outdated(after)
        container.replace(after, 1)
        assert _inspect(name, "{{.Id}}") != before and not engine.container(f"{name}-old")
        assert httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 503
        before, broken = _inspect(name, "{{.Id}}"), replace(container, image="envoyproxy/envoy:absent-here")
        with pytest.raises(RouterError, match="could not be started"):
            broken.replace(envoy(2), 1)
        assert _inspect(name, "{{.Id}} {{.State.Status}}") == f"{before} running"
        wait_for(envoy(1).ready, "the old one to be back")
    finally:
        engine.remove(engine.containers(labels))
