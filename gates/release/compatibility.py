"""Does the version that serves now keep working on the schema that a commit brings? What was tried in, a check out."""

from collections.abc import Sequence
from dataclasses import dataclass

from gates.check import Check, Outcome
from gates.migrations.steps import Step, pending

NAME = "compatibility"


@dataclass(frozen=True)
class Tried:
    """How the live version did on the migrated schema. `trouble`: what went wrong, and where; "" when nothing did."""

    live: str
    environment: str
    revisions: tuple[str, ...]
    trouble: str
    smoke: str


def nothing_to_try(live: bool, steps: Sequence[Step] | None, known: Sequence[Step] | None, migrates: bool) -> str:
    """Return why there is nothing to try, "" when there is. Migrations that nobody judged are all taken as pending."""
    if not live:
        return "nothing is live yet"
    if not migrates:
        return "the app has no migrations"
    if steps is None or known is None:
        return ""
    return "" if pending(steps, known) else "no migration is pending"


def judge_compatibility(tried: Tried) -> Check:
    """Return the check: old code on the new schema is what serves from the migration to the switch, and after a
    rollback.
    """
    revisions = ", ".join(tried.revisions[:5]) or "of this commit"
    where = f"{tried.live}, live in {tried.environment}, on the schema after migration {revisions}"
    if tried.trouble:
        return Check(name=NAME, outcome=Outcome.FAILED, reason=f"{where}: {tried.trouble}"[:1000])
    return Check(name=NAME, outcome=Outcome.PASSED, reason=f"{where}: {tried.smoke}"[:1000])
