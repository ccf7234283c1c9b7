"""Tell what the security scans found: new findings first, and what nobody looked at before them."""

from collections.abc import Sequence

from prefect import runtime

from evidence.scan_report import ScanReport
from gates.check import Outcome
from gates.notify.texts import ScanNews, scan_message
from tasks.notify.links import run_url
from tasks.notify.messages import say


def tell_scans(reports: Sequence[ScanReport]) -> None:
    """Tell each commit that a run of `security` scanned. Never fails or delays the run."""
    run = str(runtime.flow_run.id)
    for number, report in enumerate(reports):
        checks = report.scanned.checks
        found = {one.fingerprint: one for check in checks for one in check.findings}
        night = ScanNews(
            version=report.title,
            new=tuple(one for mark, one in found.items() if mark in report.new),
            known=tuple(one for mark, one in found.items() if mark not in report.new),
            unlooked=tuple(f"{one.name}: {one.reason}" for one in checks if one.outcome is Outcome.NO_VERDICT),
            url=run_url(run),
        )
        say(f"security:{run}:{number}", scan_message(night))
