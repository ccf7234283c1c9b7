"""docs/adopt.md, walked through on a compose project that ran by hand before: its data stays where it is."""

import subprocess
from pathlib import Path

import pytest

from host.docker.engine import Engine
from tests.deployments.shop import Shop, shop

pytestmark = pytest.mark.docker

BEFORE = """\
services:
  web:
    image: python:3.11-slim
    container_name: {name}-web
    command: [python, -m, http.server, "8000"]
    ports: ["127.0.0.1::8000"]
    depends_on: [cache]
    networks: [front, back]
    init: true
  mailer:
    image: python:3.11-slim
    command: [sleep, infinity]
    networks: [back]
    init: true
  cache:
    image: python:3.11-slim
    container_name: {name}-cache
    command: [sleep, infinity]
    volumes: ["kept:/kept"]
    networks: [back]
    init: true
volumes: {{kept: }}
networks: {{front: , back: {{internal: true}}}}
"""
ADOPTED = (
    BEFORE.replace("image: python:3.11-slim", "image: ${{SLIPWAY_IMAGE}}\n    labels: {{slipway.role: slot}}", 1)
    .replace('    command: [python, -m, http.server, "8000"]\n', "")
    .replace('["127.0.0.1::8000"]', '["80:8000"]')
    .replace("  mailer:\n", "  mailer:\n    labels: {{slipway.role: singleton}}\n")
    .replace("  cache:\n", "  cache:\n    labels: {{slipway.role: shared}}\n")
)


def docker(*argv: str, text: str = "") -> str:
    done = subprocess.run(["docker", *argv], input=text, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def in_cache(made: Shop, command: str) -> str:
    (cache,) = [one for one in made.compose.projects.all() if one.service == "cache"]
    return docker("exec", cache.id, "sh", "-c", command)


def test_a_project_that_ran_by_hand_is_adopted_with_its_data(engine: Engine, tmp_path: Path) -> None:
    with shop(tmp_path, "compose", engine) as made:
        project = made.project
        by_hand = ("compose", "-p", project, "-f", "-")
        text = BEFORE.format(name=project)
        try:
            docker(*by_hand, "up", "-d", text=text)
            docker("exec", f"{project}-cache", "sh", "-c", "echo precious > /kept/file")
            docker(*by_hand, "down", text=text)
            adopted = ADOPTED.format(name=project)
            assert made.release(made.artifact("good one", compose=adopted)) == ""
            assert in_cache(made, "cat /kept/file") == "precious"
            assert made.release(made.artifact("good two", compose=adopted)) == ""
            assert in_cache(made, "cat /kept/file") == "precious"
            (web,) = [one for one in made.compose.projects.all() if one.service == "web" and "green" in one.name]
            # A colour reaches what is shared by its name.
            reach = "import socket; print(socket.gethostbyname('cache'))"
            assert docker("exec", web.id, "python", "-c", reach)
            assert docker("network", "inspect", f"{project}_back", "-f", "{{.Internal}}") == "true"
        finally:
            made.engine.remove(made.compose.projects.all())
            docker(*by_hand, "down", "-v", text=text)
