"""Looking at a working tree from a repository of ours: the same answers as git gives, however the tree was made."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from host.errors import SourceError
from host.git import NO_USER_SETTINGS, git
from settings.pipeline import App
from tasks.source.borrowed import top_of
from tasks.source.git import refuse_dirty

WHO = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}


def run(at: Path, *argv: str) -> str:
    return git(*argv, at=at, env={**WHO, **NO_USER_SETTINGS})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    run(tmp_path, "init", "-q", "-b", "main", str(made))
    (made / "app.py").write_text("1\n")
    (made / "folder").mkdir()
    (made / "folder" / "more.py").write_text("2\n")
    run(made, "add", "-A")
    run(made, "commit", "-q", "-m", "first")
    return made


def as_it_is(tree: Path) -> Path:
    return tree


def a_linked_worktree(tree: Path) -> Path:
    run(tree, "worktree", "add", "-q", str(tree.parent / "linked"))
    return tree.parent / "linked"


def with_another_git_directory(tree: Path) -> Path:
    run(tree, "init", "-q", f"--separate-git-dir={tree.parent / 'elsewhere'}")
    return tree


def with_a_split_index(tree: Path) -> Path:
    run(tree, "update-index", "--split-index")
    return tree


def with_a_sparse_checkout(tree: Path) -> Path:
    run(tree, "sparse-checkout", "set", "--cone", "nothing")
    return tree


def with_windows_line_ends(tree: Path) -> Path:
    run(tree, "config", "core.autocrlf", "true")
    (tree / "app.py").unlink()
    run(tree, "checkout", "--", "app.py")
    assert (tree / "app.py").read_bytes() == b"1\r\n"
    os.utime(tree / "app.py", (1, 1))  # git looks at the content again
    return tree


def without_modes(tree: Path) -> Path:
    run(tree, "config", "core.fileMode", "false")
    (tree / "app.py").chmod(0o755)
    return tree


def without_its_own_objects(tree: Path) -> Path:
    run(tree.parent, "clone", "-q", "--shared", str(tree), str(tree.parent / "clone"))
    return tree.parent / "clone"


@pytest.mark.parametrize(
    "made",
    [
        as_it_is,
        a_linked_worktree,
        with_another_git_directory,
        with_a_split_index,
        with_a_sparse_checkout,
        with_windows_line_ends,
        without_modes,
        without_its_own_objects,
    ],
    ids=lambda made: made.__name__,
)
def test_a_clean_tree_is_clean_and_a_changed_one_is_not(tree: Path, made: Callable[[Path], Path]) -> None:
    place = made(tree)
    app = App(name="shop", repository=str(place))
    refuse_dirty(app)
    assert top_of(place) == place
    (place / "app.py").write_text("something else\n")
    with pytest.raises(SourceError, match=r"1 uncommitted changes \(M app.py"):
        refuse_dirty(app)


def test_a_tree_without_a_commit_is_dirty_only_with_files(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q", str(tmp_path / "shop"))
    app = App(name="shop", repository=str(tmp_path / "shop"))
    refuse_dirty(app)
    (tmp_path / "shop" / "new.py").touch()
    with pytest.raises(SourceError, match="new.py"):
        refuse_dirty(app)
