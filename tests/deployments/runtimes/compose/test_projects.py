"""Whose a volume or network is, as its labels on a real engine tell: the name alone does not."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.runtimes.compose.files import Names
from deployments.runtimes.compose.projects import ENGINE_FILE, Projects, stop_containers
from host.docker.engine import Engine
from host.docker.labels import PROJECT
from host.errors import ConfigError
from host.wait import wait_for

pytestmark = pytest.mark.docker
IMAGE = "python:3.11-slim"
KINDS = ("volume", "network")


@pytest.fixture
def ours(engine: Engine, tmp_path: Path) -> Iterator[Projects]:
    project = f"shop{uuid.uuid4().hex[:8]}"
    # No other test's, which would remove it with its own: many run on one engine at the same time.
    made = Projects(engine, Names(project, {"slipway.home": "h", "slipway.environment": f"e-{project}"}), tmp_path)
    yield made
    for labels in (made.names.owner, {"slipway.test": made.names.project}):
        engine.remove_volumes(labels)
        engine.remove_networks(labels)


def file(name: str, existing: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    part = {"x": {"name": name, "external": True}}
    return {"name": "p", "services": {}, "volumes": part, "networks": part, "x-existing": existing, **more}


def make(projects: Projects, kind: str, name: str, labels: dict[str, str]) -> None:
    labels = {**labels, "slipway.test": projects.names.project}
    if kind == "volume":
        projects.engine.ensure_volume(name, labels)
    else:
        projects.engine.ensure_network(name, True, labels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "labels", [{PROJECT: "another"}, {"slipway.home": "h", "slipway.environment": "f"}, {"slipway.home": "other"}]
)
def test_what_is_of_another_project_is_refused(ours: Projects, kind: str, labels: dict[str, str]) -> None:
    name = f"{ours.names.project}_x"
    make(ours, kind, name, labels)
    with pytest.raises(ConfigError, match=f"the {kind} {name} is of .*COMPOSE_EXTERNAL"):
        ours.refuse_foreign(file(name))
    existing = {"volumes": {}, "networks": {}} | {f"{kind}s": {"x": {"name": name, "external": True}}}
    ours.refuse_foreign(file(name, (f"{kind}/{name}",), **existing))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_of_nobody_or_of_the_same_project_by_hand_is_used(ours: Projects, kind: str) -> None:
    for number, labels in enumerate(({}, {PROJECT: ours.names.project}, dict(ours.names.owner))):
        make(ours, kind, name := f"{ours.names.project}_{number}", labels)
        ours.refuse_foreign(file(name))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_environment_names_must_be_there(ours: Projects, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"the {kind} not-there of COMPOSE_EXTERNAL is not on the engine"):
        ours.refuse_foreign(file("not-there", (f"{kind}/not-there",)))


def test_a_volume_of_a_directory_is_made_as_the_file_says(ours: Projects, tmp_path: Path) -> None:
    name = f"{ours.names.project}_x"
    options = {name: {"type": "none", "o": "bind", "device": str(tmp_path)}}
    ours._ensure({"volumes": {"x": {"name": name, "external": True}}, "x-volume-options": options})
    code, said, _ = ours.engine.run(["volume", "inspect", name, "--format", "{{.Options.device}}"], {}, 30)
    assert (code, said.strip()) == (0, str(tmp_path))


def test_a_container_that_the_engine_is_about_to_start_again_is_stopped_too(ours: Projects, tmp_path: Path) -> None:
    labels = {"slipway.home": ours.names.project}
    given = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    words = ["run", "--detach", "--restart", "always", *given, IMAGE, "python", "-c", "raise SystemExit(1)"]
    (tmp_path / ENGINE_FILE).write_text(ours.engine.host, encoding="utf-8")
    try:
        subprocess.run(["docker", "--host", ours.engine.name, *words], check=True, capture_output=True, timeout=300)
        assert wait_for(lambda: [one.state for one in ours.engine.containers(labels)] == ["restarting"], 300, 0.05)
        stop_containers(tmp_path, labels)
        assert [one.state for one in ours.engine.containers(labels)] == ["exited"]
    finally:
        ours.engine.remove(ours.engine.containers(labels))
