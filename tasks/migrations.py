"""Judge the app's migrations when its artifact is built, so that a release knows what they do."""

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from evidence.errors import ToolError
from gates.linters import migrations_in
from gates.migrations import Step, judge_migration
from gates.scans import ReportError
from tasks.cores import core
from tasks.dependencies import own_tools
from tasks.scans.migrations import alembic_sql, run_squawk
from tasks.workspace import Workspace

SQUAWK_TIMEOUT_S = 60
NAME = "migrations"


@task(name="judge migrations", task_run_name="judge migrations", cache_policy=NO_CACHE)
def judge_migrations(workspace: Workspace) -> tuple[Step, ...] | None:
    """Return the app's migrations, judged; None, said in the log and on the approval page, when nobody could."""
    if not (workspace.check_directory(NAME) / "alembic.ini").is_file():
        return None
    try:
        with core(NAME, workspace.cancelled):
            return judge_steps(workspace)
    except (ToolError, ReportError) as error:
        get_run_logger().warning("the migrations could not be judged: %s", error)
        return None


def judge_steps(workspace: Workspace, folder: str = ".") -> tuple[Step, ...]:
    """Return every revision of `folder`/alembic.ini, oldest first, judged by our rules and by squawk.

    The app's alembic writes them down in the sandbox, without a database. ToolError or ReportError when it cannot, or
    when squawk cannot read them: then nobody has judged them.
    """
    revisions = migrations_in(alembic_sql(workspace, NAME, folder), "")
    if not revisions:
        return ()
    program = own_tools("scanners") / "bin" / "squawk"
    found, blind = run_squawk(program, workspace.root / NAME / "sql", revisions, SQUAWK_TIMEOUT_S)
    if blind:
        raise ReportError("; ".join(blind))
    return tuple(
        judge_migration(revision, sql, [one for one in found if one.file == revision])
        for revision, sql in revisions.items()
    )
