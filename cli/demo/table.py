"""Table of the demo's outcomes, and their comparison with the expected ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from cli.runs import Ended
from cli.screen import console, escape
from deployments.environment import Environment
from gates.release.operation import Operation

# More only make everybody's answer later. An unhurried host has a handful under way.
MOST_UNDER_WAY = 100


@dataclass(frozen=True)
class Row:
    """One release or rollback of the story."""

    what: str
    environment: str
    expected: str
    ended: Ended


def _operation(row: Row, places: Mapping[str, Environment]) -> Operation | None:
    """Return the journal's entry of the row's run."""
    operations = places[row.environment].ledger().operations
    return next((one for one in operations if one.run == row.ended.run), None)


def print_table(rows: Sequence[Row], places: Mapping[str, Environment], traffic: Mapping[str, Any]) -> None:
    """Print each release with its verdict and seconds, then the downtimes, then the traffic's results."""
    table = Table("what", "verdict", "reason", "seconds by step", "downtime s", show_lines=True)
    for row in rows:
        operation = _operation(row, places)
        steps = [f"{one.name} {one.seconds:.2f}" for one in operation.steps if one.name != "down"] if operation else []
        down = f"{operation.downtime_s:.2f}" if operation else "-"
        good = row.ended.state == row.expected
        verdict = f"[{'green' if good else 'red'}]{row.ended.state}[/]"
        table.add_row(
            row.what,
            verdict,
            escape(row.ended.message[:220]),
            f"all {row.ended.seconds:.1f}: " + ", ".join(steps),
            down,
        )
    console.print(table)
    _print_traffic(traffic)


def _print_traffic(traffic: Mapping[str, Any]) -> None:
    totals = traffic["totals"]
    console.print(
        f"production, {traffic['seconds']:.0f} s of open-loop traffic: [bold]{totals['sent']} requests sent, "
        f"{totals['lost']} lost[/bold], {totals['app_error']} app errors (the app's own 5xx), "
        f"{totals['not_sent']} not sent; p50 {totals['latency_ms']['p50']} ms, p99 {totals['latency_ms']['p99']} ms"
    )
    if traffic["held_back_s"]:
        console.print(
            f"  held back for {traffic['held_back_s']:.1f} s, while {MOST_UNDER_WAY} requests were under way: "
            "answers did not keep up with the rate"
        )
    for name, stream in traffic["streams"].items():
        console.print(
            f"  stream {escape(name)}: {stream['opened']} opened, {stream['ended_cleanly']} ended by the server, "
            f"{stream['broken']} broken off, {stream['reopened']} reopened, {stream['refused']} refused"
        )
    for name, probe in traffic["probes"].items():
        down = probe["downtime_s"]
        said = f"longest {down['longest']:.2f} s, together {down['total']:.2f} s" if down else "never answered well"
        slow = f", {probe['late']} late, the slowest {probe['slowest_s']:.1f} s" if probe["late"] else ""
        open_ = f", {probe['unanswered']} not answered yet" if probe["unanswered"] else ""
        console.print(f"  downtime of {name}: {said} ({probe['asked']} probes{slow}{open_})")


def expectations(
    rows: Sequence[Row], places: Mapping[str, Environment], traffic: Mapping[str, Any], production: str, last: str
) -> list[str]:
    """Return everything that is not as it must be; empty when the story went as told and `last` is in production."""
    wrong = [
        f"{row.what} ended {row.ended.state}, expected {row.expected}"
        for row in rows
        if row.ended.state != row.expected
    ]
    if not traffic["finished"]:
        wrong.append("the traffic ended before it was told to, so its figures are not whole")
    totals = traffic["totals"]
    for what in ("lost", "not_sent", "abandoned"):
        if totals[what]:
            wrong.append(f"{totals[what]} requests {what.replace('_', ' ')}, expected none")
    if not totals["app_error"]:
        wrong.append("the bad version made no app error, so its rollback proves nothing")
    for name, probe in traffic["probes"].items():
        limit, down = places[name].settings.max_downtime_seconds, probe["downtime_s"]
        if down is None:
            wrong.append(f"{name} never answered a probe well")
        elif probe["unanswered"]:
            wrong.append(f"{name} left {probe['unanswered']} probes without an answer: nobody knows whether it was up")
        elif down["longest"] > limit:
            wrong.append(f"{name} was down for {down['longest']:.2f} s, its limit is {limit:g} s")
    live = places[production].ledger().live
    if live is None or live.version.version != last:
        wrong.append(f"{production} serves {live.version if live else 'nothing'}, expected {last}")
    return wrong
