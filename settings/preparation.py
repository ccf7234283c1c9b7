"""What makes a suite's services ready: its own command, or the app's migration where it has a database."""

from dataclasses import dataclass

# What a migration is likely to read, in .gitignore's syntax. A suite's `inputs` may have been written without it.
MIGRATION_FILES = ("migration/", "migrations/", "alembic/", "versions/", "alembic.ini", "manage.py", "*.sql")


@dataclass(frozen=True)
class Preparation:
    """A command that runs before a suite, in `directory` of the repository. `inputs` are what its result depends on
    beside the suite's own (globs as in .gitignore).
    """

    command: tuple[str, ...]
    directory: str
    inputs: tuple[str, ...] = ()
