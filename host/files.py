"""Files of this host: their digests, how they are replaced at once, and locks between processes."""

import fcntl
import hashlib
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def sha256_file(file: Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(file: Path, content: bytes, mode: int = 0o600, group: int = -1) -> None:
    """Put `content` at `file` so that a reader, or a crash, sees the old or the new and nothing between. `group` is its
    gid, -1 for ours.
    """
    with replacing(file, mode, group) as stream:
        stream.write(content)


@contextmanager
def replacing(file: Path, mode: int = 0o600, group: int = -1) -> Iterator[BinaryIO]:
    """Yield a new file that replaces `file` when the block succeeds; its directory is made if need be.

    When this returns, the new content is on the disk, also after a power cut. When the block raises, nothing is left
    of the new file. `mode` holds whatever the umask is.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchown(descriptor, -1, group)
            os.fchmod(descriptor, mode)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_directory(file.parent)


def read_or_create(file: Path, create: Callable[[], bytes]) -> bytes:
    """Return a file's content. If absent, make it (0600) of what `create` returns; of two at once the first wins."""
    if not file.exists():
        fresh = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
        write_atomically(fresh, create())
        try:
            with suppress(FileExistsError):
                os.link(fresh, file)  # unlike a rename, it never replaces what is there
        finally:
            fresh.unlink()
        sync_directory(file.parent)
    return file.read_bytes()


def give(directory: Path, owner: int) -> None:
    """Make a tree belong to a user (only root can; else it does already). No link in it is followed.

    The top is ours until the rest has changed hands: where it belongs to another user, all of it does.
    """
    if os.geteuid() != 0:
        return
    if owner == os.geteuid():
        os.lchown(directory, owner, owner)
    for folder, folders, files in os.walk(directory) if not os.path.islink(directory) else ():
        for name in (*folders, *files):
            os.lchown(Path(folder, name), owner, owner)
    os.lchown(directory, owner, owner)


@contextmanager
def lent(directory: Path, owner: int) -> Iterator[None]:
    """Have a tree that several processes share belong to another user for the block, and to us after the last of them.

    Who uses it holds a shared lock of the file beside it, so nobody changes its owner while another one works in it. A
    crash leaves it lent, until the next who uses it has ended.
    """
    if os.geteuid() == owner:
        yield
        return
    lock = directory.with_name(f"{directory.name}.lent")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            if _alone(descriptor):
                give(directory, owner)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if directory.lstat().st_uid == owner:  # else it was given back before we had the lock
                break
        try:
            yield
        finally:
            if _alone(descriptor):
                give(directory, os.geteuid())
    finally:
        os.close(descriptor)


def _alone(descriptor: int) -> bool:
    """Turn a lock into an exclusive one, and return whether that could be; what was held before is gone either way."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove_tree(directory: Path) -> None:
    """Remove a directory and what lies in it, however deep; nothing if it is not there. No link is followed.

    What an app left may be nested deeper than a function can call itself, and than a path can be long: a folder in a
    folder is moved up before its turn comes. Nobody else may write to it meanwhile. Raises OSError.
    """
    if directory.is_symlink() or not directory.is_dir():
        directory.unlink(missing_ok=True)
        return
    waiting = [directory]
    while waiting:
        folder = waiting.pop()
        os.chmod(folder, 0o700)
        for entry in list(os.scandir(folder)):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
            elif folder == directory:
                waiting.append(Path(entry.path))
            else:
                waiting.append(directory / uuid.uuid4().hex)
                os.chmod(entry.path, 0o700)  # only who may write to a folder may move it
                os.rename(entry.path, waiting[-1])
        if folder != directory:
            os.rmdir(folder)
    os.rmdir(directory)


def sync_directory(directory: Path) -> None:
    """Have the names in a directory on the disk: a new or renamed file is lost in a power cut otherwise."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def open_directory(directory: Path) -> Iterator[Path]:
    """Yield a short path of a directory, whatever its name: an address of a unix socket has 107 characters at most."""
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock of a file for the block, and wait for whoever holds it, however long. The file is made, 0600.

    The system releases it with the process, so a crash leaves no lock behind.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
