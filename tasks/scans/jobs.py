"""The security scans of one commit as jobs, for `security` and for `ci`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from gates.checks.summary import saw_in_a_line
from tasks.checks.memory import Memory
from tasks.checks.run_jobs import Job
from tasks.scans import Subject, all_scans
from tasks.scans.all import run_scan
from tasks.scans.keys import scan_key
from tasks.source.workspace import Looked


def scan_jobs(subject: Subject, now: datetime) -> list[Job]:
    """Return a job for each scan. Unchanged inputs on the same day (UTC) are remembered; `now` is aware."""
    return [
        Job(scan.name, partial(run_scan.submit, scan, subject), scan_key(scan, subject, now.date()), told=saw_in_a_line)
        for scan in all_scans().values()
    ]


def oldest_look(jobs: Sequence[Job], looked: Mapping[str, Looked], memory: Memory, now: datetime) -> datetime:
    """Return when the oldest of the results was found out: `now`, or when an earlier run looked."""
    remembered = [job for job in jobs if looked[job.name].check.source_run]
    entries = [memory.results.recall(job.key) for job in remembered]
    return min([now, *(entry.at for entry in entries if entry)])
