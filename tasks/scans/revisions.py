"""The SQL of each revision of the app's migrations, as its own tool writes it down: in the sandbox, with what it needs.

Alembic writes it without a database. What it cannot write so runs on an empty database of its own, thrown away after,
and is written down there; so does Django.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from gates.databases.address import Family, Server
from gates.databases.form import DatabaseForm
from gates.migrations.migrate_command import ToolKind, read_command
from gates.migrations.rows import reads_rows
from gates.migrations.sql_files import migrating, way_there
from gates.migrations.tools import MigrationTool, choose_tool, telling
from gates.scans.outcome import ReportError
from host.errors import SlipwayError, ToolError
from host.files import remove_tree
from settings.pipeline import Pipeline, Suite
from tasks.checks import inside
from tasks.scans.files import LARGEST_TEXT_BYTES
from tasks.scans.tools import as_report, parse_json, read_output
from tasks.source.suite_services import Services, suite_services
from tasks.source.workspace import Workspace

TOLD_TIMEOUT_S = 60
REPLAY_TIMEOUT_S = 300
LARGEST_TOLD_BYTES = 20_000_000
# Nothing listens there: SQL is made without a database.
NO_DATABASE = Server("none", "127.0.0.1", "nobody", port=1)
LONGEST_NAME = 80


class Revision(BaseModel):
    """One revision: its statements in order, and why they are not all of them ("" when they are)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str = Field(min_length=1, max_length=5000)
    sql: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def name(self) -> str:
        """Return the revision, or of a long one its beginning and what tells it from others that begin so."""
        if len(self.revision) <= LONGEST_NAME:
            return self.revision
        return f"{self.revision[: LONGEST_NAME - 13]}~{hashlib.sha256(self.revision.encode()).hexdigest()[:12]}"

    @property
    def text(self) -> str:
        """Return all of it. A statement that ends with a comment does not swallow the next; no comment is squawk's."""
        whole = "\n".join(one.rstrip() + ("\n;" if "--" in one.rpartition("\n")[2] else "") for one in self.sql)
        return whole.replace("squawk-ignore", "squawk_ignore") + "\n"


class _Seen(Revision):
    """A revision as it was told, with the statements that returned something to the app's own code."""

    reads: tuple[str, ...] = ()

    @property
    def judged(self) -> Revision:
        """Return it with a trouble if it read rows, of which an empty database has none."""
        read = next((one for one in self.reads if reads_rows(one)), "")
        trouble = (
            f"it reads rows ({' '.join(read.split())[:80]}), and was told on an empty database: with rows it may do "
            "more. Read it; judged_after in [migrations] of config/policy.toml may then name it"
        )
        return Revision(revision=self.revision, sql=self.sql, trouble=self.trouble or (trouble if read else ""))


class _Told(BaseModel):
    """What the programs of tasks/checks/inside tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revisions: tuple[_Seen, ...]
    known: tuple[str, ...]
    ended: str


def find_tool(pipeline: Pipeline, workspace: Workspace, name: str) -> MigrationTool:
    """Return the app's tool. Raises ReportError, with the next move, if nobody can judge what it does."""
    source, table = workspace.source, pipeline.migrations
    names = sorted(source.files)
    told = telling(names, table.config, pipeline.run.migrate)
    texts = _texts(workspace, name, told) if told and table.kind not in ("sql", "none") else {}
    kind = ToolKind(table.kind) if table.kind else None
    chosen = choose_tool(kind, table.config, names, texts, pipeline.run.migrate, pipeline.run.directory)
    if isinstance(chosen, str):
        raise ReportError(chosen)
    return chosen


def read_revisions(pipeline: Pipeline, workspace: Workspace, name: str) -> list[Revision]:
    """Return every revision, oldest first; none of an app without migrations. `name` is the check that it is for.

    Raises ReportError if nobody can judge what the app's tool does, ToolError if it cannot be run.
    """
    tool = find_tool(pipeline, workspace, name)
    if tool.kind is ToolKind.NONE:
        return []
    if workspace.database.family is not Family.POSTGRESQL:
        raise ReportError(
            f"[database] scheme is {workspace.database.scheme}, and only migrations of PostgreSQL are judged: a person "
            'decides; kind = "none" in [migrations] says that nobody judges them'
        )
    if tool.kind is ToolKind.SQL:
        return _sql_files(workspace, name, tool.config)
    return _Reader(pipeline, workspace, name, tool).read()


def _texts(workspace: Workspace, name: str, files: Sequence[str]) -> dict[str, str]:
    """Return files of the commit. A link, or one that is too large, is as an empty one."""
    folder = workspace.root / name / "texts"
    remove_tree(folder)
    tree = workspace.source.lay_out(folder, os.geteuid(), files)
    found = dict.fromkeys(files, "")
    for file in files:
        path = tree / file
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST_TEXT_BYTES:
            found[file] = path.read_text(encoding="utf-8", errors="replace")
    return found


def _sql_files(workspace: Workspace, name: str, folder: str) -> list[Revision]:
    """Return a folder's migrations in their order. One without a number is another one when its text changes."""
    below = "" if folder == "." else f"{folder}/"
    files = migrating([file[len(below) :] for file in workspace.source.files if file.startswith(below)])
    texts = _texts(workspace, name, [f"{below}{file.path}" for file in files])
    found = []
    for file in files:
        text = texts[f"{below}{file.path}"]
        trouble = file.trouble or ("" if text.strip() else "no text, or too large to be read")
        mark = f" {hashlib.sha256(text.encode()).hexdigest()[:8]}" if file.repeats else ""
        found.append(Revision(revision=f"{file.path}{mark}", sql=(way_there(text),), trouble=trouble))
    return found


@dataclass(frozen=True)
class _Reader:
    pipeline: Pipeline
    workspace: Workspace
    name: str
    tool: MigrationTool

    @property
    def form(self) -> DatabaseForm:
        return self.workspace.database

    def read(self) -> list[Revision]:
        if self.tool.kind is ToolKind.DJANGO:
            return self._all(self._replayed())
        if self.tool.by_the_app:
            self._command("offline")
        try:
            told = self._alembic("offline", Services(self.form.told(NO_DATABASE)), TOLD_TIMEOUT_S)
        except ToolError as error:
            told = _nothing(error)
        trouble = told.ended or next((f"{one.name}: {one.trouble}" for one in told.revisions if one.trouble), "")
        return self._all(self._better(told, trouble) if trouble else told)

    def _better(self, told: _Told, trouble: str) -> _Told:
        """Take what cannot be told without a database as it runs on an empty one."""
        try:
            replayed = self._replayed()
        except SlipwayError as error:
            if not told.ended:
                return told
            raise ToolError(
                f"alembic made no SQL without a database ({trouble[:200]}), nor on an empty one ({str(error)[:200]}); "
                f"{_way_out(trouble)}"
            ) from error
        if told.ended:
            return replayed
        better = {one.revision: one for one in replayed.revisions}
        revisions = tuple(better.get(one.revision, one) if one.trouble else one for one in told.revisions)
        return told.model_copy(update={"revisions": revisions})

    def _all(self, told: _Told) -> list[Revision]:
        missing = set(told.known) - {one.revision for one in told.revisions}
        if missing:
            count = len(told.known)
            raise ReportError(
                f"{self.tool.kind} wrote down {count - len(missing)} of {count} revisions, not {min(missing)[:40]}"
            )
        return [one.judged for one in told.revisions]

    def _replayed(self) -> _Told:
        """Run all migrations on an empty database. Raises ToolError if that does not come to its end."""
        needs = Suite(command=("migrate",), database=True)
        with suite_services(f"{self.name}-migrations", needs, self.workspace) as services:
            if self.tool.kind is ToolKind.DJANGO:
                words = (self.tool.file, *self.tool.arguments)
                told = self._run("slipway_django.py", words, services, REPLAY_TIMEOUT_S, self.tool.folder)
            else:
                told = self._alembic("online", services, REPLAY_TIMEOUT_S)
        if told.ended:
            last = told.revisions[-1].name if told.revisions else "the first"
            raise ToolError(f"the migrations do not run on an empty database (at {last}): {told.ended}")
        return told

    def _alembic(self, mode: str, services: Services, timeout_s: float) -> _Told:
        script = "slipway_alembic.py"
        if self.tool.by_the_app:
            folder = self.tool.folder if self.tool.named else self.pipeline.run.directory
            return self._run(script, ("program", *self._command(mode)), services, timeout_s, folder)
        given = (*self._configuration(), self.tool.section, *self.tool.arguments)
        return self._run(script, (mode, *given), services, timeout_s, self.tool.folder)

    def _run(
        self,
        script: str,
        words: Sequence[str],
        services: Services,
        timeout_s: float,
        directory: str,
    ) -> _Told:
        """Run one of our scripts with the app's Python. The settings of a load test are there: it may not start
        without.
        """
        # The app's folder comes after its tool, which a folder of that name could hide.
        text = "import sys; sys.path.pop(0)\n" + Path(inside.__file__).with_name(script).read_text(encoding="utf-8")
        out = self.workspace.scratch(self.name) / "revisions.json"
        out.unlink(missing_ok=True)
        load = self.pipeline.performance
        done = self.workspace.run(
            self.name,
            self.workspace.argv(("python", "-u", "-c", text, str(out), *words)),
            {**(load.environment if load else {}), **services.environment, "PYTHONDONTWRITEBYTECODE": "1"},
            timeout_s,
            read_only=services.read_only,
            network=services.network,
            directory=directory,
        )
        tool = str(self.tool.kind)
        if done.failed:
            last = (done.output.strip().splitlines() or ["it said nothing"])[-1][:200]
            raise ToolError(f"{tool}: {done.how}: {last}")
        return as_report(_Told, parse_json(read_output(out, tool, LARGEST_TOLD_BYTES), done), tool)

    def _configuration(self) -> tuple[str, str]:
        """Return the .ini and the .toml, as alembic's own program takes both of where it starts."""
        file, folder = self.tool.file, self.tool.folder
        if file.endswith(".toml"):
            return "", file
        beside = "pyproject.toml" if folder == "." else f"{folder}/pyproject.toml"
        return file, "pyproject.toml" if beside in self.workspace.source.files else ""

    def _command(self, mode: str) -> tuple[str, ...]:
        """Return the app's own `flask db upgrade` as a module and its words."""
        command = read_command(self.pipeline.run.migrate)
        if command is None or not command.flask:
            raise ToolError(
                f"{self.tool.config} has no script_location, as Flask-Migrate writes it: expected [run] migrate = "
                '["python", "-m", "flask", ..., "db", "upgrade"], which knows the place, or a script_location in it'
            )
        return (*command.flask, "--sql") if mode == "offline" else command.flask


def _way_out(trouble: str) -> str:
    if "ModuleNotFoundError" in trouble:
        return "that module is in no lock of the app, or config/pipeline.toml says another folder"
    if "script_location" in trouble or "No config file" in trouble:
        return "[migrations] config names another file, or [run] migrate another section of it"
    return "let env.py heed context.is_offline_mode(), or take DATABASE_URL"


def _nothing(error: ToolError) -> _Told:
    return _Told(revisions=(), known=(), ended=str(error))
