"""`slipway down`: stop everything that runs here."""

from concurrent.futures import ThreadPoolExecutor

from cli.monitoring import MONITORING
from cli.screen import doing
from cli.stacks import stop_stack
from deployments.compose.projects import owner, stop_containers
from deployments.control import Control
from deployments.home import Home
from deployments.monitoring import Monitoring
from deployments.monitoring_stack import MonitoringStack
from deployments.supervisor import Supervisor


def down() -> None:
    """Stop the workers (a release in progress restores what was live), Prefect, and the environments. State is kept."""
    stop(Home.find())


def stop(home: Home) -> None:
    """Stop control plane, monitoring and environments, in this order. Needs no valid configuration. Safe to repeat."""
    if home.control.exists():
        with doing("control plane stopped"):
            Control(home).supervisor.down()
    stop_stack(Control(home).stack, "the Prefect server's containers")
    stop_stack(MonitoringStack(home, Monitoring()), MONITORING)
    stop_environments(home)


def stop_environments(home: Home) -> None:
    """Stop the environments of this host side by side: slots, routers and databases. Safe to repeat."""
    environments = home.root / "environments"
    names = [path.name for path in environments.iterdir() if path.is_dir()] if environments.exists() else []
    with doing("environments stopped"), ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        stopped = [pool.submit(Supervisor(home.place(name) / "supervisor", home.sockets(name)).down) for name in names]
        stopped += [
            pool.submit(stop_containers, home.place(name) / "compose", owner(home.root, name)) for name in names
        ]
        for one in stopped:
            one.result()
