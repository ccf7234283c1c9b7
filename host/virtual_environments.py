"""Virtual environments made from locks, each once, checked by hash and read-only afterwards."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from gates.locks import Lock
from host.environment_skeleton import Skeleton
from host.errors import ArtifactError, ToolError, was_not_answered
from host.files import locked, remove_tree
from host.locks import read_lock_file, wheel_cure, write_lock_file
from host.package_tools import run_package_tool, uv_environment
from host.resources.shares import Shares
from host.sandbox.places import has_record, record_interpreter
from host.sandbox.run import LAUNCHER_PATH, Completed

INSTALL_TIMEOUT_S = 1800
START_TIMEOUT_S = 600  # of a program that answers at once: no time that a busy host can miss
COMPLETE = ".complete"


def uv() -> str:
    """Return the path of the uv that belongs to this environment."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise ToolError("uv is not installed here; run: make setup")
    return found


def interpreter(version: str) -> str:
    """Return a Python of the wanted minor version: on PATH, uv's own or pyenv's.

    Raises ArtifactError, which names the places, if this host has none.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return os.path.realpath(sys.executable)
    for where in (None, *_pyenv_pythons(version)):
        argv = [uv(), "python", "find", "--no-config", "--no-python-downloads", str(where or version)]
        found = subprocess.run(argv, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
        if not found.returncode:
            return found.stdout.strip()
    looked = ", ".join(map(str, (*_path_folders(), _uv_pythons(), _pyenv_root() / "versions")))
    raise ArtifactError(
        f"the app wants Python {version} (config/pipeline.toml: app.python) and this host has none: looked in {looked};"
        f" install it (uv python install {version}, or pyenv install {version}), or build for another"
    )


def _path_folders() -> list[str]:
    return list(dict.fromkeys(filter(None, os.environ.get("PATH", os.defpath).split(os.pathsep))))


def _uv_pythons() -> str:
    """Return where uv keeps the Pythons that it installed."""
    found = subprocess.run([uv(), "python", "dir", "--no-config"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "uv's own Pythons"


def _pyenv_root() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser())


def _pyenv_pythons(version: str) -> list[Path]:
    """Return pyenv's Pythons of a minor version, the newest first: no PATH need lead to them."""
    found: list[tuple[Version, Path]] = []
    for folder in _pyenv_root().glob(f"versions/{version}.*"):
        with suppress(InvalidVersion):
            found.append((Version(folder.name), folder / "bin" / "python"))
    return [python for _, python in sorted(found, reverse=True) if os.access(python, os.X_OK)]


def make_venv(
    directory: Path,
    python: str,
    lock: Path,
    wheels: Path | None,
    cache: Path,
    shares: Shares | None = None,
    built: Path | None = None,
) -> None:
    """Make a virtual environment that holds exactly what `lock` says, checked by hash.

    uv works in the sandbox, on a lock of our own writing; nothing of the original's text reaches it. With `wheels`
    nothing is fetched: everything comes from copies of the files in that folder. Those of `built` are taken beside what
    is fetched: no index has them. With `shares` it yields to what serves. Raises SourceError if the lock is not
    accepted, and ToolError if the environment cannot be made; safe to repeat.
    """
    locked_packages = read_lock_file(lock)
    prefix = base_prefix(python)
    reads = [Path(uv())]
    sync = ["pip", "sync", "-q", "--no-config", "--link-mode", "copy", "--cache-dir", str(cache), "--require-hashes"]
    sync += ["--python", str(directory / "bin" / "python"), "--only-binary", ":all:"]
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as scratch:
        ours = write_lock_file(locked_packages, Path(scratch) / "packages.lock")
        if wheels:
            copies = _copies(wheels, Path(scratch) / "wheels")
            sync += ["--offline", "--no-index", "--find-links", str(copies)]
            reads.append(copies)
        elif built:
            copies = _copies(built, Path(scratch) / "built")
            sync += [word for place in (*_links(), str(copies)) for word in ("--find-links", place)]
            reads.append(copies)

        def run(words: list[str], reads: list[Path], cache: Path | None, network: bool) -> None:
            done = run_package_tool(
                [uv(), *words],
                uv_environment(),
                reads=reads,
                named=[prefix],
                writes=[directory],
                cache=cache,
                timeout_s=INSTALL_TIMEOUT_S,
                shares=shares,
                network=network,
            )
            _refuse_failure(done, lock.name, words)

        run(["venv", "-q", "--no-project", "--python", python, str(directory)], reads, None, False)
        made = Skeleton.of(directory)
        if locked_packages.packages:
            run([*sync, str(ours)], [*reads, ours], cache, wheels is None)
    made.refuse_changes(directory, lock.name, COMPLETE)
    check_packages(directory, locked_packages)
    record_interpreter(directory, prefix)
    compile_bytecode(python, directory / "lib", shares)
    share_read_only(directory)


def _links() -> list[str]:
    """Return the folders and pages of wheels that this host names for uv: a word of ours would hide them."""
    return [place for place in uv_environment().get("UV_FIND_LINKS", "").split(",") if place]


def _copies(wheels: Path, folder: Path) -> Path:
    """Copy wheels to where only we can change them, for the sandbox's user to read: what is hashed is what is used."""
    folder.mkdir()
    folder.chmod(0o755)  # what is around it is 0700
    for wheel in wheels.glob("*.whl"):
        shutil.copyfile(wheel, folder / wheel.name)
        (folder / wheel.name).chmod(0o444)
    return folder


def keep_interpreter(directory: Path, version: str) -> None:
    """Write down beside an environment where its Python of that minor version lives, unless it is. Safe to repeat.

    Environments of older installations have no such record. Raises ArtifactError or ToolError if there is no such
    Python any more.
    """
    if not has_record(directory):
        record_interpreter(directory, base_prefix(interpreter(version)))


def base_prefix(python: str) -> Path:
    """Return where an interpreter is installed. Raises ToolError if it does not run."""
    if os.path.realpath(python) == os.path.realpath(sys.executable):
        return Path(sys.base_prefix)
    argv = [python, "-I", "-S", "-c", "import sys; print(sys.base_prefix)"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolError(f"{python} does not run: {error}") from error
    return Path(done.stdout.strip())


def _refuse_failure(done: Completed, lock: str, words: list[str]) -> None:
    if done.timed_out:
        raise ToolError(f"uv did not finish within {INSTALL_TIMEOUT_S} s: uv {' '.join(words)}", transient=True)
    if done.failed:
        trouble = done.output.strip()[-2000:] or done.how
        transient = was_not_answered(trouble)
        cure = "" if transient else wheel_cure(trouble)
        raise ToolError(f"{lock}: cannot be installed: {trouble}{cure}", transient=transient)


def check_packages(directory: Path, lock: Lock) -> None:
    """Raise ToolError unless an environment holds only packages of the lock, and every one that has no marker."""
    named = {(package.name, package.version) for package in lock.packages}
    needed = {(package.name, package.version) for package in lock.packages if package.marker is None}
    installed = {_package(folder.name) for folder in directory.glob("lib/python3*/site-packages/*.dist-info")}
    if wrong := sorted((installed - named) | (needed - installed)):
        raise ToolError(f"{directory.name}: not what the lock says: {' '.join(wrong[0])} and {len(wrong) - 1} others")


def _package(folder: str) -> tuple[str, str]:
    name, _, version = folder.removesuffix(".dist-info").partition("-")
    try:
        return canonicalize_name(name), str(Version(version))
    except InvalidVersion:
        return canonicalize_name(name), version


def compile_bytecode(python: str, directory: Path, shares: Shares | None = None) -> None:
    """Compile what lies in a directory, by the base interpreter and without `site`, in the sandbox.

    The environment's own interpreter would run whatever a wheel's .pth file says. What does not compile is left as it
    is.
    """
    run_package_tool(
        [os.path.realpath(python), "-I", "-S", "-m", "compileall", "-q", "-j", "2", str(directory)],
        {"PATH": LAUNCHER_PATH, "LANG": "C.UTF-8"},
        named=[base_prefix(python)],
        writes=[directory],
        timeout_s=INSTALL_TIMEOUT_S,
        shares=shares,
        network=False,
    )


def own_command(environment: Path, words: Sequence[str]) -> list[str]:
    """Return a command with the environment's own program: `python`, or one that a package of it brought (`gunicorn`).

    Any other program, and one with a path, stays as it is.
    """
    program = environment / "bin" / words[0]
    own = "/" not in words[0] and (words[0] == "python" or program.is_file())
    return [str(program) if own else words[0], *words[1:]]


def once(directory: Path, make: Callable[[], None]) -> None:
    """Have a directory made exactly once, whoever asks and however often it was interrupted."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with locked(directory.with_suffix(".lock")):
        if not (directory / COMPLETE).exists():
            remove_tree(directory)
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
