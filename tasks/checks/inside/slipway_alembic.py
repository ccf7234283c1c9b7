"""Tell what SQL each revision of an app's Alembic runs: `python -c TEXT OUT MODE ...`; JSON to OUT.

    offline INI TOML     alembic's `upgrade heads --sql`, without a database; a name may be ""
    online INI TOML      the same on the database that env.py connects to
    program MODULE ...   the app's own command, such as `flask db upgrade`, as `python -m MODULE ...`

    {"revisions": [{"revision": ID, "sql": [TEXT, ...], "trouble": TEXT}], "known": [ID, ...], "ended": TEXT}

`sql` is what the revision's `upgrade` says: the table of versions is alembic's own affair. Offline a revision with
`trouble` does not keep those after it from being told. `known` are the revisions that there are, `ended` says why
nothing could be run.
"""

import json
import re
import runpy
import sys
from typing import Any, Dict, List, Optional

from alembic import command
from alembic.config import Config
from alembic.ddl.impl import DefaultImpl
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Engine

told: Dict[str, Any] = {"revisions": [], "known": [], "ended": ""}
now: Optional[Dict[str, Any]] = None
PLACE = re.compile(r"%\((\w+)\)[sbt]|%[sbt]|\$\d+(?:::\w+)?|%%")
# Leads to the driver itself, past what is told here.
DRIVER = "slipway_driver_without_sqlalchemy"


def record(text: str) -> None:
    if now is not None:
        now["sql"].append(text)


def watched(step: Any, offline: bool) -> Any:
    """Return a step whose `upgrade` is told while it runs."""
    body = step.migration_fn

    def run(**named: Any) -> None:
        global now
        now = {"revision": str(step.revision.revision), "sql": [], "trouble": ""}
        told["revisions"].append(now)
        try:
            body(**named)
        except Exception as error:
            now["trouble"] = f"{type(error).__name__}: {error}"[:300]
            if not offline:
                raise
        finally:
            now = None

    run.__name__ = "upgrade"
    step.migration_fn = run
    return step


def watch_alembic() -> None:
    run, say = MigrationContext.run_migrations, DefaultImpl.static_output

    def run_migrations(self: MigrationContext, **named: Any) -> None:
        steps = self._migrations_fn

        def each(heads: Any, context: MigrationContext) -> Any:
            for step in steps(heads, context):  # type: ignore[misc]
                yield watched(step, self.as_sql) if getattr(step, "is_upgrade", False) else step

        if self.dialect.name != "postgresql":
            raise SystemExit(f"it speaks to {self.dialect.name}, expected PostgreSQL: let env.py take DATABASE_URL")
        self._migrations_fn = each
        script = getattr(self.environment_context, "script", None)
        if script is not None:
            told["known"] = sorted(str(one.revision) for one in script.walk_revisions())
        run(self, **named)

    def static_output(self: DefaultImpl, text: str) -> None:
        record(text)
        say(self, text)

    MigrationContext.run_migrations = run_migrations  # type: ignore[method-assign]
    DefaultImpl.static_output = static_output  # type: ignore[method-assign]


def watch_database() -> None:
    from sqlalchemy.pool import base

    def executes(_: Any, __: Any, statement: str, given: Any, *___: Any) -> None:
        record(filled(statement, given))

    event.listen(Engine, "before_cursor_execute", executes)
    fairy = base._ConnectionFairy
    cursor = fairy.cursor

    def asked(self: Any, *args: Any, **named: Any) -> Any:
        if not str(sys._getframe(1).f_globals.get("__name__")).startswith("sqlalchemy."):
            record(f"CALL {DRIVER}();")
        return cursor(self, *args, **named)

    fairy.cursor = asked  # type: ignore[method-assign]


def filled(statement: str, given: Any) -> str:
    """Return a statement with NULL where that is given, and an empty text for each other value: no value is told."""
    rows: List[Any] = list(given) if isinstance(given, list) else [given]

    def value(row: Any, name: Optional[str], number: int) -> Any:
        if isinstance(row, dict):
            return row.get(name)
        return row[number] if row and number < len(row) else ""

    count = iter(range(len(statement)))

    def one(found: "re.Match[str]") -> str:
        if found[0] == "%%":
            return "%"
        number = int(found[0][1:].split(":")[0]) - 1 if found[0].startswith("$") else next(count)
        return "NULL" if any(value(row, found[1], number) is None for row in rows) else "''"

    return (PLACE.sub(one, statement) if given else statement).rstrip().rstrip(";") + ";"


def configuration(ini: str, toml: str) -> Config:
    try:
        return Config(ini or None, toml_file=toml or None)
    except TypeError:  # of an alembic that reads no pyproject.toml
        return Config(ini)


def main(out: str, mode: str, *words: str) -> None:
    watch_alembic()
    if mode == "online" or mode == "program" and "--sql" not in words:
        watch_database()
    sys.path.insert(0, "")
    try:
        if mode == "program":
            sys.argv = list(words)
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        else:
            config = configuration(*words)
            config.output_buffer = open("/dev/null", "w")
            told["known"] = sorted(str(one.revision) for one in ScriptDirectory.from_config(config).walk_revisions())
            command.upgrade(config, "heads", sql=mode == "offline")
    except SystemExit as end:
        told["ended"] = "" if end.code in (None, 0) else f"it ended with {end.code}"[:300]
    except BaseException as error:
        told["ended"] = f"{type(error).__name__}: {error}"[:300]
    with open(out, "w", encoding="utf-8", errors="replace") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
