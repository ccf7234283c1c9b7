"""`--monitoring`: Prometheus, Alertmanager, Loki, Alloy and Grafana beside the control plane, which never waits for
them.
"""

from collections.abc import Sequence

from cli.screen import console, doing, errors, escape, say
from cli.stacks import stop_stack
from control.monitoring_stack import MonitoringStack
from deployments.environment import Environment
from host.errors import SlipwayError
from host.home import Home
from settings.monitoring import read_monitoring
from settings.notify import read_notify

MONITORING = "monitoring"


def choose_monitoring(home: Home, wanted: bool | None) -> None:
    """Keep the choice for later commands; None leaves it as it is. False also stops the stack."""
    if wanted is None:
        return
    home.create()
    stack = MonitoringStack(home, read_monitoring())
    stack.want(wanted)
    if not wanted:
        stop_stack(stack, MONITORING)


def start_monitoring(home: Home, places: Sequence[Environment]) -> None:
    """Start the stack where it is chosen. A program that cannot start is reported in red, and the rest goes on."""
    stack = MonitoringStack(home, read_monitoring())
    if not stack.wanted:
        return
    try:
        with doing("monitoring: " + ", ".join(_names(stack))):
            containers = any(place.settings.runtime == "compose" for place in places)
            started = stack.up(read_notify().receiver.port, containers)
    except SlipwayError as error:
        errors.print(f"[red]monitoring is NOT up:[/red] {escape(str(error))}")
        return
    for service, said in started.missing.items():
        errors.print(f"[red]monitoring goes on WITHOUT {service}:[/red] {escape(said)}")
    for service in started.ready:
        if service in ("prometheus", "grafana"):
            say(f"{service}: {stack.url(service)}")
    if "grafana" in started.ready:
        say(f"Grafana's login: admin, with the password in {stack.password_file}")


def _names(stack: MonitoringStack) -> list[str]:
    return [getattr(stack.monitoring, one).image for one in ("prometheus", "alertmanager", "loki", "alloy", "grafana")]


def show_monitoring(home: Home) -> bool:
    """Print the state of the stack where it is chosen. Return whether a program that was started does not answer."""
    stack = MonitoringStack(home, read_monitoring())
    if not stack.wanted:
        return False
    try:
        running = {one.service: one.state for one in stack.containers()}
    except SlipwayError as error:
        console.print(f"monitoring: [red]{escape(str(error))}[/red]")
        return True
    silent = [one for one in running if not stack.answers(one)]
    for service, state in sorted(running.items()):
        said = "[red]does not answer[/red]" if service in silent else "answers"
        console.print(f"  monitoring/{service}: {state}, {said} at {stack.url(service)}")
    if not running:
        console.print("monitoring: [red]not up[/red]; run: make up")
    return bool(silent) or not running
