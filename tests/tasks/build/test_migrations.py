"""The app's migrations, judged with the real alembic and the real squawk when its artifact is built."""

import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from gates.migrations.steps import Kind, Step
from gates.scans.outcome import ReportError
from host.errors import ToolError
from tasks.build import migrations
from tests.tasks.scans import test_policy as policy
from tests.tasks.scans.commits import Files, commit, program, subject_of


def judged_steps(tmp_path: Path, files: Files) -> tuple[Step, ...]:
    commit(tmp_path / "app", {**policy.BASE, **files})
    subject = subject_of(tmp_path / "app", tmp_path / "work", environment=Path(sys.prefix))
    return migrations.judge_steps(subject.pipeline, subject.workspace)


def judged(tmp_path: Path, files: Files) -> list[Kind]:
    return [step.kind for step in judged_steps(tmp_path, files)]


def test_each_revision_is_judged_in_order(tmp_path: Path) -> None:
    bodies = (policy.CREATE, "op.add_column('a', sa.Column('c', sa.Text))", "op.drop_column('a', 'b')")
    assert judged(tmp_path, policy.migrations(*bodies)) == [Kind.EXPAND, Kind.EXPAND, Kind.CONTRACT]


def test_what_a_revision_makes_itself_it_may_take_away(tmp_path: Path) -> None:
    bodies = (f"{policy.CREATE}; op.drop_column('a', 'b')", "op.alter_column('a', 'id', new_column_name='b')")
    assert judged(tmp_path, policy.migrations(*bodies)) == [Kind.EXPAND, Kind.CONTRACT]


def test_what_was_judged_is_recalled_for_what_means_the_same(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "get_run_logger", lambda: logging.getLogger())
    looked: list[str] = []
    steps = (Step(revision="1", kind=Kind.EXPAND, reason="CREATE TABLE a"),)
    monkeypatch.setattr(migrations, "judge_steps", lambda _, workspace: looked.append(workspace.source.branch) or steps)

    def judge(files: Files, branch: str = "main", refresh: bool = False) -> int:
        """Return how often somebody really looked by now."""
        at = Path(tempfile.mkdtemp(dir=tmp_path))
        commit(at / "app", files)
        subject = subject_of(at / "app", at / "work", environment=Path(sys.prefix))
        source = replace(subject.workspace.source, branch=branch)
        assert (
            migrations.judge_migrations.fn(subject.pipeline, replace(subject.workspace, source=source), refresh)
            == steps
        )
        return len(looked)

    files = {**policy.BASE, **policy.migrations(policy.CREATE)}
    revision = next(name for name in files if name.endswith(".py") and "versions" in name)
    assert [judge(files), judge(files)] == [1, 1]
    commented = {**files, revision: f"# why so\n{files[revision]}"}
    assert judge(commented) == 1
    assert judge(files, branch="other") == 2, "another branch's commits wrote what is kept there"
    assert judge(files, refresh=True) == 3
    changed = {**files, revision: str(files[revision]).replace("def upgrade", "LATER = 1\ndef upgrade")}
    assert judge(changed) == 4
    for kept in (home / "cache" / "migrations").rglob("*.json"):
        kept.write_text("damaged")
    assert judge(changed) == 5


def test_a_revision_that_cannot_be_written_down_is_not_called_safe_and_hides_no_other(tmp_path: Path) -> None:
    bodies = (policy.CREATE, "raise ValueError('broken')", "op.add_column('a', sa.Column('c', sa.Text))")
    steps = judged_steps(tmp_path, policy.migrations(*bodies))
    assert [step.kind for step in steps] == [Kind.EXPAND, Kind.CONTRACT, Kind.EXPAND]
    assert "not known to be safe: ValueError: broken" in steps[1].reason


def test_nobody_has_judged_what_cannot_be_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="alembic made no SQL without a database .*no such thing"):
        judged(tmp_path, {**policy.migrations(policy.CREATE), "migrations/env.py": "raise OSError('no such thing')"})


def test_an_app_without_migrations_has_none_to_judge(tmp_path: Path) -> None:
    assert judged(tmp_path, {}) == []


MERGE = """revision = "{0}"
down_revision = {1}
{2}
from alembic import op
import sqlalchemy as sa
def upgrade():
    {3}
"""


def revision(name: str, after: str, body: str = "pass", more: str = "") -> tuple[str, str]:
    return f"migrations/versions/{name}.py", MERGE.format(name, after, more, body)


def test_branches_and_merges_take_nothing_away(tmp_path: Path) -> None:
    files = {
        **policy.migrations(),
        **dict(
            [
                revision("a", "None", policy.CREATE),
                revision("b", '"a"', "op.add_column('a', sa.Column('x', sa.Text))"),
                revision("c", '"a"', "op.add_column('a', sa.Column('y', sa.Text))", 'branch_labels = ("side",)'),
                revision("d", '("b", "c")'),
                revision("e", "None", "op.create_table('other', sa.Column('id', sa.Integer))", 'depends_on = "d"'),
                revision("f", '"e"', "op.drop_table('other')"),
                revision("g", '"d"'),
            ]
        ),
    }
    kinds = {step.revision: step.kind for step in judged_steps(tmp_path, files)}
    assert kinds == {**dict.fromkeys("abcdeg", Kind.EXPAND), "f": Kind.CONTRACT}


def test_a_squawk_that_sees_nothing_has_judged_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "print('[]')", "squawk")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin").chmod(0o755)  # the sandbox's user runs it
    (tmp_path / "squawk").rename(tmp_path / "bin" / "squawk")
    monkeypatch.setattr(migrations, "own_tools", lambda group: tmp_path)
    with pytest.raises(ReportError, match="did not find the canary"):
        judged(tmp_path, policy.migrations(policy.CREATE))
