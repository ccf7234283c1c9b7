"""`slipway up`: start the environments and the control plane of this host."""

from concurrent.futures import ThreadPoolExecutor

from cli import server
from cli.screen import doing, say
from cli.setup import prepare
from deployments.control import Control, suite_database
from deployments.home import Home
from deployments.pipeline import read_pipeline
from deployments.place import Place
from deployments.recovery import needs_repair, reconcile
from deployments.settings import Target
from gates.recovery import Repair


def up() -> None:
    """Start everything on this host: databases, routers, what was live, Prefect's server, workers and watch.

    Safe to repeat. What was live serves again before Prefect is up.
    """
    start(Home.find())
    say(f"Prefect UI: {Control(Home.find()).url}  (the login it asks for is PREFECT_API_AUTH_STRING in .env)")


def start(home: Home) -> list[Place]:
    """Start everything; return the environments' places. Raises the first environment's error, the rest being up."""
    prepare(home)
    app = read_pipeline().app.name
    places = [Place.open(target, app, home) for target in Target]
    control = Control(home)
    with ThreadPoolExecutor(max_workers=len(places) + 2) as pool:
        with doing("databases, routers and what was live"):
            raised = [pool.submit(_raise, place) for place in places]
            control.start_database()
            troubles = [error for error in (one.exception() for one in raised) if error]
        control.start_server()
        suites = pool.submit(suite_database, home)
        with doing("Prefect server"):
            server.await_server(control)
            suites.result()
    with doing("work pools, deployments, workers and watch"):
        server.register(control)
        control.start_workers()
    for trouble in troubles:
        raise trouble
    return places


def _raise(place: Place) -> None:
    """Start one environment, and put right what the last stop interrupted."""
    place.up()
    if place.holder() is None and needs_repair(place)[0] is not Repair.NOTHING:
        with place.lease("up: reconcile") as lease:
            repair, reason = reconcile(place, lease)
        say(f"{place.name}: {repair}: {reason}")
