"""`slipway status`: what is live where, what waits, what is wrong."""

import typer
from rich.table import Table

from cli import server
from cli.screen import console, escape
from deployments.control import Control
from deployments.home import Home
from deployments.overview import overview
from deployments.pipeline import read_pipeline
from deployments.place import Place
from deployments.programs import State
from deployments.settings import Target


def status() -> None:
    """Show each environment and the control plane. Needs no Prefect; exits 1 when anything is wrong."""
    home = Home.find()
    app = read_pipeline().app.name
    looks = [overview(Place.open(target, app, home)) for target in Target]
    table = Table("environment", "address", "live", "health", "warm old version", "last operation", "now", title=app)
    for one in looks:
        color = "red" if one.problems else "green"
        cells = (one.environment, one.url, one.live, one.health, one.warm or "-", one.last or "-", one.doing or "-")
        table.add_row(*(escape(cell) for cell in cells), style=None, end_section=True)
        for problem in one.problems:
            table.add_row("", "", f"[{color}]{escape(problem)}[/{color}]")
    console.print(table)
    control = Control(home)
    wrong = _control_plane(control)
    if wrong or any(one.problems for one in looks):
        raise typer.Exit(1)


def _control_plane(control: Control) -> bool:
    if not control.supervisor.answers():
        console.print("control plane: [red]not up[/red]; run: make up")
        return True
    states = control.supervisor.states()
    missing = [name for name in control.own if name not in states or states[name].state is not State.RUNNING]
    for name, state in sorted(states.items()):
        color = "red" if name in missing else "default"
        console.print(f"  {name}: [{color}]{state.state.lower()}[/]" + (f" (pid {state.pid})" if state.pid else ""))
    answering = server.answers(control)
    console.print(f"Prefect server at {control.url}: " + ("answers" if answering else "[red]does not answer[/red]"))
    if missing:
        console.print(f"not running: [red]{', '.join(missing)}[/red]; run: make up")
    return bool(missing) or not answering
