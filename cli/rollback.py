"""`slipway rollback`: roll back on this host, with or without a Prefect server."""

from typing import Annotated

import typer

from cli.screen import say
from deployments.environment import Environment
from deployments.rollback import roll_back
from host.home import Home
from settings.pipeline import read_pipeline
from settings.targets import Target


def rollback(
    environment: Annotated[str, typer.Argument(help="the name of its file config/<name>.env, or its SHORT")],
    condemn: Annotated[str | None, typer.Option(help="the bad digest; without effect unless it is live")] = None,
    to: Annotated[str | None, typer.Option(help="the digest to go to; default: the newest earlier one")] = None,
    reason: Annotated[str, typer.Option(help="why; written into the journal")] = "asked for on the host",
) -> None:
    """Condemn the live version and make the newest earlier one live, with the code, lease and journal of the flow."""
    place = Environment.open(Target.parse(environment), read_pipeline().app.name, Home.find())
    place.up()
    with place.lease("rollback on the host") as lease:
        _, said = roll_back(place, lease, condemn, to, reason, say)
    say(said)
