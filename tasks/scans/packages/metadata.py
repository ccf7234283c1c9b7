"""The packages that a commit's locks install, by their own metadata; nothing of them is imported or run."""

from pathlib import Path

from evidence.python_metadata import read_metadata
from gates.locks import LARGEST_LOCK_BYTES
from gates.scans.licences import Package
from gates.scans.npm_lock import locked_packages, read_npm_lock
from host.errors import ToolError
from host.locks import read_lock_file

LARGEST_METADATA_BYTES = 5_000_000


def installed(environment: Path, shipped: bool) -> dict[str, Package]:
    """Return what a virtual environment holds, by canonical name. Raises ToolError if metadata cannot be read."""
    folders = sorted(environment.glob("lib/python3*/site-packages"))
    if len(folders) != 1:
        raise ToolError(f"{environment.name} is not a virtual environment")
    found = (_package(folder, shipped) for folder in sorted(folders[0].glob("*.dist-info")))
    return {package.name: package for package in found}


def _package(folder: Path, shipped: bool) -> Package:
    file = folder / "METADATA"
    try:
        if file.stat().st_size > LARGEST_METADATA_BYTES:
            raise ToolError(f"the metadata of {folder.name} has more than 5 MB")
        return read_metadata(file.read_bytes(), shipped)
    except OSError as error:
        raise ToolError(f"the metadata of {folder.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ToolError(f"the metadata of {folder.name}: {error}") from error


def pinned(lock: Path) -> set[str]:
    """Return the canonical names that a lock installs on this platform. SourceError if a line is refused."""
    packages = read_lock_file(lock).packages
    return {package.name for package in packages if package.marker is None or package.marker.evaluate()}


def npm_packages(lock: Path) -> list[Package]:
    """Return the packages of a package-lock.json. Raises ReportError if it is none of version 2 or 3."""
    if lock.stat().st_size > LARGEST_LOCK_BYTES:
        raise ToolError(f"{lock.name} has more than {LARGEST_LOCK_BYTES // 1_000_000} MB")
    return [package for package, _ in locked_packages(read_npm_lock(lock.read_bytes()))]
