"""`slipway rollback`: go back to the version before, on the host itself or through the Prefect server."""

from typing import Annotated

import typer

from cli.releases.ends import leave
from cli.screen import say
from deployments.environment import Environment
from deployments.rollback import end_of, roll_back
from host.errors import ConfigError, SlipwayError
from host.home import Home
from settings.hosts import targets
from settings.pipeline import read_pipeline
from settings.targets import Target


def rollback(
    environment: Annotated[str, typer.Argument(help="the name of its file config/<name>.env, or its SHORT")],
    condemn: Annotated[str | None, typer.Option(help="the bad digest; without effect unless it is live")] = None,
    to: Annotated[str | None, typer.Option(help="the digest to go to; default: the newest earlier one")] = None,
    reason: Annotated[str, typer.Option(help="why; written into the journal")] = "asked for on the host",
    through_prefect: Annotated[
        bool | None,
        typer.Option(
            "--through-prefect/--on-this-host",
            help="as a run with a page in the UI, or in this command; default: here, unless another host has the "
            "environment",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option(help="follow the run and exit with the code of its end")] = True,
) -> None:
    """Condemn the live version and make the newest earlier one live, with the code, lease and journal of the flow.

    On the environment's own host it needs no Prefect server, and is quickest. Exits 0 when it is RolledBack, or when
    there is nothing to do.
    """
    target = Target.parse(environment)
    here = target in targets()
    if through_prefect if through_prefect is not None else not here:
        from cli.releases.typed import run_deployment  # the whole control plane comes with it

        named = {name: value for name, value in (("condemn", condemn), ("to", to)) if value}
        run_deployment("rollback", target, wait=wait, **named, reason=reason)
        return
    if not here:
        raise ConfigError(f"{target} is not on this host (SLIPWAY_POOLS); leave out --on-this-host")
    if not wait:
        raise ConfigError("on this host the command is the rollback: --no-wait goes with --through-prefect")
    leave("rollback", *_here(target, condemn, to, reason))


def _here(target: Target, condemn: str | None, to: str | None, reason: str) -> tuple[str, str]:
    """Roll back in this process. Return the state in which the flow would end, and the reason."""
    try:
        place = Environment.open(target, read_pipeline().app.name, Home.find())
        place.up()
        with place.lease("rollback on the host") as lease:
            done, said = roll_back(place, lease, condemn, to, reason, say)
    except SlipwayError as error:
        return end_of(error), str(error)
    return ("RolledBack" if done else "NothingToDo"), said
