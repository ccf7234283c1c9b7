"""A built image as its configuration and its files, read through the Docker engine; nothing of it is run."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gates.scans.container import FileSystem, Inspected, holds_secret, is_program, may_be_secret
from gates.scans.image_packages import Installed, package_of
from gates.scans.outcome import read_report
from host.errors import ToolError

ENGINE_TIMEOUT_S = 60
LARGEST_IMAGE_BYTES = 20_000_000_000
LARGEST_TEXT_BYTES = 50_000_000
HEAD_BYTES = 65_536
MOST_NAMES = 2_000
TEXTS = ("etc/passwd", "etc/os-release", "usr/lib/os-release", "var/lib/dpkg/status", "etc/alpine-release")
# The one process that an export needs to be named; it is never started.
NEVER = ["/never-started"]


@dataclass(frozen=True)
class Image:
    """What was read of an image: what the engine says, the commands that made it, and its files."""

    inspected: Inspected
    history: tuple[str, ...]
    files: FileSystem


def read_image(name: str) -> Image:
    """Read an image by digest or name. Raises ToolError if engine or image are not there, or the export breaks off."""
    with _engine() as client:
        inspected = read_report(Inspected, json.dumps(client.inspect_image(name)), "docker")
        history = tuple(str(row.get("CreatedBy", "")) for row in client.history(inspected.Id))
        return Image(inspected, history, _exported(client, inspected.Id))


def save_image(name: str, file: Path) -> None:
    """Write an image into a file, for a scanner that must not have the engine. Raises ToolError as `read_image` does,
    and if it is unreasonably large.
    """
    size = 0
    with _engine() as client, open(file, "wb") as written:
        for block in client.get_image(name):
            size += written.write(block)
            if size > LARGEST_IMAGE_BYTES:
                raise ToolError(f"the image is larger than {LARGEST_IMAGE_BYTES / 1e9:g} GB")


@contextmanager
def _engine() -> Iterator[Any]:
    import docker  # by what looks at an image only

    try:
        client = docker.APIClient(version="auto", timeout=ENGINE_TIMEOUT_S, **docker.utils.kwargs_from_env())
        try:
            yield client
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        raise ToolError(f"the Docker engine cannot show the image: {str(error)[:300]}") from error
    except tarfile.TarError as error:
        raise ToolError(f"the image's files could not be read to their end: {error}") from error


def _exported(client: Any, image: str) -> FileSystem:
    container = client.create_container(image, command=NEVER, network_disabled=True, labels={"slipway.scan": "export"})
    try:
        with tarfile.open(fileobj=_Stream(client.export(container["Id"])), mode="r|") as archive:
            return read_files(archive)
    finally:
        client.remove_container(container["Id"], force=True, v=True)


def read_files(archive: tarfile.TarFile) -> FileSystem:
    """Read an export entry by entry. Raises ToolError if it is unreasonably large."""
    files = size = 0
    seen = _Seen()
    for entry in archive:
        path = entry.name.removeprefix("./")
        if is_program(path) and not entry.isdir():
            seen.programs.append(path)
        if not entry.isfile():
            continue
        files, size = files + 1, size + entry.size
        if size > LARGEST_IMAGE_BYTES:
            raise ToolError(f"the image unpacks to more than {LARGEST_IMAGE_BYTES / 1e9:g} GB")
        seen.look(archive, entry, path)
    python = (replace(package, own=folder in seen.own) for folder, package in seen.python.items())
    return FileSystem(
        files,
        size,
        tuple(seen.setuid[:MOST_NAMES]),
        tuple(seen.programs),
        tuple(seen.secrets[:MOST_NAMES]),
        seen.texts,
        tuple(python),
    )


@dataclass
class _Seen:
    """What the files said so far; `python` and `own` by the folder of a package's metadata."""

    setuid: list[str] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    python: dict[str, Installed] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)

    def look(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
        """Take what one file says. Raises ToolError if it is too large to be read."""
        if entry.mode & 0o6000:
            self.setuid.append(path)
        folder, _, name = path.rpartition("/")
        if package := package_of(path):
            self.python[folder] = package
        if path in TEXTS or path.startswith("var/lib/dpkg/status.d/"):
            self.texts[path] = _content(archive, entry, LARGEST_TEXT_BYTES).decode(errors="replace")
        elif name == "direct_url.json" and b'"dir_info"' in _content(archive, entry, HEAD_BYTES, cut=True):
            self.own.add(folder)  # PEP 610: installed from a folder
        elif may_be_secret(path) and holds_secret(_content(archive, entry, HEAD_BYTES, cut=True)):
            self.secrets.append(path)


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo, most: int, *, cut: bool = False) -> bytes:
    if entry.size > most and not cut:
        raise ToolError(f"{entry.name} has {entry.size} bytes, too many to be read")
    file = archive.extractfile(entry)
    return file.read(most) if file else b""


class _Stream(io.RawIOBase):
    """The engine's chunks as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return exactly `size` bytes, fewer only at the end."""
        parts, wanted = [], size
        while wanted > 0:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            part, self._rest = self._rest[:wanted], self._rest[wanted:]
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)
