"""Judge the app's migrations when its artifact is built, so that a release knows what they do."""

from pathlib import Path

from prefect.logging import get_run_logger
from pydantic import TypeAdapter, ValidationError

from gates.release.migrations import Step, judge_migration
from gates.scans.linters import migrations_in
from gates.scans.outcome import ReportError
from host.errors import ToolError
from host.files import write_atomically
from host.home import Home
from tasks.checks.cores import core
from tasks.checks.memory import key_of
from tasks.checks.syntax import code_digest
from tasks.retries import once
from tasks.scans.migrations import alembic_sql, run_squawk
from tasks.source.dependencies import own_tools
from tasks.source.workspace import Workspace

SQUAWK_TIMEOUT_S = 60
NAME = "migrations"


STEPS = TypeAdapter(tuple[Step, ...])


@once("judge migrations")
def judge_migrations(workspace: Workspace, refresh: bool = False) -> tuple[Step, ...] | None:
    """Return the app's migrations, judged; None, said in the log and on the approval page, when nobody could.

    What was judged is kept, and recalled for a commit that means the same, unless `refresh`. The app's code writes its
    migrations down: no branch recalls what another one's commits wrote.

    Not repeated: it reads files of this host only, and what it cannot read is None.
    """
    source = workspace.source
    if not (workspace.check_directory(NAME) / "alembic.ini").is_file():
        return None
    key = key_of(NAME, code_digest(source, source.files, measured=False), workspace.environment.name)
    kept = Home.find().cache / "migrations" / source.scope.own / f"{key}.json"
    if not refresh and (known := _read(kept)) is not None:
        get_run_logger().info("the migrations are as they were judged before")
        return known
    try:
        with core(NAME, workspace.cancelled):
            steps = judge_steps(workspace)
    except (ToolError, ReportError) as error:
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


def judge_steps(workspace: Workspace, folder: str = ".") -> tuple[Step, ...]:
    """Return every revision of `folder`/alembic.ini, oldest first, judged by our rules and by squawk.

    The app's alembic writes them down in the sandbox, without a database. Raises ToolError or ReportError if it cannot,
    or when squawk cannot read them: then nobody has judged them.
    """
    revisions = migrations_in(alembic_sql(workspace, NAME, folder), "")
    if not revisions:
        return ()
    program = own_tools("scanners") / "bin" / "squawk"
    found, blind = run_squawk(workspace, program, workspace.root / NAME / "sql", revisions, SQUAWK_TIMEOUT_S)
    if blind:
        raise ReportError("; ".join(blind))
    return tuple(
        judge_migration(revision, sql, [one for one in found if one.file == revision])
        for revision, sql in revisions.items()
    )
