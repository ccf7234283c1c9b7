from pathlib import Path

import pytest

from host.errors import SourceError
from settings.pipeline import App
from tasks.source.laid_out import lay_out_branch, lay_out_tree
from tests.tasks.source.test_working_tree import repository, run

__all__ = ["repository"]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    made = tmp_path / "scratch"
    made.mkdir()
    return made


def test_a_working_tree_is_laid_out_as_it_is(repository: Path, scratch: Path, tmp_path: Path) -> None:
    (repository / "new.py").write_text("two = 2\n")
    (repository / "ignored").write_text("x")
    found = lay_out_tree(repository, tmp_path / "out", scratch)
    assert found.name == "the working tree größe (with uncommitted changes)" and found.notes == ()
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [".gitignore", "app.py", "new.py"]


def test_the_branch_is_laid_out_without_what_no_commit_has(repository: Path, scratch: Path, tmp_path: Path) -> None:
    run(repository, "branch", "-m", "main")
    (repository / "new.py").write_text("two = 2\n")
    found = lay_out_branch(App(name="shop", repository=str(repository)), tmp_path / "out", scratch)
    assert (
        found.name.startswith("the newest commit of main, ") and "1 uncommitted changes are not in it" in found.notes[0]
    )
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [".gitignore", "app.py"]
    assert not (tmp_path / "state").exists()


def test_what_is_no_repository_or_leads_out_of_it_is_refused(repository: Path, scratch: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such repository"):
        lay_out_branch(App(name="shop", repository=str(tmp_path / "absent")), tmp_path / "out", scratch / "a")
    with pytest.raises(SourceError, match="other"):
        (scratch / "b").mkdir()
        lay_out_branch(App(name="shop", repository=str(repository), branch="other"), tmp_path / "out", scratch / "b")
    (repository / "link").symlink_to("/etc/passwd")
    with pytest.raises(SourceError, match="cannot be laid out"):
        (scratch / "c").mkdir()
        lay_out_tree(repository, tmp_path / "out", scratch / "c")
