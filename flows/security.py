"""Scan what is live and what comes next: every night, and on demand."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, runtime
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.task_runners import ThreadPoolTaskRunner

from evidence.scan_report import ScanReport, ScanReports, keep_scans
from evidence.statements import Scanned
from gates.check import judge_checks
from gates.verdict import Action, Verdict
from host.errors import ConfigError, SlipwayError
from host.home import Home
from settings.pipeline import Pipeline, read_pipeline
from tasks.artifacts import cell, show
from tasks.build.statements import Images, artifacts_of, known_findings, sign_scans
from tasks.checks.memory import Memory, open_memory
from tasks.checks.run_jobs import run_jobs
from tasks.notify.events import tell_new_findings
from tasks.notify.scan_news import tell_scans
from tasks.scans import Subject
from tasks.scans.all import judge, remember_findings
from tasks.scans.findings_page import scans_page
from tasks.scans.jobs import oldest_look, scan_jobs
from tasks.scans.packages.outdated import list_outdated, outdated_page
from tasks.scans.scan_targets import ScanTarget, nightly_targets
from tasks.source.app_locks import AppLocks
from tasks.source.dependencies import build_sources, make_environment
from tasks.source.git import Source, fetch_source
from tasks.source.locked_environments import check_locks
from tasks.source.working_tree import read_working_tree
from tasks.source.workspace import Workspace, working_directory
from tasks.states import Completed, Failed, cause

OUTDATED_ON = 0  # Monday, UTC: what has newer releases is told once a week


def _run_name() -> str:
    parameters = runtime.flow_run.parameters
    return f"security-{parameters.get('working_tree') or parameters.get('commit') or 'nightly'}"


@dataclass
class ScanRun:
    """A run's pages, the reasons that block, and the reports of what it scanned so far."""

    pages: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    reports: list[ScanReport] = field(default_factory=list)


@flow(
    name="security",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=(os.cpu_count() or 2) + 1),  # type: ignore[arg-type]
)
def security(
    commit: str | None = None, working_tree: str | None = None, refresh: bool = False, pipeline: str | None = None
) -> State[str]:
    """Run every security scan on what is live in each environment and on the newest commit.

    targets -> for each distinct commit: source -> scans side by side -> judge -> sign -> event for what is new in live

    Args:
        commit: Only this branch, tag or commit of the app.
        working_tree: Only this directory, as it lies there; nothing of it is signed.
        refresh: Look again, whatever was found out earlier today about the same files.
        pipeline: Another file than config/pipeline.toml, for a working tree only: nothing is signed by its rules.
    """
    run = ScanRun()
    with working_directory() as root:
        try:
            rules = _rules(pipeline, working_tree)
            targets = _targets(rules, commit, working_tree, run)
        except SlipwayError as error:
            return Failed(message=cause(error))
        for number, target in enumerate(targets):
            try:
                _scan(rules, target, working_tree, root / str(number), refresh, run)
            except SlipwayError as error:
                run.reasons.append(f"{target.title}: {cause(error)}")
    return _conclude(run)


def _rules(file: str | None, working_tree: str | None) -> Pipeline:
    if file and not working_tree:
        raise ConfigError(f"{file}: another pipeline file is for a working tree only; name one, or leave it out")
    return read_pipeline(Path(file)) if file else read_pipeline()


def _targets(pipeline: Pipeline, commit: str | None, working_tree: str | None, run: ScanRun) -> list[ScanTarget]:
    if working_tree:
        return [ScanTarget("", {}, (working_tree,))]
    if commit:
        return [ScanTarget(commit, {}, (commit,))]
    targets, problems = nightly_targets(pipeline)
    run.reasons += problems
    return targets


def _scan(
    pipeline: Pipeline, target: ScanTarget, working_tree: str | None, root: Path, refresh: bool, run: ScanRun
) -> None:
    """Scan one commit, with the container images that each of its artifacts names."""
    source = (
        read_working_tree(Path(working_tree), root) if working_tree else fetch_source(pipeline.app, target.commit, root)
    )
    artifacts: dict[str, Images] = {}
    if source.signable:
        artifacts = artifacts_of(pipeline.app.name, source.commit, target.live.values())
    subject = _subject(pipeline, source, root)
    memory = open_memory(pipeline, source, root / "remembered", refresh)
    for images in dict.fromkeys(artifacts.values()) or [()]:
        same = [digest for digest, its in artifacts.items() if its == images]
        others = dict(images)
        _look(replace(subject, image=others.pop("", None), others=others), memory, target, same, run)
    if target.newest and datetime.now(UTC).weekday() == OUTDATED_ON:
        run.pages.append(_outdated(pipeline, subject))


def _look(subject: Subject, memory: Memory, target: ScanTarget, digests: Sequence[str], run: ScanRun) -> None:
    """Run the scans, sign the outcome for each of the artifacts, and tell what is new in what is live."""
    pipeline, source, now = subject.pipeline, subject.workspace.source, datetime.now(UTC)
    jobs = scan_jobs(subject, now)
    looked = run_jobs(jobs, memory, subject.workspace)
    checks = [result.check for result in looked.values()]
    scanned = judge(subject, memory.run, checks, now, oldest_look(jobs, looked, memory, now))
    new = [fingerprint for fingerprint, first in scanned.first_seen.items() if first == now]
    if source.signable:
        _sign(pipeline, target, source, scanned, digests)
        remember_findings(pipeline.app.name, pipeline.app.branch, scanned)
    verdict = judge_checks([job.name for job in jobs], scanned.checks)
    title = f"{source.version} ({target.title})"
    run.pages.append(scans_page(title, scanned, verdict, new))
    run.reports.append(ScanReport(title=title, scanned=scanned, new=tuple(sorted(new))))
    if verdict.action is not Action.PROMOTE:
        run.reasons.append(f"{title}: {verdict.reason}")


def _sign(pipeline: Pipeline, target: ScanTarget, source: Source, scanned: Scanned, digests: Sequence[str]) -> None:
    for environment, digest in target.live.items():
        if digest in digests:
            known = known_findings(digest)
            findings = [finding for check in scanned.checks for finding in check.findings]
            fresh = [finding for finding in findings if finding.fingerprint not in known]
            tell_new_findings(environment, source.version, digest, fresh)
    for digest in digests:
        sign_scans(digest, pipeline.app.name, scanned)


def _outdated(pipeline: Pipeline, subject: Subject) -> str:
    """Return the weekly page of what has newer releases. It decides nothing, and its trouble is only told."""
    try:
        return outdated_page(list_outdated(subject.locks))
    except SlipwayError as error:
        return f"## Outdated\n\nIt could not be found out: {cell(error)}"


def _subject(pipeline: Pipeline, source: Source, root: Path) -> Subject:
    tree = source.lay_out(root / "tree", os.geteuid())
    environment, lacks = root / "no-environment", ""
    # Scans that need the app's environment say why they could not look without it; the others need not wait for it.
    try:
        locks = AppLocks.of(pipeline, tree)
        check_locks(locks)
        build_sources(locks, source.scope)
        ci, python = pipeline.locks.ci, pipeline.app.python
        environment = make_environment(locks.file(ci), python, source.scope, locks.wheels(ci))
    except SlipwayError as error:
        lacks = str(error)
        get_run_logger().warning("the app's environment cannot be made: %s", lacks)
    app, database = pipeline.app, pipeline.run.database
    workspace = Workspace(root, source, environment, shares=app.shares, lacks=lacks, database=database)
    return Subject(pipeline, workspace, workspace.lend(tree), source.repository)


def _conclude(run: ScanRun) -> State[str]:
    verdict = (
        Verdict(Action.STOP, "; ".join(run.reasons))
        if run.reasons
        else Verdict(Action.PROMOTE, f"{len(run.reports)} commits scanned, nothing blocks")
    )
    keep_scans(Home.find(), str(runtime.flow_run.id), ScanReports(reports=tuple(run.reports)))
    unscanned = "\n".join(f"- {reason}" for reason in run.reasons) if not run.pages else ""
    tell_scans(run.reports)
    show("security", "\n\n".join(["# Security", *run.pages, unscanned]), verdict.reason[:200])
    if verdict.action is not Action.PROMOTE:
        return Failed(message=verdict.reason[:1000])
    return Completed(message=verdict.reason[:1000])
