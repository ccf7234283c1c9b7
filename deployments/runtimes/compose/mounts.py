"""Files of the artifact that services mount: they must be there, and may not take the place of the image's own."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deployments.runtimes.compose.judge import Reach, in_source
from deployments.runtimes.compose.model import Stack
from host.docker.engine import Engine


def absent(stack: Stack, reach: Reach) -> Iterator[str]:
    """Yield the mounts of what the artifact does not have: it is read-only, and nothing is made there."""
    for name, mount in _of_the_artifact(stack, reach):
        if not Path(mount["source"]).exists():
            yield (
                f"service {name}: it mounts {_shown(mount, reach)}, which the artifact does not have; use a volume, or "
                "an absolute path that COMPOSE_BINDS of config/<environment>.env names"
            )


def covering(engine: Engine, images: Mapping[str, str], stack: Stack, reach: Reach) -> list[str]:
    """Return the mounts over what the built images have themselves: what runs would not be the image that was checked.

    `images`: by service, of those that run one of the artifact's. An image that is not on the engine yet has nothing
    said of it, and is looked at once it is.
    """
    found = []
    for name, image in images.items():
        mounts = [mount for service, mount in _of_the_artifact(stack, reach) if service == name]
        if not mounts or engine.image(image) is None:
            continue
        there = engine.paths_of(image, [str(mount["target"]) for mount in mounts])
        found += [
            f"service {name}: it mounts {_shown(mount, reach)} over {mount['target']} of the image: what runs would "
            "not be the image that was checked; remove it, the image has its own"
            for mount in mounts
            if str(mount["target"]) in there
        ]
    return found


def _of_the_artifact(stack: Stack, reach: Reach) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in stack.roles:
        for mount in stack.service(name).get("volumes") or ():
            if mount["type"] == "bind" and mount.get("target") and in_source(str(mount.get("source")), reach):
                yield name, mount


def _shown(mount: Mapping[str, Any], reach: Reach) -> str:
    return f"./{Path(mount['source']).relative_to(reach.source)} of the repository"
