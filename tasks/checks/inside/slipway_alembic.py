"""Tell what SQL each revision of an app's Alembic runs: `python -c TEXT OUT MODE ...`; JSON to OUT.

    offline INI TOML SECTION X ...  alembic's `-n SECTION -x X ... upgrade heads --sql`, without a database; a name may
                                    be ""
    online INI TOML SECTION X ...   the same on the database that env.py connects to
    program MODULE ...              the app's own command, such as `flask db upgrade`, as `python -m MODULE ...`

    {"revisions": [{"revision": ID, "sql": [TEXT, ...], "reads": [TEXT, ...], "trouble": TEXT}],
     "known": [ID, ...], "ended": TEXT}

`sql` is what the revision's `upgrade` says: the table of versions is alembic's own affair. Offline a revision with
`trouble` does not keep those after it from being told; to ask whether there is a database is trouble. `reads` are those
of the statements that returned something to the app's own code. `known` are the revisions that there are, `ended` says
why nothing could be run.
"""

import functools
import importlib
import json
import re
import runpy
import sys
from argparse import Namespace
from typing import Any, Callable, Dict, List, Optional

from alembic import command
from alembic.config import Config
from alembic.ddl.impl import DefaultImpl
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Engine

told: Dict[str, Any] = {"revisions": [], "known": [], "ended": ""}
now: Optional[Dict[str, Any]] = None
PLACE = re.compile(r"%\((\w+)\)[sbt]|%[sbt]|\$\d+(?:::\w+)?|%%")
# Leads to the driver itself, past what is told here.
DRIVER = "slipway_driver_without_sqlalchemy"
PROGRAM = "slipway_another_program"
# Their modules, and the classes in those that connect, too.
DRIVERS = {
    "psycopg": ("Connection", "AsyncConnection"),
    "psycopg2": (),
    "asyncpg": (),
    "pg8000": (),
    "pg8000.dbapi": (),
}
STARTS = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec")
SCHEMA_IS_READ_BY = ("sqlalchemy.dialects.", "sqlalchemy.engine.reflection")


def record(text: str) -> None:
    if now is not None:
        now["sql"].append(text)


def watched(step: Any, offline: bool) -> Any:
    """Return a step whose `upgrade` is told while it runs."""
    body = step.migration_fn

    def run(**named: Any) -> None:
        global now
        now = {"revision": str(step.revision.revision), "sql": [], "reads": [], "trouble": ""}
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


def watch_mode() -> None:
    """Name the revisions that ask whether there is a database: with one they say something else."""

    def doubt(what: str) -> None:
        if now is not None:
            now["trouble"] = f"it asks whether there is a database ({what}), and without one it may not say all"

    def asking(owner: Any, name: str) -> None:
        answer = getattr(owner, name)

        @functools.wraps(answer)
        def asked(self: Any) -> Any:
            doubt(name)
            return answer(self)

        setattr(owner, name, asked)

    def as_sql(self: MigrationContext) -> Any:
        if not module_of(sys._getframe(1)).startswith("alembic."):
            doubt("as_sql")
        return self.__dict__["as_sql"]

    asking(EnvironmentContext, "is_offline_mode")
    asking(EnvironmentContext, "get_bind")
    asking(Operations, "get_bind")
    setter: Callable[[Any, Any], None] = lambda self, value: self.__dict__.update(as_sql=value)
    MigrationContext.as_sql = property(as_sql, setter)  # type: ignore[assignment]


def watch_database() -> None:
    from sqlalchemy.pool import base

    def executes(_: Any, __: Any, statement: str, given: Any, *___: Any) -> None:
        record(filled(statement, given))

    def reads(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if now is not None and cursor.description and asked_by_the_app():
            now["reads"].append(statement)

    event.listen(Engine, "before_cursor_execute", executes)
    event.listen(Engine, "after_cursor_execute", reads)
    fairy = base._ConnectionFairy
    cursor = fairy.cursor

    def asked(self: Any, *args: Any, **named: Any) -> Any:
        if not module_of(sys._getframe(1)).startswith("sqlalchemy."):
            record(f"CALL {DRIVER}();")
        return cursor(self, *args, **named)

    fairy.cursor = asked  # type: ignore[method-assign]


def watch_other_ways() -> None:
    """Tell of connections that the driver opens without SQLAlchemy, and of programs that are started."""

    def starts(what: str, _: Any) -> None:
        if what in STARTS:
            record(f"CALL {PROGRAM}();")

    def watch(owner: Any) -> None:
        own = vars(owner)["connect"]
        # Not bound to its class: the classes below it stay what they are.
        connect = own.__func__ if isinstance(own, classmethod) else own

        @functools.wraps(connect)
        def opened(*args: Any, **named: Any) -> Any:
            if not module_of(sys._getframe(1)).startswith("sqlalchemy."):
                record(f"CALL {DRIVER}();")
            return connect(*args, **named)

        owner.connect = classmethod(opened) if isinstance(own, classmethod) else opened

    sys.addaudithook(starts)
    for name, classes in DRIVERS.items():
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        for owner in [module, *(getattr(module, one) for one in classes)]:
            watch(owner)


def module_of(frame: Any) -> str:
    return str(frame.f_globals.get("__name__"))


def asked_by_the_app() -> bool:
    """Return whether the app's own code sent what is executed: neither alembic nor what looks at the schema."""
    frame: Any = sys._getframe(2)
    while frame is not None and module_of(frame).startswith("sqlalchemy."):
        if module_of(frame).startswith(SCHEMA_IS_READ_BY):
            return False
        frame = frame.f_back
    return frame is not None and not module_of(frame).startswith("alembic.")


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


def configuration(ini: str, toml: str, section: str, given: List[str]) -> Config:
    options = Namespace(x=given, name=section or "alembic", config=ini or toml, raiseerr=False, quiet=False)
    named: Dict[str, Any] = {"ini_section": options.name, "cmd_opts": options}
    try:
        return Config(ini or None, toml_file=toml or None, **named)
    except TypeError:  # of an alembic that reads no pyproject.toml
        return Config(ini, **named)


def main(out: str, mode: str, *words: str) -> None:
    watch_alembic()
    watch_other_ways()
    if mode == "online" or mode == "program" and "--sql" not in words:
        watch_database()
    else:
        watch_mode()
    sys.path.insert(0, "")
    try:
        if mode == "program":
            sys.argv = list(words)
            runpy.run_module(words[0], run_name="__main__", alter_sys=True)
        else:
            ini, toml, section, *given = words
            config = configuration(ini, toml, section, given)
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
