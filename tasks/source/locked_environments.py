"""Environments and wheels that a lock names, made once a lock and scope and kept by its digest, checked by hash."""

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from packaging.utils import parse_wheel_filename

from evidence.scopes import OURS, Scope
from gates.locks import Lock
from gates.other_locks import lock_command
from host.errors import ArtifactError, ConfigError, SourceError, ToolError, was_not_answered
from host.home import CHECKOUT, Home
from host.locks import check_wheels, read_lock_file, refuse_conflicts, refuse_empty, wheel_cure, write_lock_file
from host.package_tools import pip, pip_environment, run_package_tool
from host.resources.shares import Shares
from host.sandbox.run import available
from host.virtual_environments import START_TIMEOUT_S, interpreter, keep_interpreter, make_venv, once
from tasks.source.app_locks import AppLocks
from tasks.source.kept import kept, uv_cache

DOWNLOAD_TIMEOUT_S = 1800
# How a directory is made once: what it is, where, and by what. A check takes a core for it (tasks/checks/cores.py).
Once = Callable[[str, Path, Callable[[], None]], None]
Tools = Literal["scanners", "quality", "load", "services", "acme"]


def check_locks(locks: AppLocks, only: Collection[str] = ()) -> None:
    """Raise SourceError for the locks of a commit from which nothing can be installed, each with its way out, before
    anything is made of one; and ConfigError for one that is not there. `only`: no others than these keys of [locks].
    """
    refusals = []
    wanted = {key: choice for key, choice in locks.locks.installed.items() if not only or key in only}
    for key, choice in wanted.items():
        if not os.path.lexists(locks.tree / choice.file):
            missing = f"config/pipeline.toml: locks.{key}: the commit has no file {choice.file}"
            raise ConfigError(f"{missing}; make a lock: {lock_command(choice.file)}")
        try:
            lock = locks.read(choice)
            locks.refuse_unbuilt(choice)
            refuse_empty(lock, choice.file)
            refuse_conflicts(lock, locks.python, str(choice))
        except SourceError as error:
            refusals.append(f"config/pipeline.toml: locks.{key}: {error}")
    if refusals:
        raise SourceError("; ".join(refusals))
    if not only:
        _refuse_unnamed(locks)


def _refuse_unnamed(locks: AppLocks) -> None:
    """Raise ConfigError if a package is to be built from source that stands in no lock from which one installs."""
    names = locks.locks.build_from_source
    named = set().union(*map(locks.names, locks.locks.installed.values())) if names else set()
    if unknown := [name for name in names if name not in named]:
        raise ConfigError(
            f"config/pipeline.toml: locks.build_from_source: no lock has {', '.join(unknown)}: take it out"
        )


def lock_digest(lock: Path, python: str) -> str:
    """Return what an environment made from this lock is kept under: by the lock, the Python, uv and the isolation.

    Raises ConfigError if the lock is not in the commit.
    """
    if not lock.is_file():
        raise ConfigError(f"config/pipeline.toml: locks: the commit has no file {lock.name}")
    made_by = f"{full_version(python)} {version('uv')} {available()}"
    return hashlib.sha256(f"{python}\0{made_by}\0".encode() + lock.read_bytes()).hexdigest()[:32]


@functools.cache
def full_version(python: str) -> str:
    """Return the whole version of this host's Python of a minor version; the minor one if it has none."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return platform.python_version()
    try:
        argv = [interpreter(python), "-I", "-S", "-c", "import platform; print(platform.python_version())"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
    except ArtifactError:  # wheels can be fetched for it all the same
        return python
    return done.stdout.strip() or python


def at_once(_what: str, directory: Path, make: Callable[[], None]) -> None:
    """Have a directory made exactly once, without waiting for a core."""
    once(directory, make)


def locked_environment(
    lock: Path, python: str, scope: Scope, make_once: Once = at_once, built: Path | None = None
) -> Path:
    """Return a virtual environment with exactly what the lock says, checked by hash: one that `scope` may recall.

    `built` is a folder with wheels that were built for it, which no index has. Raises ToolError.
    """
    directory = kept("environments", scope, lock_digest(lock, python))
    make_once(
        f"environment {lock.name}",
        directory,
        lambda: make_venv(directory, interpreter(python), lock, None, uv_cache(), Shares(), built),
    )
    keep_interpreter(directory, python)
    return directory


def own_tools(group: Tools, make_once: Once = at_once) -> Path:
    """Return the environment of our own tools of that group, made once from requirements/<group>.lock.

    They live apart from Slipway: what they pin would fight with Prefect's requirements. Raises ToolError.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return locked_environment(CHECKOUT / "requirements" / f"{group}.lock", python, OURS, make_once)


def fetch_wheels(lock: Path, python: str, scope: Scope, make_once: Once = at_once, built: Path | None = None) -> Path:
    """Return a folder with the wheels that the lock names, for this platform, checked by hash. Fetched once a lock.

    Only wheels: a source distribution would run its own code at build time. Those of `built` were made of one, and are
    copied. Raises ToolError, which says which one is missing.
    """
    directory = kept("wheels", scope, lock_digest(lock, python))
    make_once(f"wheels {lock.name}", directory, partial(_download, lock, python, directory, built))
    return directory


def _download(lock: Path, python: str, directory: Path, built: Path | None) -> None:
    packages = read_lock_file(lock)
    refuse_conflicts(packages, python, lock.name)
    directory.mkdir()
    made = sorted(built.glob("*.whl")) if built else []
    ours = {parse_wheel_filename(wheel.name)[0] for wheel in made}
    fetched = Lock(tuple(package for package in packages.packages if package.name not in ours))
    if fetched.packages:
        _fetch(lock.name, fetched, python, directory)
    for wheel in made:
        shutil.copyfile(wheel, directory / wheel.name)
    check_wheels(directory, packages)


def _fetch(name: str, packages: Lock, python: str, directory: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        ours = write_lock_file(packages, Path(scratch) / "packages.lock")
        argv = [*pip(), "download", "-q", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        cache = Home.find().cache / "pip"
        argv += ["--cache-dir", str(cache), "--python-version", python, "-d", str(directory), "-r", str(ours)]
        done = run_package_tool(
            argv,
            pip_environment(),
            reads=[Path(argv[3]), ours],
            writes=[directory],
            cache=cache,
            timeout_s=DOWNLOAD_TIMEOUT_S,
            shares=Shares(),
        )
    if done.timed_out:
        raise ToolError(f"the wheels of {name} were not fetched within {DOWNLOAD_TIMEOUT_S} s", transient=True)
    if done.failed:
        trouble = done.output.strip()[-1500:] or done.how
        transient = was_not_answered(trouble)
        cure = "" if transient else wheel_cure(trouble)
        raise ToolError(f"{name}: the wheels cannot be fetched: {trouble}{cure}", transient=transient)
