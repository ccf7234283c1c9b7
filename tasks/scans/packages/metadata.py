"""The packages that a commit's locks install, by their own metadata; nothing of them is imported or run."""

import re
from dataclasses import replace
from pathlib import Path

from evidence.python_metadata import read_metadata
from gates.locks import LARGEST_LOCK_BYTES
from gates.scans.licences import Package
from gates.scans.npm_lock import locked_packages, read_npm_lock
from host.errors import ToolError
from host.locks import read_lock_file

LARGEST_METADATA_BYTES = 5_000_000
LARGEST_LICENCE_BYTES = 500_000
LICENCE_FILE = re.compile(r"(?:licen[cs]e|copying)(?:[.-]|$)", re.I)


def installed(environment: Path, shipped: bool) -> dict[str, Package]:
    """Return what a virtual environment holds, by canonical name. Raises ToolError if metadata cannot be read."""
    folders = sorted(environment.glob("lib/python3*/site-packages"))
    if len(folders) != 1:
        raise ToolError(f"{environment.name} is not a virtual environment")
    found = (package_in(folder, shipped) for folder in sorted(folders[0].glob("*.dist-info")))
    return {package.name: package for package in found}


def package_in(folder: Path, shipped: bool) -> Package:
    """Return the package of a *.dist-info folder. Raises ToolError if its metadata cannot be read.

    One whose metadata says nothing of a licence has the text of its licence file, if it brings just one.
    """
    file = folder / "METADATA"
    try:
        if file.stat().st_size > LARGEST_METADATA_BYTES:
            raise ToolError(f"the metadata of {folder.name} has more than 5 MB")
        package = read_metadata(file.read_bytes(), shipped)
        says = package.expression or package.text or any(name.startswith("License ::") for name in package.classifiers)
        return package if says else replace(package, text=_licence_file(folder))
    except OSError as error:
        raise ToolError(f"the metadata of {folder.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ToolError(f"the metadata of {folder.name}: {error}") from error


def _licence_file(folder: Path) -> str:
    """Return the text of the only licence file that a package brings; "" when it brings none or several."""
    inside = [*folder.iterdir(), *(folder / "licenses").glob("**/*")]
    files = [file for file in inside if LICENCE_FILE.match(file.name) and file.is_file() and not file.is_symlink()]
    if len(files) != 1 or files[0].stat().st_size > LARGEST_LICENCE_BYTES:
        return ""
    return files[0].read_text(encoding="utf-8", errors="replace")


def pinned(lock: Path) -> set[str]:
    """Return the canonical names that a lock installs on this platform. SourceError if a line is refused."""
    packages = read_lock_file(lock).packages
    return {package.name for package in packages if package.marker is None or package.marker.evaluate()}


def npm_packages(lock: Path) -> list[Package]:
    """Return the packages of a package-lock.json. Raises ReportError if it is none of version 2 or 3."""
    if lock.stat().st_size > LARGEST_LOCK_BYTES:
        raise ToolError(f"{lock.name} has more than {LARGEST_LOCK_BYTES // 1_000_000} MB")
    return [package for package, _ in locked_packages(read_npm_lock(lock.read_bytes()))]
