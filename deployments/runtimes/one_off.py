"""The commands of an app that run once, to their end, in whichever runtime: its migration and its seed."""

from collections.abc import Callable, Mapping, Sequence

from evidence.bundle import Run
from gates.checks.reports import last_line
from host.errors import MigrationError, ToolError

NO_SEED = "the app names no seed command ([run] seed of config/pipeline.toml)"
# (command, variables beside the app's own, seconds) -> how it ended when that was not good, and what it printed.
Once = Callable[[Sequence[str], Mapping[str, str], float], tuple[str, str]]


def migrate(run: Run, once: Once, env: Mapping[str, str], timeout_s: float, *, undone: bool = True) -> str:
    """Run the migration; return the last line that it printed. `undone`: one that fails has changed nothing. Raises
    MigrationError if it fails or takes longer.
    """
    if run.migrate is None:
        return "the app has no migrations"
    ended, said = once(run.migrate, env, timeout_s)
    if ended:
        kept = "" if undone else " (DDL of MySQL and MariaDB has no transactions: what ran of it STAYS)"
        raise MigrationError(f"the migration {ended}{kept}: {said[-1500:]}")
    return last_line(said)


def seed(run: Run, kind: str, once: Once, timeout_s: float) -> str:
    """Fill the database with this kind of data; return the last line printed. Raises ToolError if that fails."""
    if not run.seed:
        return NO_SEED
    command = [word.replace("{seed}", kind) for word in run.seed]
    ended, said = once(command, {"SEED": kind}, timeout_s)
    if ended:
        raise ToolError(f"the seed {ended}: {said[-1500:]}")
    return last_line(said)
