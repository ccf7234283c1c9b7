"""Which checks a commit gets, and what each depends on: while none of that changes, its earlier pass holds."""

from collections.abc import Callable, Mapping
from functools import partial

from prefect.futures import PrefectFuture

from gates.migrations.steps import Step
from gates.release.compatibility import NAME
from host.errors import SlipwayError
from settings.pipeline import Pipeline
from tasks.checks.base_version import LiveVersion, find_base, live_version
from tasks.checks.benchmarks import DECIDED, benchmarks_key, run_benchmarks
from tasks.checks.compatibility import compatibility_key, run_compatibility
from tasks.checks.coverage import run_coverage
from tasks.checks.coverage_config import measured
from tasks.checks.import_closure import suite_digest
from tasks.checks.memory import form_key, key_of, matching, result_key
from tasks.checks.past_runs import Past
from tasks.checks.quality import UNKNOWN, Known, run_quality
from tasks.checks.run_jobs import Job, Later
from tasks.checks.suites import run_suite
from tasks.checks.syntax import code_digest
from tasks.load.pairs import base_for_load
from tasks.load.run import run_load
from tasks.source.workspace import Looked, Workspace

Judged = PrefectFuture[tuple[Step, ...] | None]


def quality_jobs(pipeline: Pipeline, workspace: Workspace, known: Known = UNKNOWN) -> list[Job]:
    """Return a job for each code-quality tool. `known` are the findings that were there at adoption."""
    environment = workspace.environment.name
    return [
        Job(
            name,
            partial(run_quality.submit, name, tool, workspace, known),
            result_key(name, workspace.source, tool.inputs, tool.model_dump(), environment, *known.part(name)),
        )
        for name, tool in pipeline.quality.items()
    ]


def suite_jobs(pipeline: Pipeline, workspace: Workspace, past: Past) -> list[Job]:
    """Return a job for each test suite."""
    environment, coverage = workspace.environment.name, pipeline.coverage
    ready = {name: pipeline.preparation(name) for name in pipeline.suites}
    return [
        Job(
            name,
            partial(run_suite.submit, name, suite, workspace, coverage, past.tests.get(name), ready[name]),
            key_of(
                name,
                suite_digest(workspace.source, suite, measured(suite, coverage), ready[name]),
                suite.model_dump(),
                coverage and coverage.covers,
                environment,
                ready[name],
                *form_key(suite.database, workspace.database),
            ),
            alone=suite.alone,
            must_leave=("coverage", "lines") if measured(suite, coverage) else (),
        )
        for name, suite in pipeline.suites.items()
    ]


def load_jobs(pipeline: Pipeline, workspace: Workspace, past: Past) -> list[Job]:
    """Return the job of the load test, alone on the machine; none when the pipeline has no load test."""
    wanted = pipeline.performance
    if wanted is None:
        return []
    parts = (wanted.model_dump(), pipeline.run.model_dump(), workspace.environment.name)
    source = workspace.source
    key = key_of("load", code_digest(source, matching(source, wanted.inputs), measured=False), *parts)
    find = partial(base_for_load, pipeline, workspace)
    submit = partial(run_load.submit, wanted, workspace, pipeline.run, find, past.load)
    return [Job("load", submit, key, alone=True, must_leave=("comparison",))]


def compatibility_jobs(pipeline: Pipeline, workspace: Workspace, migrations: Judged) -> list[Job]:
    """Return the job that tries the version that is live now on the commit's schema."""
    find: Callable[[], LiveVersion | None] = partial(live_version, pipeline.app.name)
    key = ""
    try:
        live = find()
        find, key = partial(_same, live), compatibility_key(pipeline, workspace, live)
    except SlipwayError:
        pass  # the check looks itself, and has no verdict when it cannot
    return [Job(NAME, partial(run_compatibility.submit, pipeline, workspace, find, migrations), key)]


def _same(live: LiveVersion | None) -> LiveVersion | None:
    return live


def coverage_jobs(
    pipeline: Pipeline, workspace: Workspace, suites: list[Job], found: Mapping[str, Looked]
) -> list[Job]:
    """Return the job that judges coverage, from what the suites left; none when the pipeline asks for no coverage."""
    if pipeline.coverage is None:
        return []
    files = {job.name: found[job.name].files for job in suites if job.name in found}
    data = {name: left["coverage"] for name, left in files.items() if "coverage" in left}
    lines = {name: left["lines"] for name, left in files.items() if "lines" in left}
    limits = {name: (suite.covers, suite.min_coverage) for name, suite in pipeline.suites.items()}
    keys = sorted(job.key for job in suites)
    parts = (pipeline.coverage.model_dump(), limits, keys, sorted(data), workspace.source.parent)
    covers = [*pipeline.coverage.covers, *(glob for suite in pipeline.suites.values() for glob in suite.covers)]
    key = result_key("coverage", workspace.source, covers, *parts)
    return [Job("coverage", partial(run_coverage.submit, pipeline, workspace, data, lines), key)]


def benchmark_jobs(pipeline: Pipeline, workspace: Workspace, found: Mapping[str, Looked]) -> list[Job]:
    """Return the job that compares the micro-benchmarks with the base version's, alone on the machine; none when no
    suite has any. What was inconclusive is not remembered.
    """
    suites = [name for name, suite in pipeline.suites.items() if suite.benchmarks]
    if not suites or pipeline.performance is None:
        return []
    base = find_base(pipeline, workspace.source)
    submit = partial(run_benchmarks.submit, pipeline, suites[0], found[suites[0]], workspace, base)
    key = benchmarks_key(pipeline, suites[0], workspace, base)
    return [Job("benchmarks", submit, key, alone=True, must_leave=(DECIDED,))]


def adding_up(pipeline: Pipeline, workspace: Workspace, suites: list[Job]) -> list[Later]:
    """Return what is judged as soon as what it judges is there: coverage, and the micro-benchmarks."""
    together = tuple(name for name, suite in pipeline.suites.items() if not suite.alone)
    benchmarks = tuple(name for name, suite in pipeline.suites.items() if suite.benchmarks)
    return [
        Later(together, partial(coverage_jobs, pipeline, workspace, suites)),
        Later(benchmarks, partial(benchmark_jobs, pipeline, workspace)),
    ]
