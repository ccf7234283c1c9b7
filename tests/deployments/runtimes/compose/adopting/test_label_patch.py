"""Patches that git takes, for files as people write them: what is not a label stays as it was, to the byte."""

import json
import subprocess
from pathlib import Path

import pytest

from deployments.runtimes.compose.adopting.label_patch import propose_labels
from deployments.runtimes.compose.parse import parse
from gates.adopt.roles import labels_of
from host.errors import ConfigError

WRITTEN = """\
# shop
x-app: &app
  build: .   # all of it
  environment: {A: "é"}

services:
  # the site
  web:
    <<: *app
    ports:
      - "8000:8000"
    labels:
      # ours
      team: 'shop'
  worker:
    <<: *app
    command: celery -A shop worker -l info
  beat: &beat
    build: .
    command: ["celery", "-A", "shop", "beat"]
    labels:
    - a=b   # why
  init: {build: ., command: ./load.sh}
  db:
    image: "postgres:16"   # pinned
    depends_on: {init: {condition: service_completed_successfully}}
    labels: {a: b}
    volumes: [data:/var/lib/postgresql/data]
  cache:
    labels:
    image: redis:7
  mail: {image: mailpit, labels: ["x=y"]}
volumes: {data: }"""
ROLES = {
    "web": "slot",
    "worker": "slot",
    "beat": "singleton",
    "init": "task",
    "db": "shared",
    "cache": "shared",
    "mail": "shared",
}


def applied(directory: Path, content: bytes, name: str = "docker compose.yml") -> str:
    """Return a file after git applied the patch that is proposed for it."""
    file = directory / name
    file.write_bytes(content)
    subprocess.run(["git", "init", "-q"], cwd=directory, check=True)
    patch = propose_labels(content.decode(), name).patch
    subprocess.run(["git", "apply", "-"], cwd=directory, input=patch.encode(), check=True)
    return file.read_bytes().decode()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(WRITTEN.encode(), id="no-newline-at-the-end"),
        pytest.param(f"{WRITTEN}\n".encode(), id="as-usual"),
        pytest.param(WRITTEN.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(f"\ufeff{WRITTEN}\n".encode(), id="byte-order-mark"),
        pytest.param(
            WRITTEN.replace("# shop", "# shop\u2028# \x85# \U0001f6d2").encode(), id="other-line-ends-are-text"
        ),
    ],
)
def test_git_takes_the_patch_and_only_labels_are_new(tmp_path: Path, content: bytes) -> None:
    after = applied(tmp_path, content)
    services = parse(after, "c").value["services"]
    assert {name: labels_of(one)["slipway.role"] for name, one in services.items()} == ROLES
    assert labels_of(services["web"])["team"] == "shop" and labels_of(services["db"])["a"] == "b"
    whole = [line for line in content.decode().split("\n") if line not in after.split("\n")]
    assert len(whole) == 3 and all(any(word in line for word in ("init:", "labels")) for line in whole)  # in one line
    assert propose_labels(after, "c").patch == "" and len(after) - len(content.decode()) < 300


def test_json_is_a_compose_file_too(tmp_path: Path) -> None:
    text = json.dumps({"services": {"web": {"build": ".", "ports": ["80:80"]}, "db": {"image": "mysql", "labels": {}}}})
    after = json.loads(applied(tmp_path, text.encode()))
    assert after["services"]["db"]["labels"] == {"slipway.role": "shared"}


@pytest.mark.parametrize(
    ("text", "role"),
    [
        pytest.param("x-db: &db {image: postgres}\nservices:\n  db: *db\n", "shared", id="a-whole-service"),
        pytest.param(
            "x-l: &l {team: b}\nservices:\n  db:\n    image: postgres\n    labels: *l\n", "shared", id="labels"
        ),
        pytest.param(
            "x-db: &db {image: postgres, labels: [team=b]}\nservices:\n  db:\n    <<: *db\n",
            "shared",
            id="merged-labels",
        ),
    ],
)
def test_an_alias_keeps_what_it_says(tmp_path: Path, text: str, role: str) -> None:
    after = parse(applied(tmp_path, text.encode()), "c").value["services"]["db"]
    assert after["image"] == "postgres" and labels_of(after)["slipway.role"] == role
    assert set(labels_of(after)) == {"slipway.role"} | ({"team"} if "team" in text else set())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(
            "x: &l [a=b]\nservices:\n  db:\n    image: postgres\n    labels: *l\n", "by hand", id="list-by-alias"
        ),
        pytest.param("services: {db: }\n", "neither image nor build", id="empty-service"),
        pytest.param(
            "services:\n  db: &db\n    image: postgres\n  web:\n    <<: *db\n    image: nginx\n",
            "by hand",
            id="inherited",
        ),
        pytest.param(
            "include: [o.yml]\nservices: {db: {image: postgres, labels: {slipway.role: shared}}}\n",
            "include",
            id="include",
        ),
    ],
)
def test_what_cannot_be_written_is_left_to_a_person(text: str, why: str) -> None:
    found = propose_labels(text, "c.yml")
    assert found.patch == "" and any(why in one for one in found.undecided)


@pytest.mark.parametrize(
    "text", ["a: [", "services: []", "services: {a: {image: x, image: y}}", "services: {a: !x {}}"]
)
def test_what_is_no_compose_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="c.yml"):
        propose_labels(text, "c.yml")
