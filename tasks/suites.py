"""The app's test suites: each on a fresh copy of the commit, with a fresh database, in a sandbox."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree.ElementTree import Element  # nosec B405  # only the type; parsing is defusedxml's

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, parse
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.control import suite_database
from deployments.pipeline import Suite
from deployments.postgres import Postgres
from gates.quality import SuiteRun, judge_suite
from gates.requirements import Check
from tasks.workspace import Workspace

LARGEST_REPORT_BYTES = 50_000_000


@task(name="suite", task_run_name="{name}", cache_policy=NO_CACHE)
def run_suite(name: str, suite: Suite, workspace: Workspace) -> Check:
    """Run one suite and return its check, read from its JUnit report. Safe to repeat."""
    workspace.check_directory(name)
    report = workspace.scratch(name) / "junit.xml"
    with _database(name, suite) as (url, sockets):
        done = workspace.run(
            name,
            [*workspace.argv(suite.command), f"--junitxml={report}"],
            {**suite.environment, **({"DATABASE_URL": url} if url else {}), "PYTHONDONTWRITEBYTECODE": "1"},
            suite.timeout_seconds,
            read_only=sockets,
        )
    last = (done.output.strip().splitlines() or [""])[-1][:200]
    run = read_report(SuiteRun(name, done.returncode, done.timed_out, round(done.seconds, 2), last_line=last), report)
    check = judge_suite(run)
    get_run_logger().info("%s: %s: %s", name, check.outcome, check.reason)
    return check


@contextmanager
def _database(name: str, suite: Suite) -> Iterator[tuple[str, tuple[Path, ...]]]:
    """Give the suite an empty PostgreSQL database of its own, dropped afterwards; nothing when it wants none."""
    if not suite.database:
        yield "", ()
        return
    server: Postgres = suite_database()
    database = f"suite_{name.replace('-', '_')}_{uuid.uuid4().hex[:12]}"
    server.create_database(database, database)
    try:
        yield server.url(database, database), (server.socket_directory,)
    finally:
        server.drop_database(database)


def read_report(run: SuiteRun, report: Path) -> SuiteRun:
    """Return the run with the counts of its JUnit report; unchanged when there is none, or it is not JUnit, or a
    trap.
    """
    try:
        if report.is_symlink() or not report.is_file() or report.stat().st_size > LARGEST_REPORT_BYTES:
            return run
        root: Element | None = parse(report).getroot()
        if root is None:
            return run
        suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
        totals = {
            key: sum(int(one.get(key, "0")) for one in suites) for key in ("tests", "failures", "errors", "skipped")
        }
    except (OSError, ParseError, DefusedXmlException, ValueError, LookupError):
        return run
    if min(totals.values()) < 0:
        return run
    return SuiteRun(
        run.name,
        run.returncode,
        run.timed_out,
        run.seconds,
        tests=totals["tests"],
        failed=totals["failures"] + totals["errors"],
        skipped=totals["skipped"],
        first_failure=_first_failure(root),
        last_line=run.last_line,
    )


def _first_failure(root: Element) -> str:
    for case in root.iter("testcase"):
        for kind in ("failure", "error"):
            found = case.find(kind)
            if found is not None:
                return f"{case.get('classname', '')}.{case.get('name', '')}: {found.get('message', '')}"[:300]
    return ""
