"""The app's migrations as SQL, judged by squawk: would they break the version that still runs, or lock a table?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gates.findings import Finding
from gates.migrations.revision import without_own
from gates.scans.linters import SQUAWK_IGNORED, read_squawk
from gates.scans.outcome import ReportError, ScanOutcome
from gates.scans.policy import Migrations
from tasks.scans import Subject
from tasks.scans.revisions import Revision, read_revisions
from tasks.scans.tools import output_folder, run_tool, scanner, scratch
from tasks.source.workspace import Workspace

CANARY = "canary.sql"
NAMED = 5


def judge_migrations(subject: Subject, rules: Migrations, timeout_s: float) -> ScanOutcome:
    """Judge what each revision of the app's migrations would run. Raises ToolError or ReportError if that cannot be
    found out.

    A migration may do what it likes with a table that it creates: squawk is not told.
    """
    revisions = _after(read_revisions(subject.pipeline, subject.workspace, "policy"), rules.judged_after)
    texts = {one.name: one.text for one in revisions if not one.trouble}
    blind = _untold([one for one in revisions if one.trouble])
    if not texts:
        return ScanOutcome(problems=tuple(blind), examined=("no migrations to judge",))
    work = scratch(subject, "policy/sql")
    reported, problems = run_squawk(subject.workspace, scanner("squawk"), work, texts, timeout_s)
    findings = tuple(
        finding.model_copy(update={"file": "", "message": f"migration {finding.file}: {finding.message}"[:500]})
        for finding in reported
    )
    return ScanOutcome(findings, (*blind, *problems), (f"{len(revisions)} migrations",))


def _untold(revisions: Sequence[Revision]) -> list[str]:
    lines = [f"migration {one.name} cannot be judged: {one.trouble}" for one in revisions[:NAMED]]
    if len(revisions) > NAMED:
        lines.append(f"{len(revisions) - NAMED} more migrations cannot be judged either")
    if lines:
        lines.append(
            "where all that cannot be judged was released before: name the newest such migration as judged_after in "
            "[migrations] of config/policy.toml"
        )
    return lines


def _after(revisions: Sequence[Revision], after: str) -> list[Revision]:
    """Return the revisions that come after one, all of them after "". Raises ReportError if it is none of them."""
    names = [one.name for one in revisions]
    if after and after not in names:
        raise ReportError(f"[migrations] judged_after names {after[:40]!r}, which is none of the revisions")
    return list(revisions[names.index(after) + 1 if after else 0 :])


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
        Path(path).write_text(without_own(named[name]), encoding="utf-8")
    (work / "squawk.toml").write_text("", encoding="utf-8")
    argv = [str(program), "--reporter", "Json", "--config", str(work / "squawk.toml")]
    argv += ["--assume-in-transaction", "--exclude", ",".join(SQUAWK_IGNORED), *paths]
    out = output_folder(work)
    said = run_tool(argv, workspace=workspace, out=out, reads=(work,), timeout_s=timeout_s, exits=(0, 1))
    findings, problems = read_squawk(said, paths, named)
    if not any((finding.file, finding.rule) == (CANARY, "ban-drop-table") for finding in findings):
        raise ReportError("squawk did not find the canary, a statement that must be found")
    return [finding for finding in findings if finding.file != CANARY], problems
