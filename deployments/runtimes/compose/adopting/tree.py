"""A tree of files that is no artifact yet, for those who look at what its compose file would run.

Nothing of it is built, so every image stands as a digest that is none: zeros, and a number.
"""

from pathlib import Path

from deployments.runtimes.compose.model import Stack
from deployments.runtimes.compose.preconditions import image_of
from deployments.runtimes.layout import Installed
from evidence.bundle import Bundle, Image, OtherImage
from settings.pipeline import Pipeline

DIGEST = "0" * 64
STAND_IN = "sha256:" + "0" * 64


def candidate(pipeline: Pipeline, root: Path, file: str, environment: str) -> Installed:
    """Return what stands for an artifact of the files at `source` of what is returned, where they are to be laid out.

    `file`: the compose file of the environment, a path below them.
    """
    bundle = Bundle(
        app=pipeline.app.name,
        commit="0" * 40,
        version="not built",
        python=pipeline.app.python,
        source=DIGEST,
        lock=DIGEST,
        wheels={},
        run=pipeline.run,
        image=Image(id=STAND_IN, compose={environment: file}),
    )
    return Installed(DIGEST, bundle, root)


def is_tree(installed: Installed) -> bool:
    """Say whether these files are no artifact."""
    return installed.digest == DIGEST


def with_images(installed: Installed, stack: Stack, environment: str) -> Installed:
    """Return a tree with a stand-in for each image that its services would be built as."""
    first = stack.builds.get(stack.runs.get(stack.public, stack.public))
    names = {first.key: ""} if first else {}
    others: dict[str, OtherImage] = {}
    for name, build in stack.builds.items():
        if build.key not in names:
            names[build.key] = f"image-{len(others) + 1}"
            others[names[build.key]] = OtherImage(id=_stand_in(len(others) + 1), build=build)
    services = {name: names[build.key] for name, build in stack.builds.items()}
    update = {"others": others, "services": {environment: services}}
    bundle = installed.bundle.model_copy(update={"image": image_of(installed).model_copy(update=update)})
    return Installed(installed.digest, bundle, installed.root)


def _stand_in(number: int) -> str:
    return f"sha256:{number:064d}"
