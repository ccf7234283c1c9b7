"""Judge the app's migrations when its artifact is built, so that a release knows what they do."""

from collections.abc import Sequence
from pathlib import Path

from prefect.logging import get_run_logger
from pydantic import TypeAdapter, ValidationError

from gates.findings import Finding
from gates.migrations.revision import judge_migration
from gates.migrations.statements import Kind
from gates.migrations.steps import Step
from gates.scans.outcome import ReportError
from host.errors import SlipwayError
from host.files import write_atomically
from host.home import Home
from settings.pipeline import Pipeline
from tasks.checks.cores import core
from tasks.checks.memory import form_key, key_of
from tasks.checks.syntax import code_digest
from tasks.retries import once
from tasks.scans.migrations import run_squawk
from tasks.scans.revisions import Revision, read_revisions
from tasks.source.dependencies import own_tools
from tasks.source.workspace import Workspace

SQUAWK_TIMEOUT_S = 60
NAME = "migrations"


STEPS = TypeAdapter(tuple[Step, ...])


@once("judge migrations")
def judge_migrations(pipeline: Pipeline, workspace: Workspace, refresh: bool = False) -> tuple[Step, ...] | None:
    """Return the app's migrations, judged, none for an app without; None, said in the log and on the approval page,
    when nobody could.

    What was judged is kept, and recalled for a commit that means the same, unless `refresh`. The app's code writes its
    migrations down: no branch recalls what another one's commits wrote.

    Not repeated: it reads files of this host only, and what it cannot read is None.
    """
    source = workspace.source
    load = pipeline.performance
    run = pipeline.run
    told = (pipeline.migrations.model_dump(), run.migrate, run.directory, load and load.environment)
    forms = form_key(True, workspace.database)
    key = key_of(NAME, code_digest(source, source.files, measured=False), workspace.environment.name, *told, *forms)
    kept = Home.find().cache / "migrations" / source.scope.own / f"{key}.json"
    if not refresh and (known := _read(kept)) is not None:
        get_run_logger().info("the migrations are as they were judged before")
        return known
    try:
        with core(NAME, workspace.cancelled):
            steps = judge_steps(pipeline, workspace)
    except (SlipwayError, ReportError) as error:
        get_run_logger().warning("the migrations could not be judged: %s", error)
        return None
    try:
        write_atomically(kept, STEPS.dump_json(steps))
    except OSError as error:
        get_run_logger().warning("the judged migrations could not be kept: %s", error)
    return steps


def _read(kept: Path) -> tuple[Step, ...] | None:
    try:
        return STEPS.validate_json(kept.read_bytes())
    except (OSError, ValidationError):
        return None


def judge_steps(pipeline: Pipeline, workspace: Workspace) -> tuple[Step, ...]:
    """Return every revision, oldest first, judged by our rules and by squawk.

    A revision that cannot be told, or not as it runs where there are rows, counts as one that takes something away.
    Raises ToolError or ReportError when none can be, or when squawk cannot read them: then nobody has judged them.
    """
    revisions = read_revisions(pipeline, workspace, NAME)
    texts = {one.name: one.text for one in revisions if not one.trouble}
    found: list[Finding] = []
    if texts:
        program = own_tools("scanners") / "bin" / "squawk"
        found, blind = run_squawk(workspace, program, workspace.root / NAME / "sql", texts, SQUAWK_TIMEOUT_S)
        if blind:
            raise ReportError("; ".join(blind))
    return tuple(_judged(one, found) for one in revisions)


def _judged(revision: Revision, found: Sequence[Finding]) -> Step:
    if revision.trouble:
        reason = f"not known to be safe: {revision.trouble}"
        return Step(revision=revision.name, kind=Kind.CONTRACT, reason=reason[:200])
    return judge_migration(revision.name, revision.text, [one for one in found if one.file == revision.name])
