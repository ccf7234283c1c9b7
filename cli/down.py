"""`slipway down`: stop everything that runs here."""

from concurrent.futures import ThreadPoolExecutor

from cli.monitoring import MONITORING
from cli.screen import doing
from cli.stacks import stop_stack
from control.monitoring_stack import MonitoringStack
from control.plane import Control
from deployments.runtimes.compose.projects import stop_containers
from host.docker.labels import owner
from host.home import Home
from host.supervisor.supervisor import Supervisor
from settings.monitoring import Monitoring


def down() -> None:
    """Stop the workers, Prefect and the environments; state is kept. A release in progress restores the old version."""
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
