"""Run the app's test suites, all or one, without building anything."""

import os
from typing import Literal

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from deployments.pipeline import read_pipeline
from evidence.errors import ConfigError, SlipwayError
from gates.requirements import judge_checks
from gates.verdict import Action
from tasks.dependencies import make_environment
from tasks.reporting import checks_table, show
from tasks.source import fetch_source
from tasks.suites import run_suite
from tasks.workspace import Workspace, working_directory

Choice = Literal["all", "unit", "integration", "e2e", "performance", "regression"]


def _run_name() -> str:
    return f"test-{runtime.flow_run.parameters.get('suite') or 'all'}"


@flow(
    name="test",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=os.cpu_count() or 2),  # type: ignore[arg-type]
)
def test(suite: Choice = "all", commit: str | None = None) -> State[str]:
    """Run suites on a commit. Nothing is signed: evidence comes from `ci`.

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
            environment = make_environment(tree / pipeline.locks.ci, pipeline.app.python)
            workspace = Workspace(root, source, environment)
            running = [run_suite.submit(name, one, workspace) for name, one in chosen.items()]
            checks = [future.result() for future in running]
        except SlipwayError as error:
            return Failed(message=f"{type(error).__name__}: {error}")
    verdict = judge_checks(list(chosen), checks)
    show("suites", checks_table(checks), f"{source.version}: {verdict.action}")
    if verdict.action is not Action.PROMOTE:
        return Failed(message=verdict.reason)
    return Completed(message=verdict.reason)
