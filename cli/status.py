"""`slipway status`: live versions, open questions, failed runs and problems."""

from datetime import UTC, datetime

import typer
from rich.table import Table

from cli import server
from cli.monitoring import show_monitoring
from cli.screen import console, escape
from control.plane import Control
from control.prefect_api import PrefectApi
from deployments.environment import Environment
from deployments.overview import Overview, overview
from host.errors import SlipwayError
from host.home import Home
from host.supervisor.program import State
from notify.prefect_dashboard import FailedRun, failed_runs
from settings.hosts import targets
from settings.pipeline import read_pipeline


def status() -> None:
    """Show each environment and the control plane. Needs no Prefect; exits 1 when anything is wrong.

    Failed runs are shown and do not count; the problems that they left count.
    """
    home = Home.find()
    app = read_pipeline().app.name
    looks = [overview(Environment.open(target, app, home)) for target in targets()]
    console.print(_environments(app, looks))
    control = Control(home)
    wrong = _control_plane(control)
    if not wrong:
        _failed(failed_runs(PrefectApi(control), datetime.now(UTC), control.url))
    wrong = show_monitoring(home) or wrong
    if wrong or any(one.problems for one in looks):
        raise typer.Exit(1)


def _environments(app: str, looks: list[Overview]) -> Table:
    table = Table("environment", "address", "live", "health", "warm old version", "last operation", "now", title=app)
    for look in looks:
        one = look.standing
        color = "red" if look.problems else "green"
        live = one.live + (f", since {one.since}" if one.since else "")
        now = "; ".join([*([one.doing] if one.doing else []), *one.waits])
        cells = (one.environment, one.url, live, look.health, one.warm or "-", one.last or "-", now or "-")
        table.add_row(*(escape(cell) for cell in cells), style=None, end_section=True)
        for problem in look.problems:
            table.add_row("", "", f"[{color}]{escape(problem)}[/{color}]")
    return table


def _failed(runs: tuple[FailedRun, ...] | None) -> None:
    for one in runs or ():
        console.print(
            f"failed at {one.at:%Y-%m-%d %H:%M} UTC: {escape(one.name)}: {escape(one.state)}: {escape(one.message)}"
        )
    if not runs:
        console.print("no run failed in the last 24 h" if runs is not None else "runs: cannot be asked for")


def _control_plane(control: Control) -> bool:
    if not control.supervisor.answers():
        console.print("control plane: [red]not up[/red]; run: make up")
        return True
    states = control.supervisor.states()
    missing = [name for name in control.own if name not in states or states[name].state is not State.RUNNING]
    for name, state in sorted(states.items()):
        color = "red" if name in missing else "default"
        console.print(f"  {name}: [{color}]{state.state.lower()}[/]" + (f" (pid {state.pid})" if state.pid else ""))
    if control.server.kind == control.stack.kind:
        _containers(control)
    answering = server.answers(control)
    console.print(f"Prefect server at {control.url}: " + ("answers" if answering else "[red]does not answer[/red]"))
    if missing:
        console.print(f"not running: [red]{', '.join(missing)}[/red]; run: make up")
    return bool(missing) or not answering


def _containers(control: Control) -> None:
    try:
        found = control.stack.containers()
    except SlipwayError as error:
        console.print(f"  [red]{escape(str(error))}[/red]")
        return
    for one in sorted(found, key=lambda each: each.service):
        color = "default" if one.state == "running" and one.health in ("", "healthy") else "red"
        said = f"{one.state}, {one.health}" if one.health else one.state
        console.print(f"  prefect-server/{one.service}: [{color}]{said}[/]")
