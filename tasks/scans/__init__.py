"""The seven security scans, one a module. Each returns what it came to, what it looked at, and what it found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gates.scans.security import RULES
from settings.pipeline import Pipeline
from tasks.source.workspace import Workspace

# The names that checks, REQUIRED_GATES and [scans] use, in the order of the report: one without a rule is no scan.
SCANS: Sequence[str] = tuple(RULES)


@dataclass(frozen=True)
class Subject:
    """What is scanned: one commit, and the artifact made of it.

    `tree` is the commit laid out, belonging to us and never written to; `repository` the bare mirror with its whole
    history; `image` the digest of a built container image, None when the artifact is a bundle.
    """

    pipeline: Pipeline
    workspace: Workspace
    tree: Path
    repository: Path
    image: str | None = None
