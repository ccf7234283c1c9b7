"""Whose commits may have written what is kept from run to run, and who recalls it: one rule for results and caches."""

import hashlib
from dataclasses import dataclass

SHARED = "shared"


@dataclass(frozen=True)
class Scope:
    """The commits of one branch. `protected` branches write what everybody reads, and read nothing else.

    What is kept under `writes` is found under `reads`. What cannot be shared, because the app's code changes it in
    place (the cache of a tool or of downloads), is kept under `own`: for this branch alone.
    """

    branch: str
    protected: bool

    @property
    def own(self) -> str:
        """Return a name for what this branch alone reads and writes. It changes when the branch becomes protected."""
        kind = "protected" if self.protected else "branch"
        return f"{kind}-{hashlib.sha256(self.branch.encode()).hexdigest()[:16]}"

    @property
    def reads(self) -> tuple[str, ...]:
        """Return where something is looked for, in this order."""
        return (SHARED,) if self.protected else (SHARED, self.own)

    @property
    def writes(self) -> str:
        """Return where something is kept."""
        return SHARED if self.protected else self.own


# What this installation makes for itself, from locks of its own.
OURS = Scope("", protected=True)
