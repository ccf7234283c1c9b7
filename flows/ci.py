"""From a commit to an artifact with signed evidence."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from deployments.pipeline import Pipeline, read_pipeline
from deployments.sandbox import available
from evidence.errors import SlipwayError
from evidence.statements import Checked
from gates.quality import no_verdict
from gates.requirements import Check, judge_checks
from gates.verdict import Action
from tasks.build import make_bundle, run_build_step
from tasks.dependencies import download_wheels, make_environment
from tasks.quality import run_quality
from tasks.reporting import checks_page, show
from tasks.source import Source, fetch_source
from tasks.statements import known_evidence, sign_checks
from tasks.suites import run_suite
from tasks.workspace import Workspace, working_directory


def _run_name() -> str:
    return f"ci-{runtime.flow_run.parameters.get('commit') or 'newest'}"


@flow(
    name="ci",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=(os.cpu_count() or 2) + 1),  # type: ignore[arg-type]
)
def ci(commit: str | None = None, refresh: bool = False) -> State[str]:
    """Check one commit and build its artifact.

    source -> (known already?) -> environment -> suites, quality and build side by side -> bundle -> signed evidence

    Args:
        commit: A branch, tag or commit of the app's repository; without it the newest of the configured branch.
        refresh: Check and build again even if this very commit passed everything before, by the same rules.
    """
    with working_directory() as root:
        try:
            pipeline = read_pipeline()
            source = fetch_source(pipeline.app, commit, root)
            known = None if refresh else known_evidence(source.commit, pipeline.digest, str(available()))
            if known:
                digest, checked = known
                return _conclude(source, digest, checked.checks, f" (checked before, in run {checked.run})")
            tree = source.lay_out(root / "locks", os.geteuid())
            wheels = [download_wheels.submit(tree / lock, pipeline.app.python) for lock in pipeline.locks.shipped]
            environment = make_environment(tree / pipeline.locks.ci, pipeline.app.python)
            workspace = Workspace(root, source, environment)
            steps = [run_build_step.submit(step, workspace) for step in pipeline.build]
            checks = _check(pipeline, workspace)
            for future in wheels:
                future.result()
            digest = make_bundle(pipeline, workspace, [step.result() for step in steps])
            sign_checks(digest, pipeline.app.name, _evidence(pipeline, source, checks))
        except SlipwayError as error:
            return Failed(message=f"{type(error).__name__}: {error}")
    return _conclude(source, digest, checks)


def _check(pipeline: Pipeline, workspace: Workspace) -> list[Check]:
    """Run all suites and tools side by side; each comes to a check, whatever happens to it."""
    suites = {name: run_suite.submit(name, suite, workspace) for name, suite in pipeline.suites.items()}
    tools = {name: run_quality.submit(name, tool, workspace) for name, tool in pipeline.quality.items()}
    return [_result(name, future) for name, future in {**tools, **suites}.items()]


def _result(name: str, future: PrefectFuture[Check]) -> Check:
    try:
        return future.result()
    except SlipwayError as error:
        return no_verdict(name, str(error))


def _evidence(pipeline: Pipeline, source: Source, checks: Sequence[Check]) -> Checked:
    return Checked(
        commit=source.commit,
        version=source.version,
        branch=source.branch,
        clean=True,
        isolation=str(available()),
        pipeline=pipeline.digest,
        at=datetime.now(UTC),
        run=str(runtime.flow_run.id),
        checks=tuple(checks),
        history=source.history,
    )


def _conclude(source: Source, digest: str, checks: Sequence[Check], note: str = "") -> State[str]:
    verdict = judge_checks([check.name for check in checks], checks)
    show("ci", checks_page(source, digest, checks, verdict), f"{source.version}: {verdict.action}{note}")
    if verdict.action is not Action.PROMOTE:
        return Failed(message=f"{source.version}: {verdict.reason}"[:1000])
    return Completed(message=f"{source.version} is built as {digest[:12]}: {verdict.reason}{note}", data=digest)
