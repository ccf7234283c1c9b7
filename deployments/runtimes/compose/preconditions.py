"""What is in the way of a release on an engine, found without changing anything."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deployments.candidate import Artifact
from evidence.bundle import Image
from host.docker.engine import Engine
from host.errors import ArtifactError

LIVE = 'To change that write {"live-restore": true} into /etc/docker/daemon.json, then: systemctl reload docker'
BUILD = "build the commit again: prefect deployment run ci/push"


def image_of(artifact: Artifact) -> Image:
    """Return an artifact's image. Raises ArtifactError if it was built without one."""
    if artifact.bundle.image is None:
        raise ArtifactError(
            f"{artifact.digest[:12]} was built without an image; add [image] to config/pipeline.toml, then {BUILD}"
        )
    return artifact.bundle.image


def disk_problems(directory: Path, wanted_mb: float) -> list[str]:
    """Say that the engine's disk is too full. Nothing is said of an engine on another host."""
    if not directory.exists():
        return []
    free_mb = shutil.disk_usage(directory).free / 2**20
    if free_mb >= wanted_mb:
        return []
    return [f"{directory}: {free_mb:.0f} MB free, expected {wanted_mb:g} (MIN_FREE_DISK_MB); run: docker image prune"]


def live_restore_problems(info: Mapping[str, Any]) -> list[str]:
    """Say that a restart of the engine (an upgrade, a crash) would stop every container, as its `info` tells."""
    return [] if info.get("LiveRestoreEnabled") else [f"A restart of the Docker engine stops everything here. {LIVE}"]


def orphan_problems(volumes: Sequence[str]) -> list[str]:
    """Say what to do with volumes that an installation at this path made, and whose state directory is gone."""
    return [
        f"the volume {name} is of an installation here whose state directory, and the database's password with it, is "
        f"gone; restore that directory (docs/operations.md, Backup), or give up its data: docker volume rm {name}"
        for name in volumes
    ]


def image_problems(engine: Engine, image: Image) -> list[str]:
    """Say which images of an artifact are neither on the engine nor in their registry."""
    return [why for id, reference in image.every.values() if (why := _absent(engine, id, reference))]


def _absent(engine: Engine, id: str, reference: str | None) -> str:
    if engine.image(id):
        return ""
    if reference is None:
        return f"the image {id[:19]} is not on the engine at {engine.name}, and no registry has it; {BUILD}"
    why = engine.in_registry(reference)
    return f"the image {reference} cannot be had: {why}" if why else ""


def fetch_image(engine: Engine, image: Image, digest: str) -> None:
    """Have an artifact's images on the engine, pulled by digest if need be. Raises ArtifactError if one is not to be
    had.
    """
    for id, reference in image.every.values():
        _fetch(engine, id, reference, digest)


def _fetch(engine: Engine, id: str, reference: str | None, digest: str) -> None:
    if engine.image(id):
        return
    if reference:
        engine.pull(reference)
    if engine.image(id) is None:
        where = f"what {reference} gave is another image" if reference else f"it is not on {engine.name}"
        raise ArtifactError(f"the image {id[:19]} of {digest[:12]}: {where}; nothing was started; {BUILD}")
