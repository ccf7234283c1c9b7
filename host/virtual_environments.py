"""Virtual environments made from locks, each once, checked by hash and read-only afterwards."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from host.environment_skeleton import Skeleton
from host.errors import ArtifactError, ToolError, was_not_answered
from host.files import locked
from host.sandbox.places import has_record, record_interpreter

INSTALL_TIMEOUT_S = 1800
COMPLETE = ".complete"


def uv() -> str:
    """Return the path of the uv that belongs to this environment."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise ToolError("uv is not installed here; run: make setup")
    return found


def interpreter(version: str) -> str:
    """Return a Python of the wanted minor version. Raises ArtifactError if this host has none."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return os.path.realpath(sys.executable)
    argv = [uv(), "python", "find", "--no-python-downloads", version]
    found = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    if found.returncode:
        raise ArtifactError(
            f"the bundle wants Python {version} and this host has none; install it, or build for another"
        )
    return found.stdout.strip()


def make_venv(
    directory: Path,
    python: str,
    lock: Path,
    wheels: Path | None,
    cache: Path,
    run: Callable[[list[str]], list[str]] = list,
) -> None:
    """Make a virtual environment that holds exactly what `lock` says, checked by hash.

    With `wheels` nothing is fetched: everything comes from that folder. Raises ToolError if it cannot be made, or if a
    package writes over what decides which interpreter runs; safe to repeat.
    """
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/"), "UV_NO_PROGRESS": "1"}
    if wheels is None:
        environ |= {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_"))}
        environ |= {name: os.environ[name] for name in ("HTTPS_PROXY", "NO_PROXY") if name in os.environ}
    source = ["--offline", "--no-index", "--find-links", str(wheels)] if wheels else []
    steps = [
        [uv(), "venv", "-q", "--no-project", "--python", python, str(directory)],
        [uv(), "pip", "sync", "-q", "--no-config", "--link-mode", "copy", "--cache-dir", str(cache), "--require-hashes"]
        + ["--python", str(directory / "bin" / "python"), "--only-binary", ":all:", *source, str(lock)],
    ]
    if lock.read_text(encoding="utf-8").find("==") < 0:
        steps.pop()
    made: Skeleton | None = None
    for argv in steps:
        try:
            done = subprocess.run(
                run(argv), env=environ, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ToolError(
                f"uv did not finish within {INSTALL_TIMEOUT_S} s: {' '.join(argv)}", transient=True
            ) from error
        if done.returncode:
            trouble = done.stderr.strip()[-2000:]
            raise ToolError(f"{lock.name}: cannot be installed: {trouble}", transient=was_not_answered(trouble))
        made = made or Skeleton.of(directory)
    if made:
        made.refuse_changes(directory, lock.name, COMPLETE)
    record_interpreter(directory, _prefix(python))
    compile_bytecode(python, directory / "lib", run)
    share_read_only(directory)


def keep_interpreter(directory: Path, version: str) -> None:
    """Write down beside an environment where its Python of that minor version lives, unless it is. Safe to repeat.

    Environments of older installations have no such record. Raises ArtifactError or ToolError if there is no such
    Python any more.
    """
    if not has_record(directory):
        record_interpreter(directory, _prefix(interpreter(version)))


def _prefix(python: str) -> Path:
    if os.path.realpath(python) == os.path.realpath(sys.executable):
        return Path(sys.base_prefix)
    argv = [python, "-I", "-S", "-c", "import sys; print(sys.base_prefix)"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{python} does not run: {error}") from error
    return Path(done.stdout.strip())


def compile_bytecode(python: str, directory: Path, run: Callable[[list[str]], list[str]] = list) -> None:
    """Compile what lies in a directory, by the base interpreter and without `site`.

    The environment's own interpreter would run whatever a wheel's .pth file says, as us and outside the sandbox.
    What does not compile is left as it is.
    """
    argv = [python, "-I", "-S", "-m", "compileall", "-q", "-j", "2", str(directory)]
    subprocess.run(run(argv), capture_output=True, timeout=INSTALL_TIMEOUT_S, check=False)


def once(directory: Path, make: Callable[[], None]) -> None:
    """Have a directory made exactly once, whoever asks and however often it was interrupted."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with locked(directory.with_suffix(".lock")):
        if not (directory / COMPLETE).exists():
            shutil.rmtree(directory, ignore_errors=True)
            make()
            (directory / COMPLETE).touch()


def share_read_only(directory: Path) -> None:
    """Take the write bits away and let the sandbox's user read."""
    for folder, _, files in os.walk(directory):
        os.chmod(folder, 0o755)  # nosec B103  # what lies in it is read-only and the home around it is 0700
        for name in files:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o555 if file.stat().st_mode & 0o100 else 0o444)
