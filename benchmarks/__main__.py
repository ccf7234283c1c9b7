"""`make bench`: figures of this machine, now. Read them as ratios within one run: another machine has other seconds."""

import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from benchmarks import alert_chain, checks, containers, judge, pairs, releases, reports, scans, switches
from cli.screen import console, fail, say
from host.docker.engine import Engine
from host.errors import SlipwayError, ToolError


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


def checks_table(figures: checks.Figures) -> Table:
    """Return how long `ci` takes beside the same tools run bare, each ratio with its limit."""
    table = Table(title="ci of the example", title_justify="left")
    for heading in ("", "seconds", "limit", "ratio", "limit"):
        table.add_column(heading, justify="right" if heading else "left")
    bare_s, cold_s, again, changed = figures.bare_s, figures.cold_s, figures.again, figures.changed
    rows = (
        (f"the same tools bare, two at a time (median of {checks.TURNS})", bare_s, "", "", ""),
        ("ci, nothing remembered, x bare", cold_s, "240", f"{cold_s / bare_s:.3f}", "1.15"),
        ("  the whole command", figures.typed_s, "", f"{figures.typed_s / bare_s:.3f}", ""),
        ("ci again, every result remembered, x cold", again.seconds, "", f"{again.seconds / cold_s:.3f}", "0.05"),
        ("  the whole command", again.typed_s, "", "", ""),
        ("  the whole command, nothing changed since that run", figures.told_s, "0.5", "", ""),
        ("ci, one unit test added, x cold", changed.seconds, "", f"{changed.seconds / cold_s:.3f}", ""),
        ("orchestration of one check", figures.task_s, "0.1", "", ""),
    )
    for name, seconds, most, ratio, limit in rows:
        table.add_row(name, f"{seconds:.2f}", most, ratio, limit)
    return table


def scans_table(figures: scans.Figures) -> Table:
    """Return how long the security scans take, and each in turn would."""
    table = Table(title="Security scans of the example", title_justify="left")
    for heading in ("", "seconds", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    each = sum(figures.each.values())
    slowest = max(figures.each, key=lambda name: figures.each[name])
    rows = (
        ("each scan's own seconds, added up", each, 1.0),
        ("all seven side by side, nothing remembered (x added up; limit 60 s)", figures.cold_s, figures.cold_s / each),
        (f"the slowest of them, {slowest}", figures.each[slowest], figures.each[slowest] / each),
        (
            "again on the same day, nothing changed (x side by side; limit 3 s)",
            figures.again_s,
            figures.again_s / figures.cold_s,
        ),
        (f"kingfisher alone on {scans.COMMITS} commits", figures.kingfisher_s, 1.0),
        (
            f"secrets in {scans.COMMITS} commits (x kingfisher; limit 3 s)",
            figures.history_s,
            figures.history_s / figures.kingfisher_s,
        ),
    )
    for name, seconds, ratio in rows:
        table.add_row(name, f"{seconds:.2f}", f"{ratio:.3f}")
    return table


def reports_table(figures: reports.Figures) -> Table:
    """Return how long the delivery report takes over a long journal."""
    table = Table(title=f"Report over {reports.COUNT:,} releases", title_justify="left")
    for heading in ("", "seconds"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row(f"nothing remembered: {figures.entries:,} entries verified (limit 2 s)", f"{figures.first_s:.2f}")
    table.add_row("again (limit 2 s)", f"{figures.again_s:.2f}")
    return table


def containers_table(figures: containers.Figures) -> Table:
    """Return what became of the requests while containers were released, Slipway's way beside two others."""
    title = f"Containers: {containers.RELEASES} releases under load; floor {statistics.median(figures.floor):.2f} s"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("sent", "lost", "not sent", "streams ended", "release, seconds", "beyond the floor"):
        table.add_column(heading, justify="right")
    for row in figures.rows:
        totals = row.report["totals"]
        counts = (totals["sent"], totals["lost"], totals["not_sent"], row.streams_ended)
        beyond = row.median - statistics.median(figures.floor)
        table.add_row(row.name, *map(str, counts), f"{row.median:.2f}", f"{beyond:.2f}")
    warm, typed = statistics.median(figures.warm), statistics.median(figures.typed)
    table.caption = f"warm rollback: begun to confirmed {warm:.2f} s, command to confirmed {typed:.2f} s"
    return table


def _engine(what: str) -> bool:
    """Return whether an engine answers; say what is left out when none does."""
    try:
        Engine().info()
    except ToolError as error:
        say(f"{what} left out: {error}")
        return False
    return True


def _alerts() -> None:
    if _engine("the chain from a fault to the version before is"):
        say("a demo with monitoring, then faults in the live app ...")
        console.print(alert_chain.table(alert_chain.run()))


def _containers() -> None:
    if not _engine("releases of containers are"):
        return
    say(f"{containers.RELEASES} releases of containers, three ways ...")
    console.print(containers_table(containers.run()))


def _checks() -> None:
    say("ci, beside the same tools run bare ...")
    figures = checks.run()
    console.print(checks_table(figures))
    say(f"looked again, nothing changed: {', '.join(figures.again.looked) or 'none'}")
    say(f"looked again, one unit test added: {', '.join(figures.changed.looked) or 'none'}")


def _reports() -> None:
    say("report over a long journal ...")
    console.print(reports_table(reports.run()))


def _scans() -> None:
    say("security scans ...")
    console.print(scans_table(scans.run()))


def _pairs() -> None:
    say(f"{pairs.SAME} comparisons of a version with itself, {pairs.PLANTED} with a slower one, of either kind ...")
    figures = pairs.run(tell=say)
    table = Table(title="Speed in pairs", title_justify="left")
    for heading in ("", "slower", "within", "inconclusive"):
        table.add_column(heading, justify="right" if heading else "left")
    for what in pairs.PLANTS:
        for planted, name in ((False, "itself, others at random"), (True, "half as slow again, quiet")):
            counts = figures.counts(what, planted)
            table.add_row(f"{what}: {name}", *(str(counts[one]) for one in ("slower", "within", "inconclusive")))
    console.print(table)


def _judge() -> None:
    say(f"{judge.RELEASES:,} good releases a row, and {judge.BAD_RELEASES:,} bad ones, simulated ...")
    stopped, seen = judge.run(tell=say)
    title = (
        f"Good versions stopped within {judge.BAKE_LOOKS / judge.LOOKS_A_SECOND:g} s by chance, limit {judge.LIMIT:.0%}"
    )
    table = Table(title=title, title_justify="left")
    for heading in ("errors", *(f"{rate} requests/s" for rate in judge.RATES)):
        table.add_column(heading, justify="right")
    for bursts in (False, True):
        for share in judge.BASES:
            row = [one.stopped for one in stopped if (one.share, one.bursts) == (share, bursts)]
            name = f"{share:.1%}{', in bursts' if bursts else ''}"
            table.add_row(
                name, *(f"{share_stopped:.2%}" for share_stopped in row), end_section=share == judge.BASES[-1]
            )
    console.print(table)
    table = Table(title="Bad versions, until they are seen (means)", title_justify="left")
    for heading in ("", "requests/s", "requests", "x the least for any test", "seconds", "never seen"):
        table.add_column(heading, justify="right" if heading else "left")
    for one in seen:
        figures = (f"{one.requests:.0f}", f"{one.requests / one.bound:.2f}", f"{one.looks / judge.LOOKS_A_SECOND:.1f}")
        table.add_row(one.what, str(one.rate), *figures, str(one.missed))
    console.print(table)


def _switches() -> None:
    say("switches under load ...")
    console.print(switches_table(switches.run()))


def _releases() -> None:
    say(f"release and rollback, {releases.TIMES} times ...")
    console.print(releases_table(releases.run()))


PARTS = {
    "reports": _reports,
    "checks": _checks,
    "scans": _scans,
    "switches": _switches,
    "releases": _releases,
    "containers": _containers,
    "alerts": _alerts,
    "pairs": _pairs,
    "judge": _judge,
}


def main(wanted: Sequence[str]) -> int:
    """Run the wanted parts, all by default, and print their rows; 1 when one could not run. Figures never fail it."""
    if unknown := sorted(set(wanted) - set(PARTS)):
        fail(f"no part {unknown[0]}, expected any of: {', '.join(PARTS)}")
        return 2
    began = time.monotonic()
    say(
        f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )
    try:
        for name in wanted or PARTS:
            PARTS[name]()
    except SlipwayError as error:
        fail(f"{type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        fail("interrupted; everything that was started is stopped")
        return 130
    say(f"done after {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
