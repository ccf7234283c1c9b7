"""`slipway upgrade`: run the control plane on the code that is checked out now, without touching what serves."""

from typing import Annotated

import typer

from cli.screen import doing, say
from cli.up import start
from deployments.control import Control
from deployments.home import Home
from deployments.pipeline import read_pipeline
from deployments.place import Place
from deployments.settings import Target
from evidence.errors import LeaseHeld


def upgrade(
    check: Annotated[bool, typer.Option("--check", help="only say whether it may be done now")] = False,
) -> None:
    """Restart Prefect's server, the workers and watch. Refused while a lease or a question is open.

    Environments keep serving: their supervisors, routers, databases and slots are not restarted.
    """
    home = Home.find()
    refuse_when_busy(home)
    if check:
        return
    control = Control(home)
    with doing("control plane stopped"):
        control.supervisor.down()
    start(home)
    say("the control plane runs the code that is checked out now")


def refuse_when_busy(home: Home) -> None:
    """Raise LeaseHeld when a release, a rollback or an approval is under way: their processes run the old code."""
    app = read_pipeline().app.name
    for place in (Place.open(target, app, home) for target in Target):
        if holder := place.holder():
            raise LeaseHeld(f"{place.name} is being changed ({holder.reason}, since {holder.since}); upgrade after it")
        for question in place.ledger().questions.values():
            raise LeaseHeld(
                f"{place.name} waits for an approval until {question.expires:%Y-%m-%d %H:%M} UTC (run {question.run}); "
                "answer or cancel it, then upgrade"
            )
