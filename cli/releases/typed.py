"""A run that a person starts at a terminal through the installation's own Prefect server, and follows there."""

from typing import Any

import typer

from cli import runs, server
from cli.releases.ends import leave
from cli.screen import say
from control.plane import Control
from control.prefect_api import PrefectApi
from host.errors import ServerAway
from host.home import Home
from settings.targets import Target

TRIES = 3


def run_deployment(flow: str, target: Target, *, wait: bool, **parameters: Any) -> None:
    """Start the flow's run for an environment. With `wait` follow it to its end, and exit with the code of that end.

    Raises ServerAway at once when this installation's server does not answer; no other server is ever started or asked.
    """
    control = Control(Home.find())
    api = PrefectApi(control)
    if not any(server.answers(control) for _ in range(TRIES)):  # a refused connection takes no time, a busy server does
        raise ServerAway(f"the Prefect server does not answer at {control.url}; run: make up")
    run = runs.start(api, f"{flow}/{target.short}", **parameters)
    say(f"{flow} of {target}: {runs.run_url(api, run)}")
    if not wait:
        say("it is not waited for: the page above, and `make status`, say how it goes")
        return
    try:
        ended = runs.follow(api, run, f"{flow} of {target}", None)
    except KeyboardInterrupt:
        say(f"stopped following; the run goes on: {runs.run_url(api, run)} (to end it, cancel it there)")
        raise typer.Exit(130) from None
    if ended.state == "Crashed":
        say("its process died; `watch` finishes or restores what it began; look at: make status")
    leave(flow, ended.state, ended.message)
