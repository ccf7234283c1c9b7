"""Source distributions laid out to be built: a stranger's archive, bounded before anything of it is written."""

import bz2
import gzip
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from io import BufferedIOBase
from pathlib import Path
from typing import IO

from host.trees import Entry, Kind, UnsafeTree, of_repository, refuse_unsafe, shown, unpack

LARGEST_BYTES = 1_000_000_000
MOST_ENTRIES = 50_000
CHUNK_BYTES = 1_000_000
Opens = Callable[[Path], BufferedIOBase]
COMPRESSED: dict[str, Opens] = {
    ".tar.gz": gzip.GzipFile,
    ".tgz": gzip.GzipFile,
    ".tar.bz2": bz2.BZ2File,
}  # none whose decompression takes as much memory as the archive says, as xz does


def unpack_sdist(archive: Path, directory: Path) -> Path:
    """Unpack a source distribution into a new directory and return the one folder that it holds.

    Left out: what is called .git. Some were made of a checkout with submodules, and no build of a release needs it.
    Raises UnsafeTree, before anything is written there, if it holds what may not be laid out or more than it may, and
    if it is no such archive.
    """
    try:
        if archive.name.endswith(".zip"):
            _unpack_zip(archive, directory)
        else:
            opens = next((made for ending, made in COMPRESSED.items() if archive.name.endswith(ending)), None)
            if opens is None:
                raise UnsafeTree(f"{shown(archive.name)}: neither {', '.join(COMPRESSED)} nor .zip")
            _unpack_tar(archive, opens, directory)
    except (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile) as error:
        raise UnsafeTree(f"it cannot be unpacked: {shown(str(error) or type(error).__name__)}") from error
    except (NotImplementedError, RuntimeError, ValueError) as error:  # what zipfile says of a format it does not know
        raise UnsafeTree(f"it cannot be unpacked: {shown(str(error))}") from error
    tops = list(directory.iterdir())
    if len(tops) != 1 or not stat.S_ISDIR(tops[0].lstat().st_mode):
        raise UnsafeTree("it does not hold one folder and nothing else")
    return tops[0]


def _unpack_tar(archive: Path, opens: Opens, directory: Path) -> None:
    with tempfile.TemporaryFile(dir=directory.parent) as plain:
        with opens(archive) as packed:
            _copy_bounded(packed, plain)
        plain.seek(0)
        with tarfile.open(fileobj=plain, mode="r:") as tar:
            size = 0
            for number, one in enumerate(tar):
                size += max(0, one.size)
                _refuse_more(size, number)
        plain.seek(0)
        directory.mkdir()
        unpack(plain, directory, repositories=False)


def _copy_bounded(source: BufferedIOBase, sink: IO[bytes]) -> None:
    left = LARGEST_BYTES
    while chunk := source.read(CHUNK_BYTES):
        left -= len(chunk)
        if left < 0:
            raise UnsafeTree(f"unpacked it is larger than {LARGEST_BYTES // 1_000_000} MB")
        sink.write(chunk)


def _refuse_more(size: int, number: int) -> None:
    if size > LARGEST_BYTES:
        raise UnsafeTree(f"unpacked it is larger than {LARGEST_BYTES // 1_000_000} MB")
    if number >= MOST_ENTRIES:
        raise UnsafeTree(f"it holds more than {MOST_ENTRIES} files")


def _unpack_zip(archive: Path, directory: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        _refuse_more(sum(one.file_size for one in members), len(members) - 1)
        members = [one for one in members if not of_repository(one.filename)]
        refuse_unsafe(map(_entry, members))
        directory.mkdir()
        for one in members:
            place = directory / one.filename
            (place if one.is_dir() else place.parent).mkdir(parents=True, exist_ok=True)
            if not one.is_dir():
                with packed.open(one) as content, open(place, "xb") as sink:
                    shutil.copyfileobj(content, sink)


def _entry(member: zipfile.ZipInfo) -> Entry:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsafeTree(f"{shown(member.filename)}: packed in a way that is not taken")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if member.is_dir():
        return Entry(member.filename.rstrip("/"), Kind.FOLDER)
    return Entry(member.filename, Kind.FILE if kind in (0, stat.S_IFREG) else Kind.OTHER)
