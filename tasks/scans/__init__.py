"""The security scans. A module here that has a `SCAN` is one: nothing else lists them."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gates.check import Check
from gates.scans.security import Rule
from host.errors import ConfigError
from settings.pipeline import Pipeline
from tasks.source.app_locks import AppLocks
from tasks.source.workspace import Workspace


@dataclass(frozen=True)
class Subject:
    """What is scanned: one commit, and the artifact made of it.

    `tree` is the commit laid out, belonging to us and never written to; `repository` the bare mirror with its whole
    history; `image` the digest of the built container image, None when the artifact is a bundle; `others` the digests
    of the artifact's other images, by name.
    """

    pipeline: Pipeline
    workspace: Workspace
    tree: Path
    repository: Path
    image: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def locks(self) -> AppLocks:
        """Return the locks of the commit."""
        return AppLocks.of(self.pipeline, self.tree)


@dataclass(frozen=True)
class Reads:
    """What a scan's result depends on: the commit's files, by name, and every other value that decides it."""

    files: Sequence[str]
    parts: tuple[Any, ...]


def everything(subject: Subject) -> Reads:
    """Return what a scan depends on that does not say what it reads."""
    source = subject.workspace.source
    images = (subject.image, dict(subject.others))
    parts = (subject.pipeline.digest, source.commit, *images, subject.workspace.environment.name)
    return Reads(list(source.files), parts)


@dataclass(frozen=True)
class Scan:
    """One scan. `name` is its name in checks, REQUIRED_GATES and [scans]; `rule` decides which of its findings block.

    `run` looks at a subject: it must be safe to repeat, and what it cannot look at is no verdict. While nothing of
    what `reads` returns changes, a pass of the same day is remembered.
    """

    name: str
    run: Callable[[Subject], Check]
    reads: Callable[[Subject], Reads] = everything
    rule: Rule = Rule()


def all_scans() -> dict[str, Scan]:
    """Return the scan of each module of this package that has one, by name, in the order of the modules' names.

    Raises ConfigError if two have the same name, and ImportError if a module cannot be loaded: a scan must not be
    missing because nobody could ask for its name.
    """
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    scans = [module.SCAN for module in modules if hasattr(module, "SCAN")]
    by_name = {scan.name: scan for scan in scans}
    if len(by_name) < len(scans):
        raise ConfigError(f"two scans have the same name: {', '.join(scan.name for scan in scans)}")
    return by_name
