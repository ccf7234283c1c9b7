"""Runner of a flow in this process, with Prefect's server and the suites' database, without workers."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cli import server
from cli.screen import doing
from cli.setup import prepare
from control.plane import SUITE_DATABASE, Control, suite_database
from host.home import Home


@contextmanager
def control_plane(home: Home) -> Iterator[Control]:
    """Keep Prefect's server and the suites' database up for the block. Stop those afterwards that were not up before.

    The run's page is in the UI while the server is up, and stays in its history.
    """
    prepare(home)
    control = Control(home)
    was_up = server.answers(control)
    try:
        if not was_up:
            with doing("Prefect's server and a database for the suites"):
                control.start_server()
                suite_database(home)
                server.await_server(control)
        else:
            suite_database(home)
        os.environ.update(control.client_environment())
        yield control
    finally:
        if not was_up:
            control.stop_server()
            control.supervisor.remove(SUITE_DATABASE)
            control.supervisor.down()


def run_locally(load: Callable[[], Any], *, quiet: bool = True, **parameters: Any) -> Any:
    """Run a flow in this process and return its final state. `load` imports it: Prefect reads its settings then.

    `quiet` keeps the run's log out of the terminal; it is in the UI all the same.
    """
    if quiet:
        os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    flow = load()
    from prefect.logging.handlers import APILogHandler

    try:
        return flow(**parameters, return_state=True)
    finally:
        APILogHandler().flush()  # the server may be stopped next, and the log would be lost
