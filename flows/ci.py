"""From a commit to an artifact with signed evidence."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.task_runners import ThreadPoolTaskRunner

from evidence.check_report import Report, expected_seconds, keep_report
from evidence.statements import Scanned
from gates.check import Check, judge_checks
from gates.checks.scores import all_scores
from gates.scans.security_score import SCORE
from gates.verdict import Action
from host.errors import SlipwayError
from host.home import Home
from settings.approvers import read_approvers
from settings.baseline import read_baseline
from settings.pipeline import Pipeline, read_pipeline
from tasks.artifacts import show
from tasks.build.bundle import make_bundle, run_build_step
from tasks.build.image import build_image, image_wanted
from tasks.build.migrations import judge_migrations
from tasks.build.statements import checked, sign_checks, sign_origin, sign_scans
from tasks.checks.memory import Memory, open_memory
from tasks.checks.pages import show_details
from tasks.checks.past_runs import Past, recall_past, remember_run
from tasks.checks.plan import Judged, adding_up, compatibility_jobs, load_jobs, quality_jobs, suite_jobs
from tasks.checks.quality import Known
from tasks.checks.run_jobs import Job, run_jobs
from tasks.notify.ci_news import begin_ci, tell_broken, tell_ci
from tasks.notify.ci_page import summary_page
from tasks.scans import Subject
from tasks.scans.all import judge, remember_findings
from tasks.scans.jobs import oldest_look, scan_jobs
from tasks.source.app_locks import AppLocks
from tasks.source.dependencies import build_sources, download_wheels, make_environment
from tasks.source.folders import check_folders
from tasks.source.git import Source, fetch_source
from tasks.source.locked_environments import check_locks
from tasks.source.working_tree import read_working_tree
from tasks.source.workspace import Looked, Workspace, working_directory
from tasks.states import Completed, Failed, cause


def _run_name() -> str:
    parameters = runtime.flow_run.parameters
    return f"ci-{'working-tree' if parameters.get('working_tree') else parameters.get('commit') or 'newest'}"


@dataclass(frozen=True)
class Found:
    """What all checks of a run came to. `scanned` are the security scans, judged by this checkout's waivers;
    `remembered` the names of those that would be remembered now.
    """

    looked: dict[str, Looked]
    scanned: Scanned
    remembered: tuple[str, ...]

    @property
    def own(self) -> list[Check]:
        """Return the checks that are no scans."""
        scans = {check.name for check in self.scanned.checks}
        return [looked.check for name, looked in self.looked.items() if name not in scans]

    @property
    def checks(self) -> list[Check]:
        """Return every check, the scans as they were judged."""
        return [*self.own, *self.scanned.checks]


@flow(
    name="ci",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=(os.cpu_count() or 2) + 1),  # type: ignore[arg-type]
)
def ci(
    commit: str | None = None,
    refresh: bool = False,
    fail_fast: bool = False,
    fork: bool = False,
    working_tree: str | None = None,
) -> State[str]:
    """Check one commit and build its artifact.

    source -> environment -> tools, suites, coverage, scans and build side by side -> load test, alone -> bundle ->
    signed evidence. What depends on unchanged content is remembered from the run that looked.

    Args:
        commit: A branch, tag or commit of the app's repository; without it the newest of the configured branch.
        refresh: Look again, whatever earlier runs found out.
        fail_fast: End at the first check that does not pass, instead of showing all that is wrong.
        fork: The commit is a stranger's: check it, but make and sign nothing.
        working_tree: Check what lies in this folder instead, uncommitted changes included; makes and signs nothing.
    """
    began, clock = datetime.now(UTC), time.monotonic()
    source: Source | None = None
    with working_directory() as root:
        try:
            pipeline = read_pipeline()
            source = (
                read_working_tree(Path(working_tree), root)
                if working_tree
                else fetch_source(pipeline.app, commit, root, fork)
            )
            begin_ci(source, working_tree)
            check_folders(source, pipeline)
            memory = open_memory(pipeline, source, root / "remembered", refresh)
            tree = source.lay_out(root / "tree", os.geteuid())
            locks = AppLocks.of(pipeline, tree)
            check_locks(locks)
            build_sources(locks, source.scope)
            wheels = [
                download_wheels.submit(locks.file(lock), pipeline.app.python, source.scope, locks.wheels(lock))
                for lock in pipeline.locks.shipped
            ]
            ci, python = pipeline.locks.ci, pipeline.app.python
            environment = make_environment(locks.file(ci), python, source.scope, locks.wheels(ci))
            for future in wheels:  # before anything runs: without them nothing that follows can come to anything
                future.result()
            database = pipeline.run.database
            workspace = Workspace(root, source, environment, shares=pipeline.app.shares, database=database)
            steps = [run_build_step.submit(step, workspace) for step in pipeline.build]
            migrations = judge_migrations.submit(pipeline, workspace, refresh)
            past = recall_past(pipeline.app)
            built = None
            if source.signable and image_wanted(pipeline):  # before the scans: one of them looks at the image
                built = build_image(pipeline, workspace, [step.result() for step in steps])
            images = built.image.ids if built else {}
            image = images.pop("", None)
            subject = Subject(pipeline, workspace, workspace.lend(tree), source.repository, image, images)
            found = _look(pipeline, subject, memory, past, fail_fast, migrations)
            outputs = [step.result() for step in steps]
            digest = make_bundle(pipeline, workspace, outputs, built, migrations.result()) if source.signable else ""
            if source.signable:
                _sign(pipeline, source, digest, found, memory.run, began)
        except SlipwayError as error:
            tell_broken(source, error, working_tree)
            return Failed(message=cause(error))
        return _conclude(pipeline, source, digest, found, past, time.monotonic() - clock)


def _look(
    pipeline: Pipeline, subject: Subject, memory: Memory, past: Past, fail_fast: bool, migrations: Judged
) -> Found:
    """Run everything that looks at the commit: side by side, what adds up as soon as it can, the load test alone."""
    workspace, now = subject.workspace, datetime.now(UTC)
    known = Known(read_baseline(read_approvers()), now.date())
    suites, scans = suite_jobs(pipeline, workspace, past), scan_jobs(subject, now)
    jobs: list[Job] = [*suites, *scans, *quality_jobs(pipeline, workspace, known)]
    jobs += [*compatibility_jobs(pipeline, workspace, migrations), *load_jobs(pipeline, workspace, past)]
    later, expected = adding_up(pipeline, workspace, suites), expected_seconds(Home.find())
    looked = run_jobs(jobs, memory, workspace, fail_fast, later, expected)
    checks = [looked[job.name].check for job in scans]
    scanned = judge(subject, memory.run, checks, now, oldest_look(scans, looked, memory, now))
    return Found(looked, scanned, tuple(sorted(memory.remembered)))


def _sign(pipeline: Pipeline, source: Source, digest: str, found: Found, run: str, began: datetime) -> None:
    """Sign what was seen, failures included, for exactly this commit and artifact; then add it to the history."""
    sign_origin(digest, pipeline.app.repository, pipeline.digest, run, began)
    sign_scans(digest, pipeline.app.name, found.scanned)
    sign_checks(digest, pipeline.app.name, checked(pipeline, source, run, found.own))
    remember_findings(pipeline.app.name, pipeline.app.branch, found.scanned)
    remember_run(pipeline.app, source, run, found.looked)


def _conclude(pipeline: Pipeline, source: Source, digest: str, found: Found, past: Past, seconds: float) -> State[str]:
    checks = found.checks
    scores = all_scores(checks, list(pipeline.quality))
    verdict = judge_checks([check.name for check in checks if check.name != SCORE], checks)
    report = Report(
        run=str(runtime.flow_run.id),
        version=source.version,
        commit=source.commit,
        branch=source.branch,
        digest=digest,
        good=verdict.action is Action.PROMOTE,
        reason=verdict.reason,
        seconds=seconds,
        checks=tuple(checks),
        scores=scores,
        remembered=found.remembered,
    )
    keep_report(Home.find(), report)
    show("ci", summary_page(source, digest, checks, verdict, scores), f"{source.version}: {verdict.action}")
    show_details(pipeline, found.looked, past)
    tell_ci(source, checks, verdict, found.scanned.waived, runtime.flow_run.parameters.get("working_tree"))
    if verdict.action is not Action.PROMOTE:
        return Failed(message=f"{source.version}: {verdict.reason}"[:1000])
    built = f"is built as {digest[:12]}" if digest else "was checked; nothing was built or signed"
    return Completed(message=f"{source.version} {built}: {verdict.reason}"[:1000], data=digest)
