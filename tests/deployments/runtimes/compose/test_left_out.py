"""What does not reach the containers is told, with why; and secrets that nobody takes."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.left_out import left_out, untaken
from deployments.runtimes.compose.model import Stack, read_stack
from deployments.runtimes.compose.read import read_model
from host.docker.engine import Engine

WEB: dict[str, Any] = {"image": "x", "labels": {"slipway.role": "slot"}, "expose": ["8000"]}
DB: dict[str, Any] = {"image": "postgres:16", "labels": {"slipway.role": "shared"}}


def stack(directory: Path, text: str, secrets: tuple[str, ...] = ()) -> tuple[Stack, list[str]]:
    """Return a file as it is released from a directory, and what of it means nothing."""
    file = directory / "compose.yml"
    file.write_text(text)
    model, problems, before = read_model(Engine(), file, directory, "shop", {"SLIPWAY_IMAGE": "sha256:1"}, secrets)
    reach = Reach("shop", str(directory), variables=secrets)
    found = read_stack(model, file.name, reach, problems)
    return found, [*before, *left_out(found, reach)]


TEXT = """\
name: other
version: "3.8"
services:
  web:
    image: ${SLIPWAY_IMAGE}
    labels: {slipway.role: slot}
    container_name: web
    ports: ["80:8000"]
    depends_on: [db]
    develop: {watch: [{path: ., action: sync, target: /x}]}
    pull_policy: always
    read_only: false
    mac_address: "02:42:ac:11:00:01"
    deploy: {placement: {constraints: [x]}, update_config: {order: start-first}}
    networks: {front: {ipv4_address: 10.99.0.9}}
    secrets: [token]
  db:
    image: postgres:16
    labels: {slipway.role: shared}
    ports: ["127.0.0.1:5432:5432"]
    volumes: ["./init.sql:/init.sql", "./more.sql:/more.sql:ro"]
  adminer:
    image: adminer
    labels: {slipway.role: shared}
    profiles: [debug]
networks: {front: {ipam: {config: [{subnet: 10.99.0.0/24}]}, attachable: true}}
volumes: {data: {labels: {a: b}}}
secrets: {token: {file: ./token}}
"""


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
def test_each_part_that_means_nothing_is_named_with_its_place(tmp_path: Path) -> None:
    for name in ("init.sql", "more.sql"):
        (tmp_path / name).write_text("select 1;")
    _, said = stack(tmp_path, TEXT, ("TOKEN",))
    for wanted in (
        "compose.yml:1: name: PROJECT",
        "compose.yml:2: version: ",
        "compose.yml:10: service web: develop: ",
        "compose.yml:25: service adminer: profiles: compose starts it only",
        "compose.yml:28: secret token: file: its value is SECRET_TOKEN",
        "service web: container_name: ",
        "service web: ports: Slipway publishes port 8000",
        "service web: depends_on db: ",
        "service web: pull_policy: ",
        "compose.yml:12: service web: read_only: ",
        "service web: mac_address: ",
        "service web: deploy.placement: docker swarm",
        "service web: deploy.update_config: docker swarm",
        "service web: networks.front.ipv4_address: ",
        "service db: volumes.0: /init.sql is read-only",
        "network front: ipam: ",
        "network front: attachable: ",
    ):
        assert any(line.startswith(wanted) for line in said), (wanted, said)
    assert not any("volumes.1" in line or "service db: ports" in line for line in said)


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
def test_nothing_is_named_where_all_counts(tmp_path: Path) -> None:
    text = "services: {web: {image: '${SLIPWAY_IMAGE}', labels: {slipway.role: slot}, expose: [8000], cpus: 2}}\n"
    assert stack(tmp_path, text)[1] == []


def test_replicas_are_kept_and_not_told() -> None:
    model = {"services": {"web": WEB, "helper": {**WEB, "expose": [], "scale": 3}}}
    reach = Reach("shop", "/src")
    assert left_out(read_stack(model, "c.yml", reach), reach) == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("environment: [TOKEN]", ["DSN"]),
        ("environment: {A: 'x${TOKEN}', B: '${DSN:-none}'}", []),
        ("secrets: [token]", ["DSN"]),
        ("configs: [c]", ["DSN"]),
        ("command: [run, '${DSN}']", []),
        ("environment: {OTHER: x}", ["TOKEN", "DSN"]),
    ],
)
@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
def test_a_secret_that_nobody_takes_is_found(tmp_path: Path, text: str, left: list[str]) -> None:
    file = f"""\
services:
  web:
    image: ${{SLIPWAY_IMAGE}}
    labels: {{slipway.role: slot}}
    expose: [8000]
    {text}
configs: {{c: {{{'environment: TOKEN' if 'configs' in text else 'content: x'}}}}}
secrets: {{token: {{environment: TOKEN}}}}
"""
    found, _ = stack(tmp_path, file, ("TOKEN", "DSN"))
    # A template that is taken takes what it is made of.
    assert untaken(found, {"TOKEN": "generated", "DSN": "template:db://{TOKEN}@db"}) == left
