"""`slipway compose`: the compose files that a release would run, for a person to read."""

from typing import Annotated

import typer

from deployments.candidate import verify_artifact
from deployments.environment import Environment
from deployments.preflight import choose_version
from deployments.runtimes.compose.runtime import ComposeRuntime
from host.home import Home
from settings.pipeline import read_pipeline
from settings.targets import Target


def compose(
    environment: Annotated[str, typer.Argument(help="the name of its file config/<name>.env, or its SHORT")],
    version: Annotated[
        str | None, typer.Option(help="a version, commit or digest; without it the live version")
    ] = None,
) -> None:
    """Print the compose files of a slot, of singletons and of shared services, made from the team's own file.

    Starts nothing and writes nothing. Secrets appear as ${NAME}, and values that look like one as ***. What of the
    team's file means nothing here is listed first. Exits 1 with the reason when the file is unusable.
    """
    place = Environment.open(Target.parse(environment), read_pipeline().app.name, Home.find())
    live = place.ledger().live
    digest = live.version.digest if live and not version else choose_version(place, version)
    runtime, artifact = ComposeRuntime(place), verify_artifact(place.store, digest)
    files = runtime.files(artifact)
    for line in runtime.left_out(artifact):
        typer.echo(f"# Left out: {line}")
    typer.echo("\n---\n".join(files.values()))
