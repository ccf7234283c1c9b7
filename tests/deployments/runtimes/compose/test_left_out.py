"""What does not reach the containers is told, with why; and secrets that nobody takes."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.left_out import left_out, untaken
from deployments.runtimes.compose.model import Stack, is_writable, read_stack
from deployments.runtimes.compose.read import read_model
from gates.compose_roles import Role
from host.docker.engine import Engine
from host.errors import ConfigError

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


TASK: dict[str, Any] = {"image": "x", "labels": {"slipway.role": "task"}}
SINGLETON: dict[str, Any] = {"image": "x", "labels": {"slipway.role": "singleton"}}
# Services beside web, and what is told of them.
TOLD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a task that is tried again": (
        {"init": {**TASK, "restart": "on-failure:5", "deploy": {"restart_policy": {"condition": "any"}}}},
        ["service init: restart: a task is run once", "service init: deploy.restart_policy: a task is run once"],
    ),
    "a task with a health check": (
        {"init": {**TASK, "healthcheck": {"test": ["CMD", "x"]}}},
        ["service init: healthcheck: a task is run once"],
    ),
    "a task that runs once": ({"init": {**TASK, "restart": "no", "healthcheck": {"disable": True}}}, []),
    "a singleton that is restarted": ({"beat": {**SINGLETON, "restart": "on-failure:5"}}, []),
    "an address of a slot": (
        {"beat": {**SINGLETON, "environment": {"URL": "http://u:p@web:8000/x"}, "command": ["x", "--url=http://web"]}},
        ["service beat: environment: nobody is called web", "service beat: command: nobody is called web"],
    ),
    "an address of a slot in a health check": (
        {"db": {**DB, "healthcheck": {"test": ["CMD", "curl", "http://web/x"]}}},
        ["service db: healthcheck: nobody is called web"],
    ),
    "addresses of others": (
        {
            "db": DB,
            "beat": {**SINGLETON, "environment": {"URL": "http://db/web http://web.org", "A": "web", "B": None}},
        },
        [],
    ),
    "an alias of a slot": (
        {
            "helper": {**WEB, "expose": [], "networks": {"front": {"aliases": ["api", "web"]}}},
            "beat": {**SINGLETON, "environment": {"URL": "http://api/x http://web/x"}},
        },
        [],
    ),
    "slots among each other": ({"helper": {**WEB, "expose": [], "environment": {"URL": "http://web:8000"}}}, []),
    "what waits for a slot": (
        {"db": {**DB, "depends_on": {"web": {}}}},
        ["service db: depends_on web: slots start after the shared services"],
    ),
    "what waits for others": (
        {"db": DB, "beat": {**SINGLETON, "depends_on": {"web": {}, "db": {}}}},
        ["service beat: depends_on web: slots start", "service beat: depends_on db: shared services are up before"],
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_what_a_role_does_not_keep_is_told(case: str) -> None:
    services, wanted = TOLD[case]
    reach = Reach("shop", "/src")
    model = {"services": {"web": WEB, **services}, "networks": {"front": {"name": "shop_front"}}}
    said = left_out(read_stack(model, "c.yml", reach), reach)
    assert len(said) == len(wanted) and all(line.startswith(one) for line, one in zip(said, wanted, strict=True))


WRITABLE = """\
services:
  web: {image: x, labels: {slipway.role: slot}, expose: [8000]%s}
  beat: {extends: base, read_only: false, labels: {team: shared-infra}}
  base: {image: x, labels: {slipway.role: singleton}}
  db: {extends: {file: base.yml, service: db}, read_only: false}
"""


@pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
def test_a_root_that_is_meant_to_be_writable_is_told_by_role(tmp_path: Path) -> None:
    (tmp_path / "base.yml").write_text("services: {db: {image: x, labels: {slipway.role: shared}}}\n")
    found, said = stack(tmp_path, WRITABLE % "")
    assert [line.partition(": the root")[0] for line in said] == ["compose.yml:3: service beat: read_only"]
    assert found.writable == {"beat": "compose.yml:3", "db": "compose.yml:5"}
    assert set(found.service("beat")["labels"]) == {"slipway.role", "team"}


@pytest.mark.parametrize(("text", "writable"), [("true", True), ("Yes", True), ("no", False), ("FALSE", False)])
def test_a_label_says_whether_the_root_is_writable(text: str, writable: bool) -> None:
    reach = Reach("shop", "/src")
    web = {**WEB, "labels": {**WEB["labels"], "slipway.writable": text}}
    found = Stack(read_stack({"services": {"web": web}}, "c.yml", reach).model, {"web": Role.SLOT}, "web", 8000)
    assert is_writable(found.service("web")) is writable
    web["labels"]["slipway.writable"] = "on"
    with pytest.raises(ConfigError, match='slipway.writable: got "on", expected "true" or "false"'):
        read_stack({"services": {"web": web}}, "c.yml", reach)


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
