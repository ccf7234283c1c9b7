"""Files that are replaced at once, and locks between processes."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.files import give, locked, read_or_create, replacing, sha256_file, write_atomically


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Modes must be right whatever the user's umask is; the test suite's own would hide wrong ones."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_file_is_made_with_its_directory_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "file"
    write_atomically(file, b"content")
    assert (file.read_bytes(), mode(file), os.listdir(file.parent)) == (b"content", 0o600, ["file"])


def test_a_file_that_others_could_read_is_replaced_by_one_that_they_cannot(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o644)
    write_atomically(file, b"new")
    assert (file.read_bytes(), mode(file)) == (b"new", 0o600)


def test_who_reads_meanwhile_sees_the_old_content_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with replacing(file) as stream:
        stream.write(b"half of the new")
        stream.flush()
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"half of the new"


def test_another_mode_holds_too_and_a_file_that_is_written_is_nobodys_to_read(tmp_path: Path) -> None:
    with replacing(tmp_path / "secret"):
        assert [mode(file) for file in tmp_path.iterdir()] == [0o600]
    os.umask(0o077)
    write_atomically(tmp_path / "open", b"", mode=0o444)
    assert (mode(tmp_path / "secret"), mode(tmp_path / "open")) == (0o600, 0o444)


def test_a_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "file"
    assert read_or_create(file, lambda: b"first") == b"first"
    assert read_or_create(file, lambda: b"second") == b"first"
    assert (mode(file), os.listdir(file.parent)) == (0o600, ["file"])


def test_of_two_that_make_a_file_at_once_the_first_wins(tmp_path: Path) -> None:
    file = tmp_path / "file"

    def late() -> bytes:
        file.write_bytes(b"first")  # another process, after we looked
        return b"second"

    assert read_or_create(file, late) == b"first"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(type(error)), replacing(file) as stream:
        stream.write(b"half")
        raise error
    assert (file.read_bytes(), os.listdir(tmp_path)) == (b"old", ["file"])


CRASHING = """
import os, signal, sys
from pathlib import Path
from host import files
def crash(*_): os.kill(os.getpid(), signal.SIGKILL)
files.os.replace = crash
files.write_atomically(Path(sys.argv[1]), b"new")
"""


def test_a_crash_between_writing_and_renaming_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    assert subprocess.run([sys.executable, "-c", CRASHING, str(file)], check=False).returncode == -9
    assert file.read_bytes() == b"old"
    write_atomically(file, b"newer")
    assert file.read_bytes() == b"newer"


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with locked(tmp_path / "lock"):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(tmp_path / "lock"):
        thread.start()
        waiting.wait()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert mode(tmp_path / "lock") == 0o600


HOLDING = """
import os, sys
from pathlib import Path
from host.files import locked
with locked(Path(sys.argv[1])):
    os._exit(3)
"""


def test_a_lock_is_free_again_after_an_error_and_after_its_process(tmp_path: Path) -> None:
    with pytest.raises(ValueError), locked(tmp_path / "lock"):
        raise ValueError
    assert subprocess.run([sys.executable, "-c", HOLDING, str(tmp_path / "lock")], check=False).returncode == 3
    with locked(tmp_path / "lock"):
        pass


def test_a_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_file(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a tree away")
def test_a_tree_is_given_without_what_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "of the host").mkdir()
    (tmp_path / "of the host" / "file").write_text("x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "of the host")
    (tmp_path / "top").symlink_to(tmp_path / "of the host")
    give(tmp_path / "tree", 12345)
    give(tmp_path / "top", 12345)
    assert (tmp_path / "tree" / "link").lstat().st_uid == (tmp_path / "top").lstat().st_uid == 12345
    assert {one.stat().st_uid for one in (tmp_path / "of the host", tmp_path / "of the host" / "file")} == {0}
