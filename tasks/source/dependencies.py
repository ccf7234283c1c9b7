"""The app's own environment and wheels for its checks, as tasks: making one takes a core of the host."""

from collections.abc import Collection
from pathlib import Path

from prefect.logging import get_run_logger

from evidence.scopes import Scope
from host.resources.shares import best
from tasks.checks.cores import once_on_a_core
from tasks.retries import repeatable
from tasks.source import locked_environments as environments
from tasks.source import source_builds as builds
from tasks.source.app_locks import AppLocks
from tasks.source.kept import tidy
from tasks.source.locked_environments import Tools


@repeatable("environment")
def make_environment(lock: Path, python: str, scope: Scope, built: Path | None = None) -> Path:
    """Return a virtual environment with exactly what the lock says, checked by hash. Made once for each lock and scope.

    `built` is a folder with wheels that were built for the lock. Old environments go when all together are too large.
    """
    log = get_run_logger()
    directory = locked_environment(lock, python, scope, built)
    tidy("environments", log)
    log.info("the environment for %s is ready; checks yield to what serves by: %s", lock.name, best())
    return directory


def locked_environment(lock: Path, python: str, scope: Scope, built: Path | None = None) -> Path:
    """Return the environment like `make_environment`, inside of another task."""
    return environments.locked_environment(lock, python, scope, once_on_a_core, built)


def own_tools(group: Tools) -> Path:
    """Return the environment of our own tools of that group. Raises ToolError."""
    return environments.own_tools(group, once_on_a_core)


@repeatable("wheels")
def download_wheels(lock: Path, python: str, scope: Scope, built: Path | None = None) -> Path:
    """Return a folder with the wheels that the lock names, checked by hash, those that were built for it among them.
    Raises ToolError, which says which one is missing.
    """
    log = get_run_logger()
    directory = environments.fetch_wheels(lock, python, scope, once_on_a_core, built)
    tidy("wheels", log)
    log.info("fetched %d wheels for %s", len(list(directory.glob("*.whl"))), lock.name)
    return directory


@repeatable("build from source")
def build_sources(locks: AppLocks, scope: Scope, only: Collection[str] = ()) -> None:
    """Have the packages that [locks] allows by name built of their sources, each once, and write the locks with the
    hashes of their wheels. `only`: for no others than these keys of [locks]. Raises SourceError and ToolError.
    """
    log = get_run_logger()
    for line in builds.build_sources(locks, scope, once_on_a_core, only):
        log.info("%s", line)
    if locks.locks.build_from_source:
        tidy("built", log)
