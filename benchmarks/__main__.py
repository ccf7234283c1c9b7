"""`make bench`: figures of this machine, now. Read them as ratios within one run: another machine has other seconds."""

import os
import platform
import sys
import time
from typing import Any

from rich.table import Table

from benchmarks import releases, switches
from cli.screen import console, fail, say
from evidence.errors import SlipwayError


def switches_table(row: dict[str, Any]) -> Table:
    """Return what became of the requests while traffic was switched to and fro."""
    table = Table(title="Switches under load", title_justify="left")
    for heading in ("switches", "sent", "lost", "not sent", "streams cut", "written to confirmed p50", "p99"):
        table.add_column(heading, justify="right")
    counts = (row["switches"], row["sent"], row["lost"], row["not_sent"], row["streams_broken"])
    table.add_row(*map(str, counts), f"{row['confirmed_p50_ms']:.1f} ms", f"{row['confirmed_p99_ms']:.1f} ms")
    return table


def releases_table(rows: list[releases.Row]) -> Table:
    """Return the seconds of each step, and how that compares with the floor, which is the first row."""
    floor = rows[0].median
    table = Table(title=f"Release and rollback, median of {len(rows[0].seconds)}", title_justify="left")
    table.add_column("")
    for heading in ("seconds", "least", "most", "x floor"):
        table.add_column(heading, justify="right")
    for row in rows:
        figures = (row.median, min(row.seconds), max(row.seconds), row.median / floor)
        section = row.name in (releases.FLOOR, releases.STEPS[-1], releases.BEYOND)
        table.add_row(row.name, *(f"{figure:.2f}" for figure in figures), end_section=section)
    return table


def main() -> int:
    """Run every benchmark and print its rows; 1 when one could not run. Figures alone never fail it."""
    began = time.monotonic()
    say(
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    try:
        say("switches under load ...")
        console.print(switches_table(switches.run()))
        say(f"release and rollback, {releases.TIMES} times ...")
        console.print(releases_table(releases.run()))
    except SlipwayError as error:
        fail(f"{type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        fail("interrupted; everything that was started is stopped")
        return 130
    say(f"done after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
