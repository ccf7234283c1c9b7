"""The app's migrations, judged with the real alembic and the real squawk when its artifact is built."""

import sys
from pathlib import Path

import pytest

from evidence.errors import ToolError
from gates.migrations import Kind
from gates.scans import ReportError
from tasks import migrations
from tests.tasks.scans import test_policy as policy
from tests.tasks.scans.commits import Files, commit, program, subject_of


def judged(tmp_path: Path, files: Files) -> list[Kind]:
    commit(tmp_path / "app", {**policy.BASE, **files})
    subject = subject_of(tmp_path / "app", tmp_path / "work", environment=Path(sys.prefix))
    return [step.kind for step in migrations.judge_steps(subject.workspace)]


def test_each_revision_is_judged_in_order(tmp_path: Path) -> None:
    bodies = (policy.CREATE, "op.add_column('a', sa.Column('c', sa.Text))", "op.drop_column('a', 'b')")
    assert judged(tmp_path, policy.migrations(*bodies)) == [Kind.EXPAND, Kind.EXPAND, Kind.CONTRACT]


def test_a_revision_that_cannot_be_written_down_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="broken"):
        judged(tmp_path, policy.migrations("raise ValueError('broken')"))


def test_a_squawk_that_sees_nothing_has_judged_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "print('[]')", "squawk")
    (tmp_path / "bin").mkdir()
    (tmp_path / "squawk").rename(tmp_path / "bin" / "squawk")
    monkeypatch.setattr(migrations, "own_tools", lambda group: tmp_path)
    with pytest.raises(ReportError, match="did not find the canary"):
        judged(tmp_path, policy.migrations(policy.CREATE))
