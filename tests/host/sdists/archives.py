"""Small source distributions for the tests."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

SETUP = "from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=['said'])\n"
FLIT = '[build-system]\nrequires = ["flit_core>=3"]\nbuild-backend = "flit_core.buildapi"\n'
HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
PROJECT = '[project]\nname = "{name}"\nversion = "{version}"\ndescription = "says"\n'


def with_setup(setup: str = "", name: str = "said", version: str = "1.0") -> dict[str, str]:
    """Return the files of a package of setuptools, whose setup.py does something more first."""
    return {"setup.py": setup + SETUP.format(name=name, version=version), "said.py": "WORD = 'built'\n"}


def with_project(build_system: str, name: str = "said", version: str = "1.0") -> dict[str, str]:
    """Return the files of a package that its pyproject.toml describes."""
    project = build_system + PROJECT.format(name=name, version=version)
    return {"pyproject.toml": project, "said/__init__.py": "WORD = 'built'\n"}


def make_sdist(folder: Path, files: Mapping[str, str], name: str = "said-1.0", top: str | None = None) -> str:
    """Put a source distribution into a folder, as `name`.tar.gz with all files in `top`; return its SHA-256."""
    entries = [tarfile.TarInfo(f"{top or name}/{file}") for file in files]
    return make_archive(folder / f"{name}.tar.gz", entries, [text.encode() for text in files.values()])


def make_archive(file: Path, entries: list[tarfile.TarInfo], contents: list[bytes]) -> str:
    """Write a tar.gz of these entries; return its SHA-256."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(file, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for entry, content in zip(entries, contents, strict=True):
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    file.chmod(0o644)
    return hashlib.sha256(file.read_bytes()).hexdigest()
