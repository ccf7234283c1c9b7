"""Wheels of packages that have none, each built once of its source distribution and kept by what it was made of."""

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion
from pydantic import BaseModel, ConfigDict, ValidationError

from evidence.bundle import SourceBuild
from evidence.python_metadata import read_wheel
from evidence.scopes import OURS, Scope
from gates.lock_formats.selection import shown
from gates.locks import Locked, normal_version
from gates.source_builds import ELSEWHERE, BuildError, read_build_system, tools_of, way_out
from host.errors import SourceError, ToolError
from host.files import sha256_file
from host.home import CHECKOUT
from host.locks import read_lock_file
from host.sandbox.run import Completed, described
from host.sdists.built import BUILD_TIMEOUT_S, build_wheel, only_wheel
from host.sdists.fetched import fetch_sdist
from host.sdists.unpacked import unpack_sdist
from host.trees import UnsafeTree
from host.virtual_environments import COMPLETE
from tasks.source.app_locks import target_of
from tasks.source.kept import kept
from tasks.source.locked_environments import Once, at_once, lock_digest, locked_environment

BACKENDS = CHECKOUT / "requirements" / "build.lock"
OLDEST_PYTHON = (3, 10)  # for which build.lock is made
RECORD, WHEEL = "built.json", "wheel"
SHOWN_CHARACTERS = 1500
FILE_NAME = re.compile(r"[A-Za-z0-9._+!-]{1,200}")
LARGEST_PROJECT_BYTES = 1_000_000


class Record(BaseModel):
    """What is kept beside a wheel: its file name and SHA-256, and what it was built of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    build: SourceBuild


@dataclass(frozen=True)
class BuiltWheel:
    """A wheel that is kept. `file` may be damaged until a copy of it was hashed (`copy`)."""

    package: Locked
    file: Path
    record: Record

    def copy(self, folder: Path) -> Path:
        """Copy the wheel into a folder, under its name. Raises ToolError if it is not what was built."""
        made = folder / self.record.name
        made.unlink(missing_ok=True)
        if not self.file.is_symlink() and self.file.is_file():
            shutil.copyfile(self.file, made)
            made.chmod(0o444)
            if sha256_file(made) == self.record.sha256:
                return made
        made.unlink(missing_ok=True)
        raise ToolError(
            f"{self.file.parent}: the wheel of {self.package.name} {self.package.version} kept there is no"
            f" longer what was built ({self.record.sha256[:12]}...): find out why, remove that folder and run again"
        )


def built_wheel(package: Locked, python: str, scope: Scope, make_once: Once = at_once) -> BuiltWheel:
    """Return the wheel of a package, built of the source distribution that its lock names for the app's Python. Built
    once for each: the hashes of the lock, the Python, our build backends and the isolation decide where it is kept.

    Raises SourceError if the sources cannot be had, are not laid out or do not make the wheel of that package, with the
    way out, and ToolError if nobody could find out.
    """
    what = f"wheel of {package.name} {package.version}"
    if tuple(map(int, python.split("."))) < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        raise SourceError(
            f"{package.name} {package.version} is not built from source for Python {python}: Slipway's build backends"
            f" need {oldest} or newer; raise app.python, pin a version that has a wheel, or {ELSEWHERE}"
        )
    directory = kept("built", scope, _key(package, python))
    if not (directory / COMPLETE).exists():
        # Before the core is taken: what makes an environment takes one itself.
        environment = locked_environment(BACKENDS, python, OURS, make_once)
        make_once(what, directory, partial(_make, package, python, environment, directory))
    try:
        record = Record.model_validate_json((directory / RECORD).read_bytes())
    except (OSError, ValidationError) as error:
        raise ToolError(f"{directory}: the record of the {what} cannot be read; remove that folder") from error
    return BuiltWheel(package, directory / WHEEL, record)


def _key(package: Locked, python: str) -> str:
    named = "\0".join((package.name, package.version, *package.hashes))
    return hashlib.sha256(f"{named}\0{lock_digest(BACKENDS, python)}".encode()).hexdigest()[:32]


def _make(package: Locked, python: str, environment: Path, directory: Path) -> None:
    what = f"{package.name} {package.version}"
    with tempfile.TemporaryDirectory(prefix="slipway-build-") as scratch:
        place = Path(scratch)
        place.chmod(0o711)  # the sandbox's user passes through
        sdist = fetch_sdist(package.name, package.version, package.hashes, place / "sdist")
        try:
            source = unpack_sdist(sdist, place / "source")
            build = _plan(sdist, source, python)
            wheel = _built(environment, source, place / "out", what)
            _refuse_other(wheel, package, python)
        except (UnsafeTree, BuildError, SourceError) as error:
            raise SourceError(f"{what} cannot be built from {sdist.name}: {error}") from error
        directory.mkdir()
        shutil.copyfile(wheel, directory / WHEEL)
        record = Record(name=wheel.name, sha256=sha256_file(directory / WHEEL), build=build)
        (directory / RECORD).write_text(record.model_dump_json())


def _plan(sdist: Path, source: Path, python: str) -> SourceBuild:
    """Return how sources will be built. Raises BuildError if they ask for what is not there."""
    project = source / "pyproject.toml"
    if project.is_symlink() or project.exists() and project.stat().st_size > LARGEST_PROJECT_BYTES:
        raise BuildError(f"its pyproject.toml is a link, or larger than {LARGEST_PROJECT_BYTES // 1_000_000} MB")
    system = read_build_system(project.read_bytes() if project.is_file() else None)
    tools = tools_of(system, read_lock_file(BACKENDS), target_of(python))
    return SourceBuild(
        source=sdist.name,
        source_sha256=sha256_file(sdist),
        backend=system.backend,
        tools=tools.given,
        unlike=tools.unlike,
        tools_lock=sha256_file(BACKENDS),
        isolation=described(),
    )


def _built(environment: Path, source: Path, out: Path, what: str) -> Path:
    done = build_wheel(environment, source, out)
    if done.timed_out:
        raise ToolError(f"{what} was not built within {BUILD_TIMEOUT_S} s; if it needs more: {ELSEWHERE}")
    if done.failed:
        raise SourceError(_failure(done))
    return only_wheel(out)


def _failure(done: Completed) -> str:
    said = "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in done.output.strip())
    return f"its build {done.how}: {said[-SHOWN_CHARACTERS:]}{way_out(said)}"


def _refuse_other(wheel: Path, package: Locked, python: str) -> None:
    """Raise SourceError unless a wheel is that of a package, by its file's name and by its METADATA, and for that
    Python.
    """
    if not FILE_NAME.fullmatch(wheel.name):
        raise SourceError(f"the name of its wheel is not taken: {shown(wheel.name)}")
    wanted = (package.name, package.version)
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        with open(wheel, "rb") as content:
            found = read_wheel(content, shipped=True)
        said = (canonicalize_name(found.name), normal_version(found.version))
    except (InvalidWheelFilename, InvalidVersion, BadZipFile, OSError, RuntimeError, ValueError) as error:
        raise SourceError(f"what its build left is no wheel: {shown(error)}") from error
    for one in ((name, str(version)), said):
        if one != wanted:
            raise SourceError(f"its build made a wheel of {shown(' '.join(one))}, not of {' '.join(wanted)}")
    if not target_of(python).takes([wheel.name]):
        raise SourceError(f"its wheel {shown(wheel.name)} is not for CPython {python} on this kind of machine")
