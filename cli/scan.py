"""`slipway scan`: every security scan on a working tree or a commit, here and now."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.local import control_plane, run_locally
from cli.screen import console, escape, fail, say
from evidence.scan_report import ScanReport, read_scans_of
from gates.baseline import known_of, marks
from gates.check import Outcome
from gates.checks.summary import tracked_in_a_line
from gates.folded import fold
from gates.scans.merge import merge
from gates.scans.sarif import to_sarif
from gates.scans.security import headline_of
from host.errors import ConfigError
from host.files import write_atomically
from host.home import Home

SHOWN = 50
COLOURS = {Outcome.PASSED: "green", Outcome.ACCEPTED_UNRUN: "yellow", Outcome.NOT_APPLICABLE: "dim"}


def scan(
    app: Annotated[
        Path | None, typer.Argument(help="a git working tree; without it the configured app's branch")
    ] = None,
    commit: Annotated[str | None, typer.Option(help="a branch, tag or commit of the configured app instead")] = None,
    pipeline: Annotated[
        Path | None, typer.Option(help="description of the working tree, instead of config/pipeline.toml")
    ] = None,
    sarif: Annotated[Path | None, typer.Option(help="write all findings to this file, as SARIF 2.1.0")] = None,
    refresh: Annotated[bool, typer.Option(help="scan again; reuse no result of today")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="show the run's whole log here")] = False,
) -> None:
    """Run the security scans and print their findings. Exits 1 when a gate blocks or a scan could not look.

    A working tree is scanned as it is, with the history of its repository. Nothing of it is signed. When a folder below
    the top of a repository is named, that folder alone is the app.
    """
    if app and commit:
        raise ConfigError("name a working tree or a commit, not both")
    if pipeline and not app:
        raise ConfigError(f"--pipeline {pipeline} describes a working tree: name that too")
    home = Home.find()
    with control_plane(home):
        state = run_locally(
            _flow,
            quiet=not verbose,
            commit=commit or (None if app else _branch()),
            working_tree=str(app.resolve()) if app else None,
            refresh=refresh,
            pipeline=str(pipeline.resolve()) if pipeline else None,
        )
    reports = read_scans_of(home, str(state.state_details.flow_run_id))
    for report in reports:
        print_scans(report)
    if sarif:
        write_sarif(sarif, reports)
    if not state.is_completed():
        fail(state.message or state.name)
        raise typer.Exit(1)
    say(state.message or state.name)


def _branch() -> str:
    from settings.pipeline import read_pipeline

    return read_pipeline().app.branch


def _flow() -> object:
    # Importing Prefect takes a second, and reads its settings then.
    from flows.security import security

    return security


def print_scans(report: ScanReport) -> None:
    """Print the table of scans, then the findings, worst first, then in red the scans that did not look."""
    scanned = report.scanned
    table = Table("scan", "outcome", "looked at", "reason", "seconds", title=escape(report.title))
    for check in scanned.checks:
        colour = COLOURS.get(check.outcome, "red")
        known = " (remembered)" if check.source_run else ""
        words = (check.name, f"[{colour}]{check.outcome}[/{colour}]{known}", escape(check.examined))
        table.add_row(*words, escape(check.reason), f"{check.seconds:.1f}")
    console.print(table)
    found = merge([finding for check in scanned.checks for finding in check.findings])
    kept_back = marks(one for check in scanned.checks for one in check.known)
    held = {one.fingerprint: scanned.waived.get(one.fingerprint) or known_of(one, kept_back) for one in found}
    folded = fold(found, lambda one: (str(held[one.fingerprint]), one.fingerprint in report.new))
    for one in folded[:SHOWN]:
        mark = "new, " if one.first.fingerprint in report.new else ""
        said = f"{one.first.severity}: {headline_of(one)}: {one.message}"
        say(f"  {said} ({mark}{held[one.first.fingerprint] or one.fingerprints})")
    if more := sum(one.count for one in folded[SHOWN:]):
        say(f"  and {more} more, less severe; all of them: --sarif FILE")
    if tracked := tracked_in_a_line(scanned.checks):
        say(f"  {tracked}")
    for refused in scanned.refused:
        console.print(f"  [red]{escape(str(refused))}[/red]")
    for unneeded in scanned.unneeded:
        say(f"  waiver {unneeded} is not needed any more")
    for check in scanned.checks:
        if check.outcome is Outcome.ACCEPTED_UNRUN:
            console.print(f"  [bold yellow]NOBODY LOOKED: {escape(check.name)}: {escape(check.reason)}[/bold yellow]")


def write_sarif(file: Path, reports: tuple[ScanReport, ...]) -> None:
    """Write the findings as one SARIF log, one run for each commit."""
    logs = [
        to_sarif(
            [one for check in report.scanned.checks for one in check.findings],
            report.scanned.waived,
            report.scanned.commit,
            [
                f"{one.name}: {one.outcome}: {one.reason}"
                for one in report.scanned.checks
                if one.outcome is not Outcome.PASSED
            ],
            [one for check in report.scanned.checks for one in check.known],
        )
        for report in reports
    ]
    whole = to_sarif([])
    whole["runs"] = [run for log in logs for run in log["runs"]] or whole["runs"]
    try:
        write_atomically(file.absolute(), json.dumps(whole, indent=1).encode())
    except OSError as error:
        raise ConfigError(f"--sarif {file}: cannot be written: {error}") from error
    say(f"SARIF 2.1.0: {file}")
