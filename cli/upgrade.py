"""`slipway upgrade`: restart the control plane on the code that is checked out now; environments keep serving."""

from typing import Annotated

import typer

from cli.busy import refuse_when_busy
from cli.screen import doing, say
from cli.up import start
from control.plane import Control
from host.home import Home


def upgrade(
    check: Annotated[bool, typer.Option("--check", help="only report whether it may be done now")] = False,
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
        control.stack.down()
    start(home)
    say("the control plane runs the code that is checked out now")
