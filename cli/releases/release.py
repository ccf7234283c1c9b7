"""`slipway release`: take a version to an environment, and say how it ended and why."""

from typing import Annotated

import typer

from settings.targets import Target


def release(
    environment: Annotated[str, typer.Argument(help="the name of its file config/<name>.env, or its SHORT")],
    version: Annotated[
        str | None, typer.Option(help="a version, commit or digest; without it the newest that may go there")
    ] = None,
    wait: Annotated[bool, typer.Option(help="follow the run and exit with the code of its end")] = True,
) -> None:
    """Start the release through the Prefect server of this installation, follow it, and print its end and the reason.

    Exits 0 only when it is Promoted. Ctrl-C stops following, not the release. Where approval is required the page to
    answer on is printed.
    """
    from cli.releases.typed import run_deployment  # the whole control plane comes with it

    parameters = {"version": version} if version else {}
    run_deployment("release", Target.parse(environment), wait=wait, **parameters)
