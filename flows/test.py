"""Run the app's test suites, all or one, without building anything."""

import os
from typing import Literal

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from gates.check import judge_checks
from gates.verdict import Action
from host.errors import ConfigError, SlipwayError
from settings.pipeline import Pipeline, Suite, read_pipeline
from tasks.artifacts import cell, show
from tasks.checks.cores import with_wait_noted
from tasks.checks.coverage import run_coverage
from tasks.checks.coverage_page import coverage_page
from tasks.checks.past_runs import past_coverage, past_tests
from tasks.checks.suites import run_suite
from tasks.checks.suites_page import suites_page
from tasks.source.app_locks import AppLocks
from tasks.source.dependencies import build_sources, make_environment
from tasks.source.folders import check_folders
from tasks.source.git import fetch_source
from tasks.source.locked_environments import check_locks
from tasks.source.workspace import Looked, Workspace, working_directory
from tasks.states import Completed, Failed, cause

Choice = Literal["all", "unit", "integration", "e2e", "performance", "regression"]


def _run_name() -> str:
    return f"test-{runtime.flow_run.parameters.get('suite') or 'all'}"


@flow(
    name="test",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=os.cpu_count() or 2),  # type: ignore[arg-type]
)
def test(suite: Choice = "all", commit: str | None = None) -> State[str]:
    """Run suites on a commit, side by side, then those that must be alone, then judge what they cover together.

    Coverage is judged when all are run. Nothing is signed or remembered: evidence comes from `ci`.

    Args:
        suite: Which one, or all that config/pipeline.toml names.
        commit: A branch, tag or commit; without it the newest of the configured branch.
    """
    with working_directory() as root:
        try:
            pipeline = read_pipeline()
            chosen = {name: one for name, one in pipeline.suites.items() if suite in ("all", name)}
            if not chosen:
                raise ConfigError(f"config/pipeline.toml: suites: there is no suite {suite}")
            source = fetch_source(pipeline.app, commit, root)
            tree = source.lay_out(root / "locks", os.geteuid())
            locks = AppLocks.of(pipeline, tree)
            check_locks(locks, only=("ci",))
            build_sources(locks, source.scope, only=("ci",))
            ci, python = pipeline.locks.ci, pipeline.app.python
            environment = make_environment(locks.file(ci), python, source.scope, locks.wheels(ci))
            database = pipeline.run.database
            workspace = Workspace(root, source, environment, shares=pipeline.app.shares, database=database)
            check_folders(source, pipeline)
            found = _run(pipeline, chosen, workspace)
            page = f"# {cell(source.version)}: {', '.join(chosen)}\n\n{suites_page(found)}\n"
            if suite == "all" and pipeline.coverage:
                data = {name: one.files["coverage"] for name, one in found.items() if "coverage" in one.files}
                found["coverage"] = run_coverage(pipeline, workspace, data)
                page += f"\n{coverage_page(found['coverage'], past_coverage(pipeline.app))}\n"
        except SlipwayError as error:
            return Failed(message=cause(error))
    verdict = judge_checks(list(found), [one.check for one in found.values()])
    show("suites", page, f"{source.version}: {verdict.action}")
    if verdict.action is not Action.PROMOTE:
        return Failed(message=verdict.reason[:1000])
    return Completed(message=verdict.reason)


def _run(pipeline: Pipeline, chosen: dict[str, Suite], workspace: Workspace) -> dict[str, Looked]:
    """Run suites as many at a time as there are cores; those that must be alone one by one at the end."""
    before = past_tests(pipeline.app)

    def start(name: str) -> PrefectFuture[Looked]:
        ready = pipeline.preparation(name)
        return run_suite.submit(name, chosen[name], workspace, pipeline.coverage, before.get(name), ready)

    together = {name: start(name) for name, one in chosen.items() if not one.alone}
    found = {name: future.result() for name, future in together.items()}
    found |= {name: start(name).result() for name, one in chosen.items() if one.alone}
    return {name: with_wait_noted(found[name]) for name in chosen}
