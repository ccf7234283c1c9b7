"""What `ci` would say of the locks of other tools, read as it reads them: on copies, and without the app's own code."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from gates.adopt.readiness import Outcome
from gates.adopt.tree import Tree, subtable
from gates.documents import first_fault
from gates.other_locks import is_read_lock
from host.errors import ConfigError, SlipwayError, SourceError
from settings.locks import LockChoice, Locks
from tasks.source.app_locks import PROJECT, AppLocks


def read_locks(tree: Tree, pipeline: Mapping[str, Any], python: str) -> dict[str, tuple[Outcome, str]]:
    """Return how each other tool's lock of [locks] would be taken, by its key, and why. `python`: a version that this
    host has.
    """
    try:
        locks = Locks.model_validate(subtable(pipeline, "locks"))
    except ValidationError as error:
        return dict.fromkeys(("runtime", "ci"), (Outcome.BLOCKS, f"[locks] {first_fault(error)}"))
    with tempfile.TemporaryDirectory(prefix="adopt-") as scratch:
        top = Path(scratch) / "tree"
        for name in _wanted(tree):
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_text(tree.texts[name], encoding="utf-8")
        here = AppLocks(top, locks, python)
        chosen = (("runtime", locks.runtime), ("ci", locks.ci))
        return {key: _taken(here, one) for key, one in chosen if is_read_lock(one.file) and one.file in tree.texts}


def _wanted(tree: Tree) -> Iterator[str]:
    """Yield the files that are copied; a commit's names may lead out of it."""
    for name in tree.texts:
        path = PurePosixPath(name)
        if (path.name == PROJECT or is_read_lock(name)) and not path.is_absolute() and ".." not in path.parts:
            yield name


def _taken(here: AppLocks, choice: LockChoice) -> tuple[Outcome, str]:
    try:
        number = len(here.convert(choice).lock.packages)
        here.refuse_unbuilt(choice)
        wheels = "and wheels" if not here.locks.build_from_source else "and, but for build_from_source, wheels"
    except (ConfigError, SourceError) as error:
        return Outcome.BLOCKS, str(error)
    except SlipwayError as error:
        return Outcome.UNKNOWN, str(error)
    return Outcome.OK, f"{choice}: {number} packages, all with hashes {wheels}"
