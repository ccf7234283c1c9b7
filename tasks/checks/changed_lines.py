"""How many of the lines that a commit changed are covered: diff-cover, on git's diff and coverage's report."""

import os
from pathlib import Path

from pydantic import Field, ValidationError

from gates.checks.coverage import Changed, Unmeasured
from gates.checks.reports import last_line
from gates.documents import Foreign
from host.errors import SourceError
from host.files import give
from host.git import git
from host.sandbox import run as sandbox
from host.trees import shown
from tasks.source.dependencies import own_tools
from tasks.source.workspace import Workspace

TIMEOUT_S = 120
LARGEST_REPORT_BYTES = 50_000_000
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # git's name for no files at all
# What a person's own git configuration could change about a diff.
PLAIN = ("--no-color", "--text", "--no-ext-diff", "--no-textconv", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/")


class _File(Foreign, of="coverage.py's report"):
    violation_lines: list[int] = Field(max_length=1_000_000)
    covered_lines: list[int] = Field(default=[], max_length=1_000_000)


class _Report(Foreign, of="coverage.py's report"):
    """diff-cover's JSON. Its percentage is rounded; the lines are not."""

    src_stats: dict[str, _File]
    total_num_lines: int = Field(ge=0)
    total_num_violations: int = Field(ge=0)
    num_changed_lines: int = Field(ge=0)


def look_at_changes(name: str, workspace: Workspace, lcov: Path, files: list[str]) -> Changed | Unmeasured:
    """Return how many of the changed lines of `files` are covered, against the commit that the source names as parent.

    Without a parent every line is a changed one. Runs in the check's sandbox.
    """
    try:
        diff, added = _diff(workspace)
    except SourceError as error:
        return Unmeasured(reason=f"the changed lines cannot be told: {error}")
    # Where no app code writes: it has run in this sandbox before, and may have laid links in what it could write.
    ours = workspace.root / name / "changes"
    ours.mkdir(mode=0o755, exist_ok=True)
    (ours / "changes.diff").write_text(diff, encoding="utf-8")
    (ours / "changes.diff").chmod(0o644)
    ours.chmod(0o755)
    target = workspace.scratch(name) / "changes.json"
    _make_repository(workspace.root / name / "source")
    tools = own_tools("quality")
    argv = [str(tools / "bin" / "diff-cover"), str(lcov), "--diff-file", str(ours / "changes.diff")]
    argv += ["--format", f"json:{target}"]
    done = workspace.run(name, argv, {}, TIMEOUT_S, read_only=(tools, ours), log=f"{name}-changes.log")
    if done.failed:
        return Unmeasured(reason=f"diff-cover {done.how}: {last_line(done.output)}")
    return read_changes(target, files, added)


def _diff(workspace: Workspace) -> tuple[str, int]:
    """Return the diff of all Python files without context, and how many lines it adds."""
    source = workspace.source
    what = (source.parent or EMPTY_TREE, source.commit, "--", "*.py")
    settings = ("-c", "core.quotePath=false", "diff", *PLAIN)
    diff = git(*settings, "-U0", *what, at=source.repository)
    _refuse_other_lines(diff)
    rows = filter(None, git(*settings, "--numstat", "-z", *what, at=source.repository).split("\0"))
    counts = [row.split("\t", 1)[0] for row in rows]
    return f"{diff}\n", sum(int(count) for count in counts if count.isdigit())


def _refuse_other_lines(diff: str) -> None:
    """Raise SourceError for a line that Python reads as several: then changes of it are fewer than they are."""
    file = ""
    for line in diff.split("\n"):
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif line.startswith("+") and "\r" in line[:-1]:
            raise SourceError(
                f"{shown(file)} ends lines with a carriage return alone, which git takes for one line; end them with a "
                "line feed"
            )


def _make_repository(source: Path) -> None:
    """Give diff-cover the repository that it looks for, though it reads nothing from it."""
    if not os.path.lexists(source / ".git"):
        git("init", "-q", "--template=", str(source))
        give(source / ".git", sandbox.check_owner())


def read_changes(file: Path, files: list[str], added: int) -> Changed | Unmeasured:
    """Return diff-cover's figures, from its lines and not from its rounded percentage; the reason when they cannot be
    right: not whole, of other files, or blind to lines that the diff has.
    """
    if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST_REPORT_BYTES:
        return Unmeasured(reason="diff-cover left no report that can be read")
    try:
        found = _Report.model_validate_json(file.read_bytes())
        missing = sum(len(one.violation_lines) for one in found.src_stats.values())
        lines = missing + sum(len(one.covered_lines) for one in found.src_stats.values())
        changed = Changed(
            lines=found.total_num_lines,
            missing=found.total_num_violations,
            files={path: tuple(one.violation_lines) for path, one in sorted(found.src_stats.items())},
        )
    except (ValidationError, ValueError) as error:
        return Unmeasured(reason=f"diff-cover's report cannot be read: {str(error).splitlines()[0]}")
    if (lines, missing) != (changed.lines, changed.missing) or not set(changed.files) <= set(files):
        return Unmeasured(reason="diff-cover's report contradicts itself")
    if found.num_changed_lines != added:
        return Unmeasured(reason=f"diff-cover read {found.num_changed_lines} of {added} changed lines")
    return changed
