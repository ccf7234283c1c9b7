"""Tell what SQL each migration of a Django project runs: `python -c TEXT OUT MANAGE OPTION ...`; JSON to OUT.

It is `python MANAGE migrate OPTION ...` on the database that the settings name, which must be an empty PostgreSQL. What
it tells is as in slipway_alembic.py; a migration's name is `app.0001_name`.
"""

import json
import runpy
import sys
from typing import Any, Dict, List

from django.db.migrations.executor import MigrationExecutor

THEIRS = (".introspection", ".schema")
told: Dict[str, Any] = {"revisions": [], "known": [], "ended": ""}


def filled(statement: str, given: Any, many: bool) -> str:
    """Return a statement with NULL where that is given, and an empty text for each other value: no value is told."""
    rows: List[Any] = list(given or ()) if many else [given]
    if not given or not rows:
        return statement.rstrip().rstrip(";") + ";"
    first = rows[0]
    if isinstance(first, dict):
        values: Any = {name: _shown([row[name] for row in rows]) for name in first}
    else:
        values = tuple(_shown([row[number] for row in rows]) for number in range(len(first)))
    return str(statement % values).rstrip().rstrip(";") + ";"


def _shown(values: List[Any]) -> str:
    return "NULL" if any(value is None for value in values) else "''"


def asked_by_the_app() -> bool:
    """Return whether somebody looks at what a statement returns: RunSQL does not, and Django itself at the schema."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if frame.f_code.co_name == "_run_sql" or module.startswith("django.") and module.endswith(THEIRS):
            return False
        frame = frame.f_back
    return True


def watch() -> None:
    apply = MigrationExecutor.apply_migration

    def apply_migration(self: Any, state: Any, migration: Any, *args: Any, **named: Any) -> Any:
        if self.connection.vendor != "postgresql":
            raise SystemExit(
                f"the settings name {self.connection.vendor}, expected PostgreSQL: take it of DATABASE_URL"
            )
        told["known"] = sorted(f"{app}.{name}" for app, name in self.loader.graph.nodes)
        now: Dict[str, Any] = {
            "revision": f"{migration.app_label}.{migration.name}",
            "sql": [],
            "reads": [],
            "trouble": "",
        }
        told["revisions"].append(now)

        def executes(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
            now["sql"].append(filled(str(sql), params, many))
            result = execute(sql, params, many, context)
            if context["cursor"].description and asked_by_the_app():
                now["reads"].append(str(sql))
            return result

        try:
            with self.connection.execute_wrapper(executes):
                return apply(self, state, migration, *args, **named)
        except Exception as error:
            now["trouble"] = f"{type(error).__name__}: {error}"[:300]
            raise

    MigrationExecutor.apply_migration = apply_migration


def main(out: str, manage: str, *options: str) -> None:
    watch()
    sys.path.insert(0, "")
    sys.argv = [manage, "migrate", "--noinput", *options]
    try:
        runpy.run_path(manage, run_name="__main__")
    except SystemExit as end:
        told["ended"] = "" if end.code in (None, 0) else f"it ended with {end.code}"[:300]
    except BaseException as error:
        told["ended"] = f"{type(error).__name__}: {error}"[:300]
    with open(out, "w", encoding="utf-8", errors="replace") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
