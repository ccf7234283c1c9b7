"""The app's migrations as SQL, judged by squawk: would they break the version that still runs, or lock a table?"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from gates.findings import Finding
from gates.scans.linters import SQUAWK_IGNORED, migrations_in, read_squawk
from gates.scans.outcome import ReportError, ScanOutcome, merge_parts
from gates.scans.policy import Migrations
from host.errors import ToolError
from tasks.scans import Subject
from tasks.scans.files import LARGEST_TEXT_BYTES, named
from tasks.scans.tools import output_folder, read_output, run_tool, scanner, scratch
from tasks.source.workspace import Workspace

ALEMBIC_TIMEOUT_S = 60
# The output goes to a file of its own: what the app prints is not SQL.
TO_SQL = """
import sys
from alembic import command
from alembic.config import Config
with open(sys.argv[1], "w", encoding="utf-8") as file:
    command.upgrade(Config("alembic.ini", output_buffer=file), "head", sql=True)
"""
# Nothing listens there: SQL is made without a database.
NO_DATABASE = "postgresql://nobody@127.0.0.1:1/none"
CANARY = "canary.sql"
REVISION = re.compile(rb"^revision\s*(:[^=\n]*)?=", re.MULTILINE)
DOWN_REVISION = re.compile(rb"^down_revision\s*(:[^=\n]*)?=", re.MULTILINE)


def judge_migrations(subject: Subject, files: Mapping[str, int], rules: Migrations, timeout_s: float) -> ScanOutcome:
    """Judge what each alembic.ini of the commit would run. Raises ToolError or ReportError if that cannot be found out.

    A migration that creates a table may do with it what it likes: squawk sees each revision by itself.
    """
    folders = [name.rpartition("/")[0] or "." for name in named(list(files), ("alembic.ini",))]
    written = {folder: _written(subject.tree, files, folder, folders) for folder in folders}
    if not folders:
        return ScanOutcome(examined=("no migrations",))
    return merge_parts(_judge(subject, folder, written[folder], rules, timeout_s) for folder in folders)


def _written(tree: Path, files: Mapping[str, int], folder: str, folders: Sequence[str]) -> int:
    """Return how many revisions are written below an alembic.ini, and not below a deeper one."""
    count = 0
    for name, size in files.items():
        inside = max((other for other in folders if other == "." or name.startswith(f"{other}/")), key=len, default="")
        if inside == folder and name.endswith(".py") and size <= LARGEST_TEXT_BYTES:
            text = (tree / name).read_bytes()
            count += bool(REVISION.search(text) and DOWN_REVISION.search(text))
    return count


def _judge(subject: Subject, folder: str, written: int, rules: Migrations, timeout_s: float) -> ScanOutcome:
    sql = alembic_sql(subject.workspace, "policy", folder)
    if len(migrations_in(sql, "")) < written:
        raise ReportError(f"alembic wrote down {len(migrations_in(sql, ''))} of {written} revisions")
    revisions = migrations_in(sql, rules.judged_after)
    if not revisions:
        return ScanOutcome(examined=("no migrations to judge",))
    texts = {f"{folder}/{revision}".removeprefix("./"): sql for revision, sql in revisions.items()}
    work = scratch(subject, "policy/sql") / re.sub(r"\W", "_", folder)
    reported, problems = run_squawk(subject.workspace, scanner("squawk"), work, texts, timeout_s)
    findings = tuple(
        finding.model_copy(update={"file": "", "message": f"migration {finding.file}: {finding.message}"[:500]})
        for finding in reported
    )
    return ScanOutcome(findings, tuple(problems), (f"{len(revisions)} migrations",))


def run_squawk(
    workspace: Workspace, program: Path, work: Path, texts: Mapping[str, str], timeout_s: float
) -> tuple[list[Finding], list[str]]:
    """Return what squawk finds in SQL, each finding with the text's name as its file, and what it could not read.

    Raises ToolError or ReportError if it cannot be run, or does not find a statement that must be found.
    """
    work.mkdir(parents=True, exist_ok=True)
    named = {**texts, CANARY: "DROP TABLE canary;\n"}
    paths = {str(work / f"{number:04}.sql"): name for number, name in enumerate(named)}
    for path, name in paths.items():
        Path(path).write_text(named[name], encoding="utf-8")
    (work / "squawk.toml").write_text("", encoding="utf-8")
    argv = [str(program), "--reporter", "Json", "--config", str(work / "squawk.toml")]
    argv += ["--assume-in-transaction", "--exclude", ",".join(SQUAWK_IGNORED), *paths]
    out = output_folder(work)
    said = run_tool(argv, workspace=workspace, out=out, reads=(work,), timeout_s=timeout_s, exits=(0, 1))
    findings, problems = read_squawk(said, paths, named)
    if not any((finding.file, finding.rule) == (CANARY, "ban-drop-table") for finding in findings):
        raise ReportError("squawk did not find the canary, a statement that must be found")
    return [finding for finding in findings if finding.file != CANARY], problems


def alembic_sql(workspace: Workspace, name: str, folder: str) -> str:
    """Return all of `folder`/alembic.ini as SQL: the app's alembic writes it down in the sandbox, without a database.

    `name` is the check that it is for. Raises ToolError if it cannot.
    """
    out = workspace.scratch(name) / "upgrade.sql"
    out.unlink(missing_ok=True)
    argv = workspace.argv(("python", "-u", "-c", TO_SQL, str(out)))
    env = {"DATABASE_URL": NO_DATABASE, "PYTHONDONTWRITEBYTECODE": "1"}
    done = workspace.run(name, argv, env, ALEMBIC_TIMEOUT_S, directory=folder)
    if done.failed:
        last = (done.output.strip().splitlines() or ["it said nothing"])[-1][:200]
        raise ToolError(f"alembic made no SQL without a database ({last}); let env.py heed context.is_offline_mode()")
    return read_output(out, "alembic").decode(errors="replace")
