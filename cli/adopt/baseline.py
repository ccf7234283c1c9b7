"""`slipway baseline`: the findings of the last `ci` as the state to start from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.table import Table

from cli.screen import console, escape, fail, say
from evidence.check_report import Report, newest_report
from evidence.first_sightings import sightings
from evidence.signing import Keys
from evidence.store import Store
from gates.adoption import Asked, Made, make_baseline
from gates.baseline import FILE, Baseline, DueDays
from gates.check import Outcome
from gates.findings import Finding, Severity
from gates.folded import fold
from gates.scans.security import headline_of
from gates.scans.security_score import SCORE
from host.errors import ConfigError
from host.files import write_atomically
from host.home import CHECKOUT, Home
from settings.approvers import read_approvers
from settings.baseline import SIGN, write_baseline, written_baseline
from settings.pipeline import read_pipeline

SHOWN = 20


def baseline(
    what: Annotated[
        str, typer.Argument(help="a commit (7+ characters) or the id of a run; without it the last ci")
    ] = "",
    approver: Annotated[str, typer.Option(help="who answers for it; without it the only approver with ssh_keys")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="take findings too that do not block: they do from their due date on")
    ] = False,
    new: Annotated[
        bool, typer.Option("--new", help="take findings too that came after the baseline that there is")
    ] = False,
    due: Annotated[
        list[str] | None, typer.Option(help="days of a severity, for a new baseline: --due critical=3")
    ] = None,
) -> None:
    """Write config/baseline.toml from the findings of a ci, and show what goes in. It counts when it is signed.

    A baseline that there is keeps its dates, and what is gone is taken out of it. Secrets never go in.
    """
    report = newest_report(Home.find(), what)
    if report is None:
        raise ConfigError(f"no run of ci{f' of {what}' if what else ''} is known here; run: make ci APP=PATH")
    before = _before(due or [])
    made = make_baseline(before, report.checks, _asked(report, _who(approver, before), everything, new))
    show(report, made)
    if not made.baseline.entries and before.made is None:
        say("nothing goes in, so no baseline is written")
        return
    write_atomically(CHECKOUT / FILE, write_baseline(made.baseline).encode())
    say(f"{FILE} is written. It counts once {made.baseline.approver} has signed it:")
    say(f"  git add {FILE}")
    say(f"  {SIGN}")


def _before(due: Sequence[str]) -> Baseline:
    before = written_baseline()
    if before.trouble:
        raise ConfigError(f"{FILE}: {before.trouble}; mend it or remove it")
    if not due:
        return before
    if before.made:
        raise ConfigError(f"--due: {FILE} is there, and no due date is moved; without it: remove the file")
    try:
        return replace(before, due_days=DueDays.model_validate(dict(one.split("=", 1) for one in due)))
    except ValueError as error:
        raise ConfigError(f"--due: got {' '.join(due)!r}, expected SEVERITY=DAYS, 1 to 365 days") from error


def _who(named: str, before: Baseline) -> str:
    people = [one.name for one in read_approvers() if one.ssh_keys]
    name = named or before.approver or (people[0] if len(people) == 1 else "")
    if name not in people:
        asked = (
            f"{name} has no ssh_keys in config/approvers.toml" if name else "say who answers for it: --approver NAME"
        )
        raise ConfigError(f"{asked}; with ssh_keys there: {', '.join(people) or 'nobody'}")
    return name


def _asked(report: Report, approver: str, everything: bool, new: bool) -> Asked:
    # Importing the scans imports Prefect, which takes a second.
    from tasks.scans import all_scans

    home, pipeline = Home.find(), read_pipeline()
    known = sightings(Store(home.store), Keys(home.keys), pipeline.app.name, report.branch or pipeline.app.branch)
    return Asked(
        approver=approver,
        commit=report.commit,
        today=_today(),
        tools=list(pipeline.quality),
        blocking={name: (*scan.rule.never, *scan.rule.waivable) for name, scan in all_scans().items()},
        first_seen={mark: one.first.astimezone(UTC).date() for mark, one in known.items()},
        everything=everything,
        added=new,
    )


def _today() -> date:
    return datetime.now(UTC).date()


def show(report: Report, made: Made) -> None:
    """Print what goes in, by check and severity; then what does not, and why."""
    held = made.baseline
    table = Table(
        "check", *(str(one) for one in Severity), "first due", title=escape(f"{report.version}: what goes in")
    )
    for name in dict.fromkeys(entry.check for entry in held.entries):
        entries = [entry for entry in held.entries if entry.check == name]
        counts = Counter[Severity]()
        for entry in entries:
            counts[entry.severity] += entry.count
        due = str(min(entry.due for entry in entries))
        table.add_row(escape(name), *(str(counts[one] or "") for one in Severity), due)
    console.print(table)
    for check in report.checks:
        if check.outcome is Outcome.NO_VERDICT and check.name != SCORE:
            fail(f"{check.name} could not look, so that nobody knows its findings: {check.reason[:200]}")
        for note in check.notes:
            if "are not listed" in note or "are kept" in note:
                fail(f"{check.name}: {note}: those beyond block")
    _tell("never goes in: a secret. Revoke it, then waive it (config/waivers.toml, revoked)", made.refused)
    _tell("is new since the baseline, so it blocks; to take it: --new", made.new)
    if made.gone:
        say(f"{made.gone} findings of the baseline are gone and taken out")


def _tell(why: str, findings: Sequence[Finding]) -> None:
    folded = fold(findings)
    for one in folded[:SHOWN]:
        say(f"  {one.first.severity}: {headline_of(one)}: {why}")
    if more := sum(one.count for one in folded[SHOWN:]):
        say(f"  and {more} more: {why}")
