"""Runs of tests in copies of a tree."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.copies import NO_TESTS, Copy, copies, tracked
from host.errors import ToolError
from tests.waiting import wait_for

PASSES = "def test_it(): pass\n"
HANGS = """
import pathlib, signal, subprocess, sys

def test_it():
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"], stdin=subprocess.DEVNULL, start_new_session=True
    )
    pathlib.Path({note!r}).write_text(str(child.pid))
    signal.pause()
"""


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading what the runs have no need of takes longer than they do."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a test, a link, and a file that git ignores."""
    made = tmp_path / "root"
    made.mkdir()
    subprocess.run(["git", "init", "-q", str(made)], check=True)
    (made / "test_it.py").write_text(PASSES)
    (made / "link").symlink_to("test_it.py")
    (made / ".gitignore").write_text("ignored\n")
    (made / "ignored").write_text("")
    return made


@pytest.fixture
def copy(root: Path) -> Iterator[Copy]:
    with copies(root, tracked(root), 1) as (available, _):
        yield available[0]


def test_files_are_told_that_are_there_and_not_ignored(root: Path) -> None:
    (root / "gone.py").write_text("")
    subprocess.run(["git", "-C", str(root), "add", "."], check=True)
    (root / "gone.py").unlink()
    (root / "new.py").write_text("")
    assert tracked(root) == [".gitignore", "link", "new.py", "test_it.py"]


def test_atree_without_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="git ls-files ended with 128"):
        tracked(tmp_path)


def test_each_copy_has_the_files_and_is_gone_afterwards(root: Path) -> None:
    with copies(root, tracked(root), 2) as (available, _):
        trees = [one.tree for one in available]
        assert len(set(trees)) == 2
        for tree in trees:
            assert sorted(os.listdir(tree)) == [".gitignore", "link", "test_it.py"]
            assert (tree / "link").readlink() == Path("test_it.py")
    assert not any(tree.exists() for tree in trees)


def test_a_file_is_changed_in_the_copy_alone_and_put_back(root: Path) -> None:
    (root / "test_it.py").write_bytes(b"def test_it(): pass\r\n")
    with copies(root, tracked(root), 1) as (available, _):
        copied = available[0].tree / "test_it.py"
        with available[0].changed("test_it.py", "other"):
            assert copied.read_text() == "other"
            assert (root / "test_it.py").read_bytes() == b"def test_it(): pass\r\n"
        assert copied.read_bytes() == b"def test_it(): pass\r\n"
        with pytest.raises(KeyError), available[0].changed("test_it.py", "other"):
            raise KeyError
        assert copied.read_bytes() == b"def test_it(): pass\r\n"


@pytest.mark.parametrize(
    ("text", "code", "output"),
    [
        (PASSES, 0, "1 passed"),
        ("def test_it(): assert 1 == 2\ndef test_more(): assert 0\n", 1, "1 failed"),
        ("import no_such_module\n", 2, "No module named 'no_such_module'"),
        ("import pytest\n@pytest.mark.stack\ndef test_it(): assert 0\n", NO_TESTS, "1 deselected"),
    ],
)
def test_pytest_tells_how_a_run_ended(copy: Copy, text: str, code: int, output: str) -> None:
    with copy.changed("test_it.py", text):
        ended = copy.run(["test_it.py"], 600)
    assert ended.code == code and output in ended.output


def test_a_run_over_its_limit_is_killed_with_what_it_started(root: Path, tmp_path: Path) -> None:
    note, stop = tmp_path / "child", threading.Event()
    (root / "test_it.py").write_text(HANGS.format(note=str(note)))
    copy = Copy(root, tracked(root), tmp_path / "copy", stop)
    ends: list[int | None] = []
    runs = threading.Thread(target=lambda: ends.append(copy.run(["test_it.py"], 600).code))
    runs.start()
    try:
        wait_for(lambda: note.exists() and note.read_text() != "", "the test has started its child")
    finally:
        stop.set()
        runs.join()
    wait_for(lambda: not _alive(int(note.read_text())), "the child is gone")
    assert ends == [None]


def test_the_limit_ends_a_run(root: Path) -> None:
    (root / "test_it.py").write_text("import signal\ndef test_it(): signal.pause()\n")
    with copies(root, tracked(root), 1) as (available, _):
        assert available[0].run(["test_it.py"], 0).code is None


def test_what_an_ended_run_leaves_behind_is_killed(copy: Copy, tmp_path: Path) -> None:
    note = tmp_path / "child"
    text = HANGS.format(note=str(note)).replace(", start_new_session=True", "").replace("    signal.pause()\n", "")
    with copy.changed("test_it.py", text):
        assert copy.run(["test_it.py"], 600).code == 0
    wait_for(lambda: not _alive(int(note.read_text())), "the child is gone")


def test_a_run_has_a_session_of_its_own(copy: Copy) -> None:
    text = f"import os\ndef test_it(): assert os.getsid(0) == os.getpid() != {os.getsid(0)}\n"
    with copy.changed("test_it.py", text):
        assert copy.run(["test_it.py"], 600).code == 0


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
