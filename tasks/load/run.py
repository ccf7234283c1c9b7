"""The load test: the app from the checked commit, locust against it, and what both used meanwhile.

It runs alone: beside other checks it would measure them. App and locustfile are the app's code and run in a sandbox
each; what they use is measured from outside, what requests took by our own recorder inside locust. Then the version
that is live and the commit are asked in turn, to tell whether it got slower (tasks/load/pairs.py).
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import time

import psutil

from evidence.bundle import Run
from evidence.history import Record
from gates.check import Check, Outcome, no_verdict
from gates.checks.histograms import Estimate, increase, quantile
from gates.checks.load_pairs import Versus
from gates.checks.performance import NAME, judge_load, look_again
from gates.databases.address import Family
from host.app_metrics import read_histogram
from host.errors import SlipwayError, ToolError
from host.ports import LOCAL, free_port
from settings.pipeline import Performance
from tasks.checks.base_version import NoBase
from tasks.checks.cores import on_a_core
from tasks.load.contention import Contention, await_quiet
from tasks.load.figures import Measured, as_json, figures, limits_of, notes_on, read_trends, trend_of
from tasks.load.page import draw_load, load_page
from tasks.load.pairs import OldVersion, compare_with_base
from tasks.load.processes import Sampler
from tasks.load.programs import AppEnded, LoadTest, prepared
from tasks.load.records import read_requests
from tasks.retries import once
from tasks.source.background import Background
from tasks.source.databases import database_process
from tasks.source.dependencies import own_tools
from tasks.source.workspace import Looked, Workspace


@once("performance")
def run_load(
    performance: Performance,
    workspace: Workspace,
    run: Run,
    find_base: Callable[[], OldVersion | NoBase],
    earlier: Sequence[Record],
) -> Looked:
    """Run the load test and return its check, with files "page" (Markdown), "plot" (PNG), "trend" (JSON, what to
    remember of a good run) and, unless the comparison with the base is inconclusive, "comparison" (JSON, its pairs).
    `earlier` are the last good runs on main, newest first: for the picture.

    It takes all cores of the host. What keeps it from looking (no health, no locustfile, a damaged record) is
    `no verdict`.

    Not repeated: figures of two tries do not compare, and what keeps it from looking is `no verdict`.
    """
    look_at_it = partial(_look, performance, workspace, run, find_base, earlier)
    return on_a_core("load test", workspace, look_at_it, alone=True)


def _look(
    performance: Performance,
    workspace: Workspace,
    run: Run,
    find_base: Callable[[], OldVersion | NoBase],
    earlier: Sequence[Record],
) -> Looked:
    started = time()
    try:
        test, measured = look(performance, workspace, run)
        versus = compare_with_base(performance, workspace, run, find_base, measured.typical_s)
        looked = conclude(test, measured, versus, earlier)
    except AppEnded as error:
        looked = Looked(Check(name=NAME, outcome=Outcome.FAILED, reason=str(error), tool="locust"))
    except SlipwayError as error:
        looked = Looked(no_verdict(NAME, str(error)))
    return Looked(looked.check.model_copy(update={"seconds": round(time() - started, 2)}), looked.files)


def look(performance: Performance, workspace: Workspace, run: Run) -> tuple[LoadTest, Measured]:
    """Measure the commit by itself. Once more when others disturbed it, and when they leave off in time."""
    test, measured = _measured(performance, workspace, run)
    if not look_again(figures(measured, performance), limits_of(performance)):
        return test, measured
    if not await_quiet(performance.compare_seconds, workspace.cancelled):
        return test, measured
    return _measured(performance, replace(workspace, root=workspace.root / f"{NAME}-again"), run)


def _measured(performance: Performance, workspace: Workspace, run: Run) -> tuple[LoadTest, Measured]:
    with prepared(performance, workspace, run) as test:
        return test, measure(test)


def measure(test: LoadTest) -> Measured:
    """Run app and locust and return what was measured; leaves no process behind.

    Raises AppEnded when the app ended under the load, ToolError and HealthError when nothing could be measured.
    """
    loading, tools, load_before = test.loading(), own_tools("load"), os.getloadavg()[0]
    port = free_port()
    base_url = f"http://{LOCAL}:{port}"
    with test.app(port, loading.timeout_s) as app, test.entrance(port) as through:
        test.await_healthy(app, base_url, through)
        before = _histogram(test, base_url, through)
        began = time()
        with test.locust(tools, base_url, loading) as load:
            sampler = Sampler(app, load, _database(test))
            first = last = _moment(app, sampler)
            with sampler.sampling():
                while test.follow(app, load):
                    last = _moment(app, sampler)
            test.check_locust(load.future.result())
        after = _histogram(test, base_url, through)
    asked = test.performance
    lasts_s, window = (loading.seconds, loading.longest_s), (began - 1, time() + 1)
    recorded = read_requests(test.records, asked.users, asked.spawn_rate, lasts_s, window)
    query_p95, reason = _query_p95(asked.query_metric, before, after)
    waited = first.until(last, os.cpu_count() or 1)
    return Measured(recorded, sampler.samples, load_before, query_p95, reason, waited=waited)


def _moment(app: Background, sampler: Sampler) -> Contention:
    seen = sampler.samples[-1] if sampler.samples else sampler.sample()
    ours_s = seen.app_cpu_s + seen.load_cpu_s + seen.database_cpu_s
    return Contention.now([process.pid for process in app.tree()], ours_s)


def conclude(test: LoadTest, measured: Measured, versus: Versus, records: Sequence[Record]) -> Looked:
    """Judge what was measured, and draw it."""
    limits, earlier = limits_of(test.performance), read_trends(records)
    now = trend_of(measured, test.performance, test.locustfile)
    seen = figures(measured, test.performance)
    seen = replace(
        seen, first_failure=test.masked(seen.first_failure), first_user_error=test.masked(seen.first_user_error)
    )
    check = judge_load(seen, limits, versus)
    check = check.model_copy(update={"notes": (*check.notes, *notes_on(measured, test.performance))})
    root = test.workspace.root
    files = {"plot": root / f"{NAME}.png", "page": root / f"{NAME}.md"}
    files["plot"].write_bytes(draw_load(measured, test.performance, earlier))
    files["page"].write_text(load_page(check, measured, versus, files["plot"].read_bytes()), encoding="utf-8")
    if now is not None:
        files["trend"] = root / f"{NAME}-trend.json"
        files["trend"].write_text(as_json(now), encoding="utf-8")
    if versus.decided:
        files["comparison"] = root / f"{NAME}-comparison.json"
        files["comparison"].write_text(versus.model_dump_json(), encoding="utf-8")
    return Looked(check, files)


@dataclass(frozen=True)
class Reading:
    """What a histogram had counted, or why it could not be read."""

    buckets: Mapping[float, float]
    trouble: str = ""


def _histogram(test: LoadTest, base_url: str, through: Path | None) -> Reading:
    name = test.performance.query_metric
    if not name:
        return Reading({})
    try:
        return Reading(read_histogram(base_url, test.performance.metrics_path, name, through, test.run.rules.headers))
    except ToolError as error:
        return Reading({}, str(error))


def _query_p95(name: str, before: Reading, after: Reading) -> tuple[Estimate | None, str]:
    if not name:
        return None, ""
    if trouble := before.trouble or after.trouble:
        return None, trouble
    if not after.buckets:
        return None, f"the app's metrics have no histogram {name}"
    grown = increase(before.buckets, after.buckets)
    if grown is None:
        return None, f"{name} went back or changed during the test: it is not one process's"
    estimate = quantile(grown, 0.95)
    return estimate, "" if estimate else f"{name} counted no query during the test"


def _database(test: LoadTest) -> psutil.Process | None:
    # of a MariaDB, which is the test's own, nobody knows the process
    ours = test.performance.database and test.workspace.database.family is Family.POSTGRESQL
    pid = database_process() if ours else None
    return psutil.Process(pid) if pid else None
