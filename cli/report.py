"""`slipway report`: DORA's figures of the team's delivery, as one HTML file."""

import time
from typing import Annotated

import typer
from rich.table import Table

from cli.screen import console, escape, say
from gates.delivery import in_words
from host.files import write_atomically
from host.home import Home
from settings.targets import Target
from tasks.delivery.collect import collect
from tasks.delivery.page import html_page


def report(
    environment: Annotated[str, typer.Argument(help="which environment; without it production")] = "",
    days: Annotated[float, typer.Option(min=1, help="how many days back")] = 90,
) -> None:
    """Compute the figures and write the page. Without a Prefect server there is no figure for ci's runs."""
    home = Home.find()
    begin = time.monotonic()
    found = collect(home, days, Target.parse(environment) if environment else Target.production())
    computed_s = time.monotonic() - begin
    table = Table("figure", "value", "target", "", "seen", "note", title=f"{found.app} in {found.environment}")
    for one in (*found.figures, *found.times):
        sign = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: ""}[one.met]
        target = one.target.text if one.target else ""
        table.add_row(one.name, in_words(one), target, sign, str(one.samples), escape(one.note))
    console.print(table)
    file = home.root / "reports" / f"{found.environment}.html"
    write_atomically(file, html_page(found).encode())
    say(f"{file} (computed in {computed_s:.1f} s, with its plots {time.monotonic() - begin:.1f} s)")
