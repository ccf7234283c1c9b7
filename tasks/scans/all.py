"""All security scans of one commit, side by side, and what they come to together."""

from collections.abc import Sequence
from datetime import datetime

from prefect.logging import get_run_logger

from control.signing_keys import signing_keys
from evidence.first_sightings import KIND, first_sightings, note_sightings
from evidence.history import Record
from evidence.signing import Keys
from evidence.statements import Scanned
from evidence.store import Store
from gates.check import Check, no_verdict
from gates.checks.summary import in_a_line, saw_in_a_line
from gates.scans.security import Context, covered, judge_scan, waivable
from gates.scans.security_score import score_check, security_score
from gates.scans.waivers import judge_waivers
from host.home import Home
from settings.approvers import read_approvers
from settings.baseline import read_baseline
from settings.waivers import prove_waivers, read_waivers
from tasks.checks.cores import on_a_core
from tasks.checks.run_jobs import progress
from tasks.retries import once, repeatable
from tasks.scans import Scan, Subject, all_scans
from tasks.source.workspace import Looked


@once("scan", "{scan.name}")
def run_scan(scan: Scan, subject: Subject) -> Looked:
    """Run one scan. Whatever goes wrong in it is no verdict, with the reason.

    Not repeated: a scan gathers what kept its parts from looking, so it never fails.
    """
    log, name = get_run_logger(), scan.name
    try:
        looked = on_a_core(f"scan {name}", subject.workspace, lambda: Looked(scan.run(subject)))
    except Exception as error:  # pylint: disable=broad-except
        # A scan reads what others wrote: what its parser did not foresee must neither pass nor hide the other scans.
        log.exception("%s: could not look", name)
        return Looked(no_verdict(name, f"{type(error).__name__}: {error}"[:500]))
    check = looked.check
    if check.name != name:
        return Looked(no_verdict(name, f"the scan answered for {check.name!r}"))
    log.info("%s (%s)", saw_in_a_line(check), check.examined)
    return looked


def judge(subject: Subject, run: str, checks: Sequence[Check], now: datetime, looked: datetime) -> Scanned:
    """Judge what the scans saw by this checkout's rules: waivers, baseline, accepted un-run, age. Changes nothing.

    What is new on the commit's branch is first seen `now`. `looked` is when the oldest of the results was found out.
    Times are aware. Raises ConfigError if a file is wrong.
    """
    pipeline, source = subject.pipeline, subject.workspace.source
    home = Home.find()
    rules = {scan.name: scan.rule for scan in all_scans().values()}
    first_seen = first_sightings(
        Store(home.store), Keys(home.keys), pipeline.app.name, source.branch, pipeline.app.branch, checks, now
    )
    approvers = read_approvers()
    written = read_waivers()
    waivers = judge_waivers(
        written.waivers,
        written.malformed,
        prove_waivers(written.waivers, approvers),
        [approver.name for approver in approvers],
        waivable(checks, rules, written.waivers),
        now,
    )
    waived = covered(checks, waivers)
    refused = {waiver.name: waiver.why for waiver in waivers.refused}
    accepted = pipeline.scans.accepted
    context = Context(waived, refused, accepted, first_seen, now, read_baseline(approvers))
    judged = [judge_scan(check, rules[check.name], context) for check in checks]
    for check in judged:
        progress.info("%s", in_a_line(check))
    score = security_score(list(rules), judged, waived)
    return Scanned(
        commit=source.commit,
        version=source.version,
        branch=source.branch,
        pipeline=pipeline.digest,
        at=looked,
        run=run,
        checks=(*judged, score_check(score)),
        first_seen=first_seen,
        waived={fingerprint: waiver for fingerprint, waiver in waived.items() if fingerprint in first_seen},
        refused=waivers.refused,
        unneeded=tuple(waiver.fingerprint for waiver in waivers.unneeded),
        accepted=dict(accepted),
    )


@repeatable("remember findings")
def remember_findings(app: str, main: str, scanned: Scanned) -> None:
    """Note since when each finding is known on the commit's branch. Safe to repeat."""
    home = Home.find()
    record = Record(KIND, scanned.branch or main, scanned.commit, scanned.run, scanned.at, {})
    note_sightings(Store(home.store), signing_keys(home), app, record, scanned.checks, main)
