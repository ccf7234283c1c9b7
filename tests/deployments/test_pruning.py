"""Old images go, and nothing that could be needed, on a real engine; old scans go likewise."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

import docker
from control.server_containers import IMAGE, ServerStack
from deployments.environment import Environment
from deployments.pruning import prune, prune_scans
from evidence.bundle import Build, Image, OtherImage, read_bundle
from evidence.signing import Keys
from evidence.statements import Kind, Scanned, read_scans, state
from host.docker.engine import Engine
from host.home import Home
from settings.targets import Target
from tests.deployments.shop import shop
from tests.evidence.artifacts import artifact

EMPTY_TAR = b"\0" * 1024


def test_what_may_be_needed_keeps_its_scans_and_the_rest_only_the_newest(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    Keys(home.keys).create()
    place = Environment.open(Target("production"), "assistant", home)
    place.directory.mkdir(parents=True)
    digests = [artifact(place.store, f"{number}" * 40)[0] for number in range(1, 5)]
    for digest in digests:
        for day in (1, 2, 3):
            at = datetime(2026, 1, day, tzinfo=UTC)
            seen = Scanned(commit="c" * 40, version="v1", branch="main", at=at, run="r", checks=())
            state(place.store, place.keys, digest, "assistant", Kind.SCANS, seen)
    live = {"digest": digests[1], "version": "v2", "commit": "2" * 40, "slot": "blue"}
    place.journal.write("routed", {"routing": {}, "live": live})

    def days() -> list[list[int]]:
        return [[one.at.day for one in read_scans(place.store, place.keys, digest)] for digest in digests]

    assert prune_scans([place], newest=1) == 4
    assert days() == [[3], [1, 2, 3], [3], [1, 2, 3]]  # what is live, and what was built last
    assert prune_scans([place], newest=1) == 0


@pytest.mark.docker
def test_old_images_go_and_live_warm_and_running_ones_stay(engine: Engine, tmp_path: Path) -> None:
    with shop(tmp_path, "compose", engine) as made:
        digests = [made.artifact(f"good {number}") for number in range(4)]
        for digest in digests[:3]:
            assert made.release(digest) == ""
        images = []
        for digest in digests:
            image = read_bundle(made.place().store, digest).image
            assert image
            images.append(image.id)
        (said,) = prune([made.place()], newest=1)
        assert images[0][:19] in said
        assert [engine.image(image) is not None for image in images] == [False, True, True, True]
        assert prune([made.place()], newest=1) == []
        assert made.says() == ["good", "2"]


@pytest.mark.docker
def test_every_image_of_an_old_artifact_goes_and_one_that_a_newer_one_has_too_stays(
    engine: Engine, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    home.create()
    place = Environment.open(Target("production"), "assistant", home)
    place.directory.mkdir(parents=True)
    repository, ids = f"slipway-test-{uuid.uuid4().hex[:8]}", {}
    for name in ("old", "edge", "both", "new"):
        docker_client.api.import_image_from_data(
            EMPTY_TAR, repository=repository, tag=name, changes=[f"LABEL test={repository}-{name}"]
        )
        ids[name] = docker_client.images.get(f"{repository}:{name}").id
    build = Build(dockerfile="Dockerfile")
    try:
        for number, (first, *others) in enumerate([("old", "edge", "both"), ("new", "both")]):
            more = {name: OtherImage(id=ids[name], build=build) for name in others}
            artifact(place.store, f"{number}" * 40, image=Image(id=ids[first], others=more))
        assert len(prune([place], newest=1)) == 2
        assert [name for name, id in ids.items() if engine.image(id)] == ["both", "new"]
        assert prune([place], newest=1) == []
    finally:
        for id in ids.values():
            engine.remove_image(id)


@pytest.mark.docker
def test_images_of_earlier_servers_go_unless_a_container_uses_them(
    engine: Engine, docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    stack = ServerStack(Home(tmp_path / "home"), 4200, engine)
    old, used = f"{IMAGE}:test-old", f"{IMAGE}:test-used"
    for name in (old, used):
        tag = name.partition(":")[2]
        docker_client.api.import_image_from_data(EMPTY_TAR, repository=IMAGE, tag=tag, changes=[f"LABEL test={tag}"])
    container = docker_client.containers.create(used, ["true"])
    try:
        assert stack.prune() == []  # nothing was started from here
        stack.directory.mkdir(parents=True)
        assert old in stack.prune()
        assert engine.image(old) is None and engine.image(used) is not None
        container.remove()
        assert used in stack.prune() and engine.image(used) is None
    finally:
        for name in (old, used):
            engine.remove_image(name)
