"""An artifact laid out on this host: its source, the environments that its locks make, and its smoke tests.

Both runtimes need it: `process` runs the app from there, `compose` its smoke tests, compose files and mounted files.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deployments import sandbox
from deployments.lease import Lease
from evidence.bundle import Bundle, link_blobs, read_bundle, verify_bundle
from evidence.errors import ArtifactError, ToolError

if TYPE_CHECKING:
    from deployments.place import Place

INSTALL_TIMEOUT_S = 1800
COMPLETE = ".complete"


@dataclass(frozen=True)
class Installed:
    """A bundle laid out on this host, read-only: its source, and the environments that its locks and wheels make.

    Bundles with the same wheels share an environment, and environments of the host share both.
    """

    root: Path
    digest: str
    bundle: Bundle

    @property
    def directory(self) -> Path:
        return self.root / self.digest[:32]

    @property
    def source(self) -> Path:
        return self.directory / "source"

    def environment(self, smoke: bool = False) -> Path:
        """Return the virtual environment that the app (or its smoke tests) runs with."""
        bundle = self.bundle
        smoke = smoke and bundle.smoke_lock is not None
        lock, wheels = (bundle.smoke_lock, bundle.smoke_wheels) if smoke else (bundle.lock, bundle.wheels)
        content = json.dumps([bundle.python, lock, wheels], sort_keys=True)
        return self.root / f"env-{hashlib.sha256(content.encode()).hexdigest()[:32]}"

    def command(self, argv: Sequence[str], port: int | None = None, smoke: bool = False) -> list[str]:
        """Return a command of the bundle with its own interpreter and the slot's port filled in."""
        words = [word.replace("{port}", str(port)) for word in argv]
        python = self.environment(smoke) / "bin" / "python"
        return [str(python)] + words[1:] if words[0] == "python" else words


def uv() -> str:
    """Return the path of the uv that belongs to this environment."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise ToolError("uv is not installed here; run: make setup")
    return found


def interpreter(version: str) -> str:
    """Return a Python of the wanted minor version. ArtifactError when this host has none."""
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

    With `wheels` nothing is fetched: everything comes from that folder. ToolError when it cannot be made; safe to
    repeat.
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
    for argv in steps:
        try:
            done = subprocess.run(
                run(argv), env=environ, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"uv did not finish within {INSTALL_TIMEOUT_S} s: {' '.join(argv)}") from error
        if done.returncode:
            raise ToolError(f"{lock.name}: cannot be installed: {done.stderr.strip()[-2000:]}")
    compile_bytecode(python, directory / "lib", run)
    share_read_only(directory)


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
    with open(directory.with_suffix(".lock"), "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / COMPLETE).exists():
            shutil.rmtree(directory, ignore_errors=True)
            make()
            (directory / COMPLETE).touch()


class Layout:
    """Lays artifacts out for one place. `runs_here`: the app's environment too, not only its smoke tests'."""

    def __init__(self, place: "Place", runs_here: bool) -> None:
        self.place = place
        self.runs_here = runs_here

    def install(self, digest: str) -> Installed:
        """Verify an artifact and lay it out, offline and by hash. Safe to repeat and to race.

        Raises ArtifactError when a byte of it is missing or changed.
        """
        installed = self._installed(verify_bundle(self.place.store, digest), digest)
        bundle = installed.bundle
        if self._runs_app_environment(bundle):
            once(installed.environment(), lambda: self._make(installed, bundle.lock, bundle.wheels))
        if bundle.smoke_lock:
            smoke_lock = bundle.smoke_lock
            once(installed.environment(True), lambda: self._make(installed, smoke_lock, bundle.smoke_wheels, True))
        once(installed.directory, lambda: self._unpack(installed))
        return installed

    def installed(self, digest: str) -> Installed:
        """Return an artifact that lies ready here; install it when it does not."""
        installed = self._installed(read_bundle(self.place.store, digest), digest)
        bundle = installed.bundle
        needed = [installed.directory]
        needed += [installed.environment(smoke=True)] if bundle.smoke_lock else []
        needed += [installed.environment()] if self._runs_app_environment(bundle) else []
        return installed if all((one / COMPLETE).exists() for one in needed) else self.install(digest)

    def _runs_app_environment(self, bundle: Bundle) -> bool:
        return self.runs_here or bool(bundle.run.smoke and not bundle.smoke_lock)

    def unpack(self, digest: str) -> Bundle:
        """Verify an artifact and lay out its files, without any environment. Safe to repeat."""
        installed = self._installed(verify_bundle(self.place.store, digest), digest)
        once(installed.directory, lambda: self._unpack(installed))
        return installed.bundle

    def _installed(self, bundle: Bundle, digest: str) -> Installed:
        return Installed(self.place.home.root / "installed", digest, bundle)

    def _make(self, installed: Installed, lock_digest: str, wheels: dict[str, str], smoke: bool = False) -> None:
        store = self.place.store
        with tempfile.TemporaryDirectory(dir=installed.root) as scratch:
            link_blobs(store, wheels, Path(scratch) / "wheels")
            lock = Path(scratch) / ("smoke.lock" if smoke else "runtime.lock")
            lock.write_bytes(store.blob(lock_digest).read_bytes())
            python = interpreter(installed.bundle.python)
            directory = installed.environment(smoke)
            make_venv(directory, python, lock, Path(scratch) / "wheels", self.place.home.cache / "uv")

    def _unpack(self, installed: Installed) -> None:
        installed.source.mkdir(parents=True)
        with tarfile.open(self.place.store.blob(installed.bundle.source)) as archive:
            archive.extractall(installed.source, filter="data")
        compile_bytecode(interpreter(installed.bundle.python), installed.source)
        share_read_only(installed.directory)

    def smoke(self, installed: Installed, base_url: str, headers: Mapping[str, str], lease: Lease) -> str:
        """Run the bundle's smoke tests against an address; return their summary line. ToolError when one fails."""
        command = installed.bundle.run.smoke
        if command is None:
            return "the app names no smoke tests"
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "BASE_URL": base_url}
        done = sandbox.run(
            installed.command(command, smoke=True),
            cwd=installed.source,
            env={**env, "SMOKE_HEADERS": json.dumps(dict(headers)), "PYTHONDONTWRITEBYTECODE": "1"},
            sandbox=sandbox.Sandbox(
                sandbox.available(), read_only=(installed.directory, installed.environment(smoke=True))
            ),
            timeout_s=self.place.settings.smoke_timeout_seconds,
            epoch=lease.mark,
        )
        said = self.masked(done.output)
        if done.timed_out:
            raise ToolError(
                f"the smoke tests did not end within {self.place.settings.smoke_timeout_seconds:g} s: {said[-500:]}"
            )
        if done.returncode:
            raise ToolError(f"the smoke tests failed with exit code {done.returncode}: {said[-1500:]}")
        return (said.strip().splitlines() or ["no output"])[-1].strip("= ")

    def masked(self, text: str) -> str:
        """Replace the environment's secrets in what the app printed."""
        for secret in self.place.secrets():
            text = text.replace(secret, "***")
        return text


def share_read_only(directory: Path) -> None:
    """Take the write bits away and let the sandbox's user read."""
    for folder, _, files in os.walk(directory):
        os.chmod(folder, 0o755)  # nosec B103  # what lies in it is read-only and the home around it is 0700
        for name in files:
            file = Path(folder, name)
            if not file.is_symlink():
                file.chmod(0o555 if file.stat().st_mode & 0o100 else 0o444)
