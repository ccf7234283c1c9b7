"""Which content a check depends on, and what an earlier run found out about exactly that content."""

import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pathspec
from prefect import runtime
from prefect.logging import get_run_logger

from evidence.results import Entry, Results
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Outcome
from gates.databases.form import PLAIN_FORM, DatabaseForm
from host.errors import ArtifactError
from host.home import CHECKOUT, Home
from host.sandbox.run import available
from settings.pipeline import Pipeline
from tasks.source.git import Source
from tasks.source.workspace import Looked

# What decides how results are read: a change to any of it makes every earlier verdict another rule's.
RULES = (
    "gates/*.py",
    "gates/checks/**/*.py",
    "gates/databases/**/*.py",
    "gates/lock_formats/**/*.py",
    "gates/migrations/**/*.py",
    "gates/release/**/*.py",
    "gates/scans/**/*.py",
    "tasks/build/**/*.py",
    "tasks/checks/**/*.py",
    "tasks/load/**/*.py",
    "tasks/retries.py",
    "tasks/scans/**/*.py",
    "tasks/source/**/*.py",
    "host/git.py",
    "host/locks.py",
    "host/masking.py",
    "host/trees.py",
    "host/yaml_size.py",
    "host/sandbox/*.py",
    "host/sdists/*.py",
    "config/kingfisher/**/*",
    "config/semgrep/**/*",
    "config/*.toml",
    "requirements/*.lock",
)
NOT_RULES = (
    "config/pipeline.toml",
    "config/slipway.toml",
    "config/approvers.toml",
    "config/baseline.toml",
    "config/waivers.toml",
    "requirements/acme.lock",
    "requirements/dev.lock",
)


@functools.cache
def rules_digest() -> str:
    """Return a digest of our own code and rules that turn what tools say into verdicts."""
    digest = hashlib.sha256()
    files = {file for pattern in RULES for file in CHECKOUT.glob(pattern) if file.is_file()}
    for file in sorted(files - {CHECKOUT / name for name in NOT_RULES}):
        digest.update(f"{file.relative_to(CHECKOUT)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def matching(source: Source, globs: Sequence[str]) -> list[str]:
    """Return the commit's files that match the globs (gitignore's syntax), sorted."""
    chosen = pathspec.GitIgnoreSpec.from_lines(globs)
    return sorted(path for path in source.files if chosen.match_file(path))


def files_digest(source: Source, paths: Iterable[str]) -> str:
    """Return a digest of these files of the commit: git's own hashes of content, which is what is laid out."""
    chosen = sorted(set(paths))
    return hashlib.sha256("\0".join(f"{path}\0{source.files[path]}" for path in chosen).encode()).hexdigest()


def result_key(name: str, source: Source, globs: Sequence[str], *parts: Any) -> str:
    """Return what a check's result is kept under: name, the inputs that the globs name, and `parts` that also decide it
    (its configuration, the digest of the environment that it runs in, a day).
    """
    return key_of(name, files_digest(source, matching(source, globs)), *parts)


def form_key(used: bool, form: DatabaseForm) -> tuple[Any, ...]:
    """Return what a key holds of how the app is told of its database: nothing for a check that has none, or of the form
    that there was before there were others.
    """
    return (form.model_dump(),) if used and form != PLAIN_FORM else ()


def key_of(name: str, inputs: str, *parts: Any) -> str:
    """Return the key of a result: our rules and the level of isolation always decide it too."""
    body = [name, inputs, rules_digest(), str(available()), *parts]
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True)
class Memory:
    """The result store for one run. `refresh` recalls nothing, and still keeps what is found out. `remembered` gets the
    names of the checks whose results are in it.
    """

    results: Results
    source: Source
    run: str
    directory: Path
    refresh: bool = False
    remembered: set[str] = field(default_factory=set)

    def recall(self, key: str) -> Looked | None:
        """Return the earlier result with its files, naming the run that looked; None to look again."""
        entry = None if self.refresh else self.results.recall(key)
        if entry is None:
            return None
        try:
            files = self.results.fetch(entry, self.directory / key[:24])
        except ArtifactError:
            return None
        check = entry.check.model_copy(update={"source_run": entry.run})
        get_run_logger().info("%s: %s, remembered from run %s", check.name, check.reason, entry.run)
        self.remembered.add(check.name)
        return Looked(check, files)

    def keep(self, key: str, looked: Looked) -> None:
        """Keep a pass for later runs. A full disk is told, and costs nothing else."""
        if looked.check.outcome is not Outcome.PASSED or looked.check.source_run:
            return
        try:
            files = self.results.put_files(looked.files)
            entry = Entry(
                key=key, check=looked.check, run=self.run, commit=self.source.commit, at=datetime.now(UTC), files=files
            )
            self.results.keep(entry)
            self.remembered.add(looked.check.name)
        except OSError as error:
            get_run_logger().warning("%s: the result could not be kept: %s", looked.check.name, error)


def open_memory(pipeline: Pipeline, source: Source, directory: Path, refresh: bool = False) -> Memory:
    """Return what this run may recall and keep: as a protected branch only when the commit is one's, and signable."""
    home = Home.find()
    scope = source.scope
    results = Results(Store(home.store), Keys(home.keys), scope.branch, scope.protected)
    return Memory(results, source, str(runtime.flow_run.id), directory, refresh)
