"""The micro-benchmarks' check: this commit's against the base version's, measured in pairs, alone on the machine."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic

from prefect.logging import get_run_logger

from gates.check import Outcome, no_verdict
from gates.checks.benchmarks import NAME, Paired, judge_benchmarks, not_compared
from host.errors import ConfigError, SlipwayError
from host.files import remove_tree
from settings.pipeline import Pipeline, Suite
from settings.preparation import Preparation
from tasks.checks.base_version import Base, NoBase
from tasks.checks.benchmark_pairs import Comparing, Failed, Side
from tasks.checks.benchmark_report import read_medians
from tasks.checks.cores import on_a_core
from tasks.checks.import_closure import suite_digest
from tasks.checks.memory import files_digest, form_key, key_of, matching
from tasks.retries import once
from tasks.source.git import Source, tracked
from tasks.source.workspace import Looked, Workspace

# The file that a result leaves when each benchmark was decided: without it the result is not remembered.
DECIDED = "decided"
CANDIDATE = "this commit"


def benchmarks_key(pipeline: Pipeline, suite: str, workspace: Workspace, base: Base | NoBase) -> str:
    """Return what a comparison with a base is remembered under; "" without one."""
    limits = pipeline.performance
    if isinstance(base, NoBase) or limits is None:
        return ""
    figures = (limits.max_benchmark_regression_percent, limits.compare_seconds)
    wanted = pipeline.suites[suite]
    ready = pipeline.preparation(suite)
    parts = (wanted.model_dump(), str(pipeline.locks.ci), figures, workspace.environment.name, base.digest, ready)
    forms = form_key(wanted.database, workspace.database)
    return key_of(NAME, suite_digest(workspace.source, wanted, False, ready), *parts, *forms)


@once(NAME)
def run_benchmarks(pipeline: Pipeline, suite: str, looked: Looked, workspace: Workspace, base: Base | NoBase) -> Looked:
    """Compare the benchmarks of a suite, which `looked` has run for its verdict, with the base's.

    It takes all cores of the host. Files: `decided` (what the pairs told, JSON) when nothing was inconclusive.

    Not repeated: its pairs are its repetitions.
    """
    log = get_run_logger()

    def look() -> Looked:
        began = monotonic()
        found = look_at_benchmarks(pipeline, suite, looked, workspace, base, log.info)
        return replace(found, check=found.check.model_copy(update={"seconds": round(monotonic() - began, 2)}))

    found = on_a_core(NAME, workspace, look, alone=True)
    for note in found.check.notes:
        log.info("%s: %s", NAME, note)
    return found


def look_at_benchmarks(
    pipeline: Pipeline,
    suite: str,
    looked: Looked,
    workspace: Workspace,
    base: Base | NoBase,
    tell: Callable[[str], None],
) -> Looked:
    """Do what `run_benchmarks` does, without a run around it. `tell` gets a line after each pair."""
    if looked.check.outcome is not Outcome.PASSED or NAME not in looked.files:
        return Looked(no_verdict(NAME, f"the suite {suite} did not pass, or left no report of its benchmarks"))
    try:
        if not read_medians(looked.files[NAME]):
            return Looked(no_verdict(NAME, "the report holds no benchmark"))
        return _compare(pipeline, suite, workspace, base, tell)
    except Failed as error:
        if error.version == CANDIDATE and not error.disturbed:
            return Looked(no_verdict(NAME, f"{error}, when run again beside the base's"))
        return Looked(not_compared(f"inconclusive: {error}" if error.disturbed else str(error)))
    except SlipwayError as error:
        return Looked(no_verdict(NAME, str(error)))


def _compare(
    pipeline: Pipeline, name: str, workspace: Workspace, base: Base | NoBase, tell: Callable[[str], None]
) -> Looked:
    suite, limits = pipeline.suites[name], pipeline.performance
    if limits is None:
        raise ConfigError("config/pipeline.toml: a suite has benchmarks = true, and there is no [performance] to hold")
    if isinstance(base, NoBase):
        return Looked(not_compared(base.reason))
    if _nothing_changed(pipeline, name, workspace, base):
        return Looked(not_compared(f"nothing that the suite {name} depends on differs from {base.version}"))
    other = base.for_checks(pipeline, workspace)
    if isinstance(other, NoBase):
        return Looked(not_compared(other.reason))
    remove_tree(workspace.root / NAME)
    ready = pipeline.preparation(name)
    sides = _base_side(pipeline, suite, base, other, ready), Side(CANDIDATE, workspace, suite.directory, ready)
    percent = limits.max_benchmark_regression_percent
    found = Comparing(suite, *sides, percent, limits.compare_seconds, tell).run()
    files = {DECIDED: _kept(found, workspace.root / f"{NAME}.json")} if found.conclusive else {}
    return Looked(judge_benchmarks(found, percent), files)


def _base_side(pipeline: Pipeline, suite: Suite, base: Base, where: Workspace, ready: Preparation | None) -> Side:
    """Return the base as it starts itself: in its own folder, and by its own migration where that comes first."""
    run = base.bundle.run
    directory = run.directory if suite.directory == pipeline.app.directory else suite.directory
    if ready and suite.prepare is None:
        ready = Preparation(run.migrate, run.directory) if run.migrate else None
    return Side(base.version, where, directory, ready)


def _nothing_changed(pipeline: Pipeline, suite: str, workspace: Workspace, base: Base) -> bool:
    """Return whether all that the suite depends on means the same in the base, in the same environment. When in doubt,
    no.
    """
    try:
        source = workspace.source
        files = tracked(source.repository, base.bundle.commit)
        archive = base.place.store.copy_blob(base.bundle.source, workspace.root / f"{NAME}-base.tar")
        other = replace(source, files=files, archive=archive)
        here, there = (_depends_on(pipeline, suite, one) for one in (source, other))
    except SlipwayError:
        return False
    started = (base.bundle.python, base.bundle.run.directory) == (pipeline.app.python, pipeline.run.directory)
    return here == there and started


def _depends_on(pipeline: Pipeline, suite: str, source: Source) -> tuple[str, str]:
    lock = files_digest(source, matching(source, [f"/{pipeline.locks.ci.file}", "pyproject.toml"]))
    return lock, suite_digest(source, pipeline.suites[suite], False, pipeline.preparation(suite))


def _kept(found: Paired, file: Path) -> Path:
    file.write_text(json.dumps(found.model_dump(mode="json")), encoding="utf-8")
    return file
