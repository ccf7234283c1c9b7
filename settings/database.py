"""The section [database] of config/pipeline.toml. An artifact has it as part of how it runs (evidence/bundle.py)."""

from typing import Any

from gates.databases.form import DatabaseForm


class Database(DatabaseForm):
    """How the app is told of its database, wherever it gets one: from the runtime `process`, in suites, the load test,
    the trial of compatibility, migrations and seeds. Without this section it is told `DATABASE_URL` in SQLAlchemy's form
    for psycopg.
    """


def with_database(raw: Any) -> Any:
    """Return the tables of a pipeline.toml with [database] said in [run] as well. Raises ValueError if [run] says it."""
    run, database = (raw.get(key) if isinstance(raw, dict) else None for key in ("run", "database"))
    if isinstance(run, dict) and "database" in run:
        raise ValueError("run.database is no key; how the app is told of its database stands in [database]")
    if not isinstance(run, dict) or not isinstance(database, dict):
        return raw
    return {**raw, "run": {**run, "database": database}}
