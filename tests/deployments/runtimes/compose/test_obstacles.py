"""What would make a start fail is told before: names, volumes and ports of others, and what compose refuses."""

import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.runtimes.compose.files import Names
from deployments.runtimes.compose.obstacles import obstacles, refused, taken_ports
from deployments.runtimes.compose.projects import Projects
from host.docker.engine import Engine
from host.docker.labels import owner
from host.ports import free_port
from tests.waiting import NEVER_S

pytestmark = pytest.mark.docker


@pytest.fixture
def projects(engine: Engine, tmp_path: Path) -> Projects:
    name = f"slipwaytest{uuid.uuid4().hex[:8]}"
    return Projects(engine, Names(name, owner(tmp_path, "production")), tmp_path)


def file(projects: Projects, *ports: dict[str, Any], **keys: Any) -> dict[str, Any]:
    services = {"db": {"image": "debian:12-slim", "ports": list(ports), **keys}}
    return {"name": projects.names.shared, "services": services}


def port(number: int, host: str = "127.0.0.1") -> dict[str, Any]:
    return {"target": 5432, "published": str(number), "host_ip": host, "protocol": "tcp"}


def test_a_file_that_compose_reads_is_in_nobodys_way(projects: Projects) -> None:
    made = file(projects, port(free_port()), environment={"A": "${TOKEN}"})
    assert [*obstacles(projects, made), *refused(projects, made, {"TOKEN": "g"}), *taken_ports(projects, made)] == []


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"pids_limit": 5, "deploy": {"resources": {"limits": {"memory": "1g"}}}}, "can't set distinct values"),
        ({"mem_limit": "much"}, "invalid size"),
        ({"networks": {"other": None}}, "undefined network other"),
        ({"restart": ["x"]}, "restart"),
        ({"a_key_of_tomorrow": 1}, "a_key_of_tomorrow"),
    ],
)
def test_a_file_that_compose_refuses_is_told(projects: Projects, keys: dict[str, Any], why: str) -> None:
    (said,) = refused(projects, file(projects, **keys), {})
    assert said.startswith(f"compose refuses the file of {projects.names.shared}") and why in said
    assert "make compose" in said and "/tmp" not in said


@pytest.fixture
def other(projects: Projects) -> Iterator[int]:
    """A port that a container of somebody else has."""
    number, name = free_port(), f"{projects.names.project}-other"
    image = "python:3.11-slim"
    argv = ["run", "-d", "--name", name, "-p", f"127.0.0.1:{number}:80", image, "sleep", "60"]
    subprocess.run(["docker", *argv], check=True, capture_output=True, timeout=NEVER_S)
    yield number
    subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True, timeout=NEVER_S)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_of_another_container_is_told_with_the_way_out(projects: Projects, other: int, host: str) -> None:
    (said,) = taken_ports(projects, file(projects, port(other, host)))
    assert f"port {host}:{other} is taken by the container {projects.names.project}-other" in said
    assert f'"127.0.0.1:${{DB_PORT:-{other}}}:5432" with APP_DB_PORT' in said


def test_a_port_of_a_program_is_told(projects: Projects) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        (said,) = taken_ports(projects, file(projects, port(server.getsockname()[1])))
        assert "is taken by pid " in said
        assert list(taken_ports(projects, {"name": "x", "services": {"db": {"ports": [{"target": 1}]}}})) == []


def test_two_services_of_a_file_cannot_have_one_port(projects: Projects) -> None:
    made, number = file(projects, port(free_port())), free_port()
    made["services"] |= {"a": {"ports": [port(number)]}, "b": {"ports": [port(number)]}}
    (said,) = taken_ports(projects, made)
    assert f"service b: port 127.0.0.1:{number} is the service a's, too" in said


def test_our_own_container_is_in_nobodys_way(projects: Projects) -> None:
    made = file(projects, port(free_port()), command=["sleep", "60"], init=True, labels=dict(projects.names.owner))
    made["services"]["db"]["image"] = "python:3.11-slim"
    try:
        projects.up(made, {})
        assert list(taken_ports(projects, made)) == []
    finally:
        projects.remove(made["name"], 0)
