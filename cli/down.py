"""`slipway down`: stop everything that runs here."""

from concurrent.futures import ThreadPoolExecutor

from cli.screen import doing
from deployments.control import Control
from deployments.home import Home
from deployments.supervisor import Supervisor


def down() -> None:
    """Stop the workers (a release in progress restores what was live), Prefect, and the environments. State is kept."""
    stop(Home.find())


def stop(home: Home) -> None:
    """Stop the control plane first, then the environments. Needs no valid configuration. Safe to repeat."""
    if home.control.exists():
        with doing("control plane stopped"):
            Control(home).supervisor.down()
    stop_environments(home)


def stop_environments(home: Home) -> None:
    """Stop the environments of this host side by side: slots, routers and databases. Safe to repeat."""
    environments = home.root / "environments"
    names = [path.name for path in environments.iterdir() if path.is_dir()] if environments.exists() else []
    with doing("environments stopped"), ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        stopped = [pool.submit(Supervisor(home.place(name) / "supervisor", home.sockets(name)).down) for name in names]
        for one in stopped:
            one.result()
