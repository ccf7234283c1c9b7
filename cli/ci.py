"""`slipway ci`: the whole pipeline on a working tree, uncommitted changes included."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.screen import console, escape, fail, say
from evidence.check_report import Report, read_report
from gates.baseline import known_of, marks
from gates.checks.summary import summary_rows, tracked_in_a_line
from gates.folded import fold
from gates.scans.security import headline_of
from gates.scans.security_score import SCORE
from host.errors import ConfigError
from host.home import Home
from tasks.checks.unchanged import Seen, held, hold, see

SHOWN = 20  # of each check


def ci(
    app: Annotated[
        Path | None, typer.Argument(help="a git working tree; without it the configured app's branch")
    ] = None,
    commit: Annotated[str | None, typer.Option(help="a branch, tag or commit of the configured app instead")] = None,
    refresh: Annotated[bool, typer.Option(help="run every check again; reuse no result")] = False,
    fail_fast: Annotated[bool, typer.Option(help="end at the first check that does not pass")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="show the run's whole log here")] = False,
) -> None:
    """Run every check of config/pipeline.toml here and now, and print the summary. Exits 1 when a gate fails.

    A working tree is checked as it is, uncommitted and new files included. Nothing of it is signed. Nothing changed
    since it was found good today: that report is shown again, without a run.
    """
    if app and commit:
        raise ConfigError("name a working tree or a commit, not both")
    home = Home.find()
    seen = see(home, app) if app else None
    if seen and not refresh and (found := held(home, seen, datetime.now(UTC))):
        _print_held(*found)
        return
    _run(home, app, commit, refresh, fail_fast, verbose, seen)


def _print_held(report: Report, since: datetime) -> None:
    print_report(report)
    say(f"{report.version}: {report.reason}")
    say(f"nothing changed since {since:%H:%M} UTC, when run {report.run} found this; --refresh looks again")


def _run(
    home: Home, app: Path | None, commit: str | None, refresh: bool, fail_fast: bool, verbose: bool, seen: Seen | None
) -> None:
    from cli.local import control_plane, run_locally  # not before it is known that a run is needed: it takes long

    with control_plane(home) as control:
        if not verbose:
            _show_progress()
        state = run_locally(
            _flow,
            quiet=not verbose,
            commit=commit,
            refresh=refresh,
            fail_fast=fail_fast,
            working_tree=str(app.resolve()) if app else None,
        )
        run = str(state.state_details.flow_run_id)
        report = read_report(home, run)
        if report:
            print_report(report)
            if seen:
                hold(home, seen, report, datetime.now(UTC))
        say(f"{state.name}: {state.message or ''}")
        say(f"the run's page: {control.url}/runs/flow-run/{run} (while the server is up: make up)")
    if not state.is_completed():
        fail("not good: the reasons are above")
        raise typer.Exit(1)


def print_report(report: Report) -> None:
    """Print every gate with its value, limit, margin and reason, then notes and scores."""
    table = Table("gate", "outcome", "value", "limit", "margin", "reason")
    for row in summary_rows([check for check in report.checks if check.name != SCORE]):
        colour = "green" if row.good and row.outcome == "passed" else "yellow" if row.good else "red"
        words = (row.gate, row.value, row.limit, row.margin, row.reason)
        gate, value, limit, margin, reason = (escape(word) for word in words)
        table.add_row(gate, f"[{colour}]{row.outcome}[/{colour}]", value, limit, margin, reason)
    console.print(table)
    for check in report.checks:
        known = marks(check.known)
        folded = fold(check.findings, lambda one: known_of(one, known))  # pylint: disable=cell-var-from-loop
        for one in folded[:SHOWN]:
            held = known_of(one.first, known)
            say(
                f"  {check.name}: {one.first.severity}: {headline_of(one)}: {one.message}"
                + (f" ({held})" if held else "")
            )
        if more := sum(one.count for one in folded[SHOWN:]):
            say(f"  {check.name}: and {more} more findings, on the run's page")
        for note in check.notes:
            say(f"  {check.name}: {note}")
    if tracked := tracked_in_a_line(report.checks):
        say(f"  {tracked}")
    for name, score in report.scores.items():
        say(f"  score {name}: {'no data' if score is None else f'{score:.1f} of 100'}")


def _flow() -> object:
    # Importing Prefect takes a second, and reads its settings then.
    from flows.ci import ci as flow

    return flow


def _show_progress() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("    %(message)s"))
    log = logging.getLogger("slipway.progress")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
