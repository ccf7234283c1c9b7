"""The judged revisions of a version beside those of another: what is pending, what takes away, what cannot go back."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from gates.migrations.statements import Kind


class Step(BaseModel):
    """One revision of the app's migrations, judged; `reason` names the statement that decided."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str
    kind: Kind
    reason: str


def pending(steps: Sequence[Step], live: Sequence[Step]) -> list[Step]:
    """Return the steps that the new version brings and the live one does not have."""
    known = {one.revision for one in live}
    return [one for one in steps if one.revision not in known]


def contracting(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps that take something away."""
    return tuple(one for one in steps if one.kind is Kind.CONTRACT)


def unapproved(steps: Sequence[Step], approved: Sequence[str]) -> list[Step]:
    """Return the steps that take something away and that nobody approved by name."""
    return [one for one in contracting(steps) if one.revision not in approved]


def unsafe(contracts: Sequence[Step], versions: Mapping[str, Sequence[Step]]) -> dict[str, str]:
    """Return the digests that lack any of the contracting steps, each with the reason it cannot be gone back to."""
    found = {}
    for digest, known in versions.items():
        if missing := [one for one in pending(contracts, known) if one.kind is Kind.CONTRACT]:
            found[digest] = f"migration {missing[0].revision} took away what it needs ({missing[0].reason})"
    return found
