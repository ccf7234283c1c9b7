"""`slipway prune`: remove images and old statements of scans that no environment can need."""

from typing import Annotated

import typer

from cli.screen import say
from control.plane import Control
from deployments.environment import Environment
from deployments.pruning import prune as prune_images
from deployments.pruning import prune_scans
from host.home import Home
from settings.hosts import targets
from settings.pipeline import read_pipeline


def prune(
    keep: Annotated[
        int, typer.Option(min=1, help="how many releases stay in each environment, and how many builds")
    ] = 5,
) -> None:
    """Remove old images from the engine, and all signed scans but the newest of old artifacts.

    The live version, the warm one and the last good one stay, whatever KEEP is. Of Prefect's server the present image
    and images that a container uses stay.
    """
    home, app = Home.find(), read_pipeline().app.name
    places = [Environment.open(target, app, home) for target in targets()]
    say(f"{prune_scans(places, keep)} old statements of scans removed")
    removed = prune_images(places, keep) + [f"image {name}" for name in Control(home).stack.prune()]
    for line in removed:
        say(f"removed {line}")
    say(f"{len(removed)} images removed")
