"""`slipway up`: start the environments and the control plane of this host."""

from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from cli import server
from cli.monitoring import choose_monitoring, start_monitoring
from cli.runtime import choose_runtime, choose_server
from cli.screen import doing, say
from cli.setup import prepare
from control.plane import Control, suite_database
from deployments.environment import Environment
from deployments.recovery import needs_repair, reconcile
from gates.release.recovery import Repair
from host.home import Home
from notify.channels import configured
from settings.hosts import CI, pools, targets
from settings.notify import read_notify
from settings.pipeline import read_pipeline


def up(
    runtime: Annotated[
        str | None,
        typer.Option(help="process or compose: how environments and the Prefect server run; kept for later commands"),
    ] = None,
    server_runtime: Annotated[
        str | None, typer.Option("--server", help="process or compose, for the Prefect server alone; kept as well")
    ] = None,
    monitoring: Annotated[
        bool | None, typer.Option(help="also Prometheus, Alertmanager, Loki, Grafana; kept for later commands")
    ] = None,
) -> None:
    """Start everything on this host: databases, routers, live versions, Prefect's server, workers and watch.

    Safe to repeat. The live versions serve again before Prefect is up.
    """
    choose_server(Home.find(), server_runtime or runtime)
    choose_runtime(Home.find(), runtime)
    choose_monitoring(Home.find(), monitoring)
    start(Home.find())
    say(f"Prefect UI: {Control(Home.find()).url}  (the login it asks for is PREFECT_API_AUTH_STRING in .env)")


def start(home: Home) -> list[Environment]:
    """Start everything; return the environments. Raises the first environment's error after the rest is up."""
    configured(read_notify())  # a bad table is refused before anything starts
    prepare(home)
    app = read_pipeline().app.name
    places = [Environment.open(target, app, home) for target in targets()]
    control = Control(home)
    with ThreadPoolExecutor(max_workers=len(places) + 2) as pool:
        with doing("databases, routers and what was live"):
            raised = [pool.submit(_raise, place) for place in places]
            control.start_server()
            troubles = [error for error in (one.exception() for one in raised) if error]
        loaded = pool.submit(server.preload, control)
        suites = pool.submit(suite_database, home) if CI in pools() else None
        with doing("Prefect server"):
            server.await_server(control)
            loaded.result()
            if suites:
                suites.result()
    with doing("work pools, deployments, workers, watch and the webhook receiver"):
        server.register(control)
        control.start_workers()
        control.start_listeners()
        control.await_listeners()
    start_monitoring(home, places)
    for trouble in troubles:
        raise trouble
    return places


def _raise(place: Environment) -> None:
    """Start one environment, and repair what the last stop interrupted."""
    place.up()
    if place.holder() is None and needs_repair(place)[0] is not Repair.NOTHING:
        with place.lease("up: reconcile") as lease:
            repair, reason = reconcile(place, lease)
        say(f"{place.name}: {repair}: {reason}")
