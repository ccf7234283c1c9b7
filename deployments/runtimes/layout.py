"""An artifact laid out on this host: its source, the environments that its locks make, and its smoke tests.

Both runtimes need it: `process` runs the app from there, `compose` its smoke tests, compose files and mounted files.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deployments.candidate import Artifact
from deployments.journal.lease import Lease
from deployments.place import Place
from deployments.runtimes.app_redis import AppRedis
from evidence.bundle import Bundle, copy_blobs, verify_blobs
from host.errors import ArtifactError, SourceError, ToolError
from host.masking import masked
from host.sandbox import run as sandbox
from host.sandbox.places import has_record
from host.sandbox.uids import environment_uid
from host.trees import UnsafeTree, unpack
from host.virtual_environments import (
    COMPLETE,
    compile_bytecode,
    interpreter,
    keep_interpreter,
    make_venv,
    once,
    own_command,
    share_read_only,
)


@dataclass(frozen=True)
class Installed(Artifact):
    """An artifact laid out on this host, read-only: its source, and the environments that its locks and wheels make.

    Bundles with the same wheels share an environment, and environments of the host share both.
    """

    root: Path

    @property
    def directory(self) -> Path:
        return self.root / self.digest[:32]

    @property
    def source(self) -> Path:
        return self.directory / "source"

    @property
    def working_directory(self) -> Path:
        """Return where the app's commands start."""
        return self.source / self.bundle.run.directory

    def environment(self, smoke: bool = False) -> Path:
        """Return the virtual environment that the app (or its smoke tests) runs with."""
        bundle = self.bundle
        smoke = smoke and bundle.smoke_lock is not None
        lock, wheels = (bundle.smoke_lock, bundle.smoke_wheels) if smoke else (bundle.lock, bundle.wheels)
        content = json.dumps([bundle.python, lock, wheels], sort_keys=True)
        return self.root / f"env-{hashlib.sha256(content.encode()).hexdigest()[:32]}"

    def command(self, argv: Sequence[str], port: int | None = None, smoke: bool = False) -> list[str]:
        """Return a command of the bundle with its own programs and the slot's port filled in."""
        return own_command(self.environment(smoke), [word.replace("{port}", str(port)) for word in argv])


def app_environment(place: Place, database: Mapping[str, str]) -> dict[str, str]:
    """Return what the app is told: its settings (APP_), its secrets (SECRET_), its database and its Redis."""
    secrets = {name: place.app_secret(name, reference) for name, reference in place.settings.secrets.items()}
    return {**place.settings.app, **secrets, **AppRedis(place).variables(), **database}


def app_secrets(place: Place, database: Iterable[str]) -> list[str]:
    """Return every value that must not appear in what we print of the app's output; `database`: those of its
    database.
    """
    values = [place.app_secret(name, reference) for name, reference in place.settings.secrets.items()]
    return [value for value in (*values, *database, *AppRedis(place).secrets(), place.preview_secret()) if value]


class Layout:
    """Lays artifacts out for one place. `runs_here`: the app's environment too, not only its smoke tests'."""

    def __init__(self, place: Place, runs_here: bool) -> None:
        self.place = place
        self.runs_here = runs_here

    def install(self, artifact: Artifact) -> Installed:
        """Verify an artifact's bytes once more and lay it out, offline and by hash. Safe to repeat and to race.

        Raises ArtifactError if a byte of it is missing or changed.
        """
        verify_blobs(self.place.store, artifact.bundle)
        installed = self.unpack(artifact)
        bundle = installed.bundle
        if self._runs_app_environment(bundle):
            once(installed.environment(), lambda: self._make(installed, bundle.lock, bundle.wheels))
        if bundle.smoke_lock:
            smoke_lock = bundle.smoke_lock
            once(installed.environment(True), lambda: self._make(installed, smoke_lock, bundle.smoke_wheels, True))
        for environment in self._environments(installed):
            keep_interpreter(environment, bundle.python)
        return installed

    def installed(self, artifact: Artifact) -> Installed:
        """Return an artifact that lies ready here; install it when it does not."""
        installed = self._installed(artifact)
        environments = self._environments(installed)
        laid_out = all((directory / COMPLETE).exists() for directory in (installed.directory, *environments))
        return installed if laid_out and all(map(has_record, environments)) else self.install(artifact)

    def _environments(self, installed: Installed) -> list[Path]:
        bundle = installed.bundle
        smoke = [installed.environment(smoke=True)] if bundle.smoke_lock else []
        return smoke + ([installed.environment()] if self._runs_app_environment(bundle) else [])

    def _runs_app_environment(self, bundle: Bundle) -> bool:
        return self.runs_here or bool(bundle.run.smoke and not bundle.smoke_lock)

    def unpack(self, artifact: Artifact) -> Installed:
        """Lay out an artifact's files, without any environment. Safe to repeat."""
        installed = self._installed(artifact)
        once(installed.directory, lambda: self._unpack(installed))
        return installed

    def _installed(self, artifact: Artifact) -> Installed:
        return Installed(artifact.digest, artifact.bundle, self.place.home.root / "installed")

    def _make(self, installed: Installed, lock_digest: str, wheels: dict[str, str], smoke: bool = False) -> None:
        store = self.place.store
        with tempfile.TemporaryDirectory(dir=installed.root) as scratch:
            copy_blobs(store, wheels, Path(scratch) / "wheels")
            lock = store.copy_blob(lock_digest, Path(scratch) / ("smoke.lock" if smoke else "runtime.lock"))
            python = interpreter(installed.bundle.python)
            directory = installed.environment(smoke)
            try:
                make_venv(directory, python, lock, Path(scratch) / "wheels", Path(scratch) / "uv")
            except SourceError as error:
                raise ArtifactError(f"artifact {installed.digest[:12]}: {error}") from error

    def _unpack(self, installed: Installed) -> None:
        installed.source.mkdir(parents=True)
        try:
            with self.place.store.open_blob(installed.bundle.source) as archive:
                unpack(archive, installed.source)
        except UnsafeTree as error:
            raise ArtifactError(f"the source of {installed.digest[:12]} cannot be laid out: {error}") from error
        compile_bytecode(interpreter(installed.bundle.python), installed.source)
        share_read_only(installed.directory)


def smoke(place: Place, installed: Installed, headers: Mapping[str, str], lease: Lease, secrets: Iterable[str]) -> str:
    """Run the bundle's smoke tests against its place's address; return their summary line. Raises ToolError if one
    fails.
    """
    command = installed.bundle.run.smoke
    if command is None:
        return "the app names no smoke tests"
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "BASE_URL": place.url}
    done = sandbox.run(
        installed.command(command, smoke=True),
        cwd=installed.working_directory,
        env={**env, "SMOKE_HEADERS": json.dumps(dict(headers)), "PYTHONDONTWRITEBYTECODE": "1"},
        sandbox=sandbox.Sandbox(
            sandbox.available(),
            read_only=(installed.directory, installed.environment(smoke=True)),
            uid=environment_uid(place.home, place.name),
        ),
        timeout_s=place.settings.smoke_timeout_seconds,
        epoch=lease.mark,
        others=True,  # the app, the router and the database
    )
    said = masked(done.output, secrets)
    if done.timed_out:
        raise ToolError(f"the smoke tests did not end within {place.settings.smoke_timeout_seconds:g} s: {said[-500:]}")
    if done.returncode:
        raise ToolError(f"the smoke tests failed with exit code {done.returncode}: {said[-1500:]}")
    return (said.strip().splitlines() or ["no output"])[-1].strip("= ")
