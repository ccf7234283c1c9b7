"""The load test: the app from the checked commit, locust against it, and what both used meanwhile.

It runs alone: beside other checks it would measure them. App and locustfile are the app's code and run in a sandbox
each; what they use is measured from outside, what requests took by our own recorder inside locust.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import time

import psutil
from prefect import task
from prefect.cache_policies import NO_CACHE

from deployments import sandbox
from deployments.app_metrics import read_histogram
from deployments.masking import masked, secret_values
from deployments.pipeline import Performance, Suite
from deployments.ports import LOCAL, free_port
from deployments.probe import await_healthy
from deployments.sandbox import Completed, Sandbox
from evidence.bundle import Run
from evidence.errors import SlipwayError, ToolError
from evidence.history import Record
from gates.histograms import Estimate, increase, quantile
from gates.performance import NAME, compare_load, judge_load
from gates.quality import no_verdict
from gates.requirements import Check, Outcome
from tasks.cores import on_a_core
from tasks.databases import database_process
from tasks.dependencies import own_tools
from tasks.load_figures import Measured, as_json, baseline_of, figures, limits_of, notes_on, read_baselines, run_time_s
from tasks.load_page import draw_load, load_page
from tasks.load_process import Background, Sampler, running
from tasks.load_records import read_requests
from tasks.services import Services, suite_services
from tasks.workspace import Looked, Workspace, tool_path

RECORDER = Path(__file__).with_name("load_recorder.py")
MIGRATION_S = 300
# Locust's own start and end, apart from the test.
LOCUST_S = 60
LONGEST_WORD = 300
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class LoadTest:
    """One load test: what is run, where, and with which variables."""

    performance: Performance
    workspace: Workspace
    run: Run
    source: Path
    services: Services

    @property
    def locustfile(self) -> Path:
        """Return the locustfile. ToolError when the commit has none, or a link instead."""
        file = self.source / self.performance.locustfile
        if file.is_symlink() or not file.is_file() or not file.resolve().is_relative_to(self.source.resolve()):
            raise ToolError(f"the commit has no file {self.performance.locustfile}, which performance.locustfile names")
        return file

    @property
    def records(self) -> Path:
        return self.workspace.scratch(f"{NAME}-locust") / "requests.jsonl"

    @property
    def stop_s(self) -> int:
        """Return how long requests may still take when the time is over, in seconds: slow ones must be seen."""
        return max(5, int(2 * self.performance.max_api_p95_seconds))

    @property
    def locust_timeout_s(self) -> float:
        return run_time_s(self.performance) + self.stop_s + LOCUST_S

    def app_environment(self) -> dict[str, str]:
        return {**self.performance.environment, **self.services.environment, "PYTHONDONTWRITEBYTECODE": "1"}

    def migrate(self) -> None:
        """Bring the empty database to the commit's schema. ToolError when that fails."""
        if self.run.migrate is None:
            return
        argv = self.workspace.argv(self.run.migrate)
        done = self.workspace.run(NAME, argv, self.app_environment(), MIGRATION_S, read_only=self.services.read_only)
        if done.returncode or done.timed_out:
            raise ToolError(f"the migration {_how(done)}: {self.masked(done.output)}")

    @contextmanager
    def app(self, port: int) -> Iterator[Background]:
        """Run the app while the block runs."""
        words = tuple(word.replace("{port}", str(port)) for word in self.run.command)
        scratch = self.workspace.scratch(NAME)
        box = Sandbox(
            sandbox.available(),
            read_only=(self.workspace.environment, *self.services.read_only),
            writable=(self.source, scratch),
        )
        environment = {**_base(self.workspace.environment, scratch), **self.app_environment(), "PORT": str(port)}
        argv = self.workspace.argv(words)
        timeout_s = self.performance.startup_seconds + self.locust_timeout_s + LOCUST_S
        log = self.workspace.root / f"{NAME}-app.log"
        with running(argv, cwd=self.source, env=environment, box=box, timeout_s=timeout_s, log=log) as app:
            yield app

    @contextmanager
    def locust(self, tools: Path, base_url: str, locustfile: Path) -> Iterator[Background]:
        """Run locust while the block runs: in an environment of ours that holds nothing of the app."""
        recorder = self.workspace.root / f"{NAME}-recorder" / "slipway_recorder.py"
        recorder.parent.mkdir(exist_ok=True)
        shutil.copyfile(RECORDER, recorder)
        scratch = self.records.parent
        box = Sandbox(
            sandbox.available(),
            read_only=(tools, self.workspace.lend(recorder.parent), self.source),
            writable=(scratch,),
        )
        argv = locust_command(tools, recorder, locustfile, base_url, self.performance, self.stop_s)
        environment = {**_base(tools, scratch), **self.performance.environment, "SLIPWAY_REQUESTS": str(self.records)}
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
        log = self.workspace.root / f"{NAME}-locust.log"
        timeout_s = self.locust_timeout_s
        with running(argv, cwd=self.source, env=environment, box=box, timeout_s=timeout_s, log=log) as load:
            yield load

    def masked(self, output: str) -> str:
        """Return the last words of what was printed, without the secrets that the app was given."""
        words = " ".join(output.strip().splitlines()[-3:])
        return masked(words, secret_values(self.app_environment()))[-LONGEST_WORD:]


def locust_command(
    tools: Path, recorder: Path, locustfile: Path, base_url: str, performance: Performance, stop_s: int
) -> list[str]:
    """Return how locust is called. `-P`: what lies in the app's folder must not stand in for a module of locust's."""
    return [
        *(str(tools / "bin" / "python"), "-P", "-m", "locust", "--headless", "--only-summary", "--loglevel", "WARNING"),
        *("-f", f"{recorder},{locustfile}", "--host", base_url, "--exit-code-on-error", "0"),
        *("--users", str(performance.users), "--spawn-rate", str(performance.spawn_rate)),
        *("--run-time", f"{run_time_s(performance)}s", "--stop-timeout", str(stop_s)),
    ]


class AppEnded(SlipwayError):
    """The app ended while it was under load: that is found out, and bad."""


@task(name="performance", task_run_name="performance", cache_policy=NO_CACHE)
def run_load(performance: Performance, workspace: Workspace, run: Run, baseline: Sequence[Record]) -> Looked:
    """Run the load test and return its check, with files "page" (Markdown), "plot" (PNG) and "baseline" (JSON, what
    to remember of a good run). `baseline` are the last good runs on main, newest first. Safe to repeat.

    It takes all cores of the host. What keeps it from looking (no health, no locustfile, a damaged record) is
    `no verdict`.
    """
    return on_a_core("load test", workspace, partial(_look, performance, workspace, run, baseline), alone=True)


def _look(performance: Performance, workspace: Workspace, run: Run, baseline: Sequence[Record]) -> Looked:
    started = time()
    try:
        source = workspace.check_directory(NAME)
        with suite_services(NAME, _needs(performance, run), workspace) as services:
            test = LoadTest(performance, workspace, run, source, services)
            looked = conclude(test, measure(test), baseline)
    except AppEnded as error:
        looked = Looked(Check(name=NAME, outcome=Outcome.FAILED, reason=str(error), tool="locust"))
    except SlipwayError as error:
        looked = Looked(no_verdict(NAME, str(error)))
    return Looked(looked.check.model_copy(update={"seconds": round(time() - started, 2)}), looked.files)


def _needs(performance: Performance, run: Run) -> Suite:
    """Return the load test as a suite: it gets its services as suites do."""
    lifetime_s = MIGRATION_S + performance.startup_seconds + 2 * run_time_s(performance) + 2 * LOCUST_S
    return Suite(
        command=run.command, database=performance.database, redis=performance.redis, timeout_seconds=lifetime_s
    )


def measure(test: LoadTest) -> Measured:
    """Run app and locust and return what was measured; leaves no process behind.

    Raises AppEnded when the app ended under the load, ToolError and HealthError when nothing could be measured.
    """
    locustfile, tools, load_before = test.locustfile, own_tools("load"), os.getloadavg()[0]
    test.migrate()
    port = free_port()
    base_url = f"http://{LOCAL}:{port}"
    with test.app(port) as app:
        await_healthy(base_url, test.run.health, test.performance.startup_seconds, gone=lambda: _gone(test, app))
        before = _histogram(test, base_url)
        began = time()
        with test.locust(tools, base_url, locustfile) as load:
            sampler = Sampler(app, load, _database(test))
            with sampler.sampling():
                while not wait([load.future, app.future], LOOK_EVERY_S, FIRST_COMPLETED).done:
                    _refuse_cancelled(test)
                if reason := _gone(test, app):
                    raise AppEnded(f"the app ended under the load, {time() - began:.1f} s after it began: {reason}")
            _check_locust(test, load.future.result())
        after = _histogram(test, base_url)
    asked = test.performance
    recorded = read_requests(test.records, asked.users, asked.spawn_rate, run_time_s(asked), (began - 1, time() + 1))
    return Measured(recorded, sampler.samples, load_before, *_query_p95(asked.query_metric, before, after))


def conclude(test: LoadTest, measured: Measured, records: Sequence[Record]) -> Looked:
    """Judge what was measured, and draw it."""
    limits, earlier = limits_of(test.performance), read_baselines(records)
    now = baseline_of(measured, test.performance, test.locustfile)
    seen = figures(measured, test.performance)
    seen = replace(
        seen, first_failure=test.masked(seen.first_failure), first_user_error=test.masked(seen.first_user_error)
    )
    check = judge_load(seen, limits, compare_load(now, earlier, limits))
    check = check.model_copy(update={"notes": (*check.notes, *notes_on(measured, test.performance))})
    plot = test.workspace.root / f"{NAME}.png"
    plot.write_bytes(draw_load(measured, test.performance, earlier))
    page = test.workspace.root / f"{NAME}.md"
    page.write_text(load_page(check, measured, plot.read_bytes()), encoding="utf-8")
    files = {"page": page, "plot": plot}
    if now is not None:
        files["baseline"] = test.workspace.root / f"{NAME}-baseline.json"
        files["baseline"].write_text(as_json(now), encoding="utf-8")
    return Looked(check, files)


@dataclass(frozen=True)
class Reading:
    """What a histogram had counted, or why it could not be read."""

    buckets: Mapping[float, float]
    trouble: str = ""


def _histogram(test: LoadTest, base_url: str) -> Reading:
    name = test.performance.query_metric
    if not name:
        return Reading({})
    try:
        return Reading(read_histogram(base_url, test.performance.metrics_path, name))
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
    pid = database_process() if test.performance.database else None
    return psutil.Process(pid) if pid else None


def _refuse_cancelled(test: LoadTest) -> None:
    if test.workspace.cancelled.is_set():
        raise ToolError("cancelled")


def _gone(test: LoadTest, app: Background) -> str | None:
    _refuse_cancelled(test)
    ended = app.ended
    return f"it {_how(ended)}; it said: {test.masked(ended.output)}" if ended else None


def _check_locust(test: LoadTest, done: Completed) -> None:
    if done.returncode or done.timed_out or done.cancelled:
        raise ToolError(f"locust {_how(done)}: {test.masked(done.output)}")


def _how(done: Completed) -> str:
    return "did not end in time" if done.timed_out else f"ended with exit code {done.returncode}"


def _base(environment: Path, home: Path) -> dict[str, str]:
    return {"PATH": f"{environment / 'bin'}:{tool_path()}", "LANG": "C.UTF-8", "HOME": str(home)}
