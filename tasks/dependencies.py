"""The app's own environment for its checks, made from its lock and kept by the lock's digest."""

import hashlib
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Literal

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from deployments.home import CHECKOUT, Home
from deployments.runtimes.layout import interpreter, make_venv
from deployments.shares import yielding
from evidence.errors import ConfigError, ToolError
from tasks.cores import once_on_a_core

DOWNLOAD_TIMEOUT_S = 600


def lock_digest(lock: Path, python: str) -> str:
    """Return what an environment made from this lock is kept under. ConfigError when the lock is not in the commit."""
    if not lock.is_file():
        raise ConfigError(f"config/pipeline.toml: locks: the commit has no file {lock.name}")
    return hashlib.sha256(python.encode() + b"\0" + lock.read_bytes()).hexdigest()[:32]


@task(name="environment", task_run_name="environment", cache_policy=NO_CACHE, retries=1, retry_delay_seconds=2)
def make_environment(lock: Path, python: str) -> Path:
    """Return a virtual environment with exactly what the lock says, checked by hash. Made once for each lock."""
    log = get_run_logger()
    directory = locked_environment(lock, python)
    log.info("the environment for %s is ready", lock.name)
    return directory


def locked_environment(lock: Path, python: str) -> Path:
    """Return the environment like `make_environment`, inside of another task."""
    home = Home.find()
    directory = home.cache / "environments" / lock_digest(lock, python)
    once_on_a_core(
        f"environment {lock.name}",
        directory,
        lambda: make_venv(directory, interpreter(python), lock, None, home.cache / "uv", yielding),
    )
    return directory


def own_tools(group: Literal["scanners", "quality", "load", "services"]) -> Path:
    """Return the environment of our own tools of that group, made once from requirements/<group>.lock.

    They live apart from Slipway: what they pin would fight with Prefect's requirements. Raises ToolError.
    """
    lock = CHECKOUT / "requirements" / f"{group}.lock"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return locked_environment(lock, python)


@task(name="wheels", task_run_name="wheels", cache_policy=NO_CACHE, retries=1, retry_delay_seconds=2)
def download_wheels(lock: Path, python: str) -> Path:
    """Return a folder with the wheels that the lock names, for this platform, checked by hash. Fetched once a lock.

    Only wheels: a source distribution would run its own code at build time. ToolError says which one is missing.
    """
    log = get_run_logger()
    directory = Home.find().cache / "wheels" / lock_digest(lock, python)
    once_on_a_core(f"wheels {lock.name}", directory, partial(_download, lock, python, directory))
    log.info("fetched %d wheels for %s", len(list(directory.glob("*.whl"))), lock.name)
    return directory


def _download(lock: Path, python: str, directory: Path) -> None:
    directory.mkdir()
    if "==" not in lock.read_text(encoding="utf-8"):
        return
    argv = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-input", "--no-deps"]
    argv += ["--require-hashes", "--only-binary", ":all:", "--python-version", python, "-d", str(directory)]
    argv += ["-r", str(lock)]
    try:
        done = subprocess.run(yielding(argv), capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"the wheels of {lock.name} were not fetched within {DOWNLOAD_TIMEOUT_S} s") from error
    if done.returncode:
        raise ToolError(f"{lock.name}: the wheels cannot be fetched: {done.stderr.strip()[-1500:]}")
