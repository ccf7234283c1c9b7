"""What to do with an operation that somebody began and nobody ended."""

from dataclasses import dataclass
from enum import StrEnum

from gates.release.operation import OperationKind


class Repair(StrEnum):
    """FINISH: what remains is tidying up. RESTORE: bring back what was live before. REPUBLISH: the router forgot."""

    NOTHING = "nothing"
    FINISH = "finish"
    RESTORE = "restore"
    REPUBLISH = "republish"


@dataclass(frozen=True)
class Facts:
    """What journal and world say. `operation` is the kind of the unfinished one, or None.

    `switched`: its version has the traffic now; not so any more once somebody began to restore.
    """

    operation: str | None
    judged_good: bool
    switched: bool
    journal_version: str | None
    router_version: str | None


def decide(facts: Facts) -> tuple[Repair, str]:
    """Return the repair and its reason.

    A release is finished only when its judgement was written down and its version still has the traffic: traffic on
    a version that nobody judged goes back, and a restore that was begun is ended. An interrupted rollback that already
    switched is finished, because what it left was condemned.
    """
    if facts.operation == OperationKind.RELEASE:
        if facts.judged_good and facts.switched:
            return Repair.FINISH, "the release was interrupted after it was judged good"
        when = "while it was taken back" if facts.judged_good else "before it was judged"
        return Repair.RESTORE, f"the release was interrupted {when}"
    if facts.operation == OperationKind.ROLLBACK:
        if facts.switched:
            return Repair.FINISH, "the rollback was interrupted after its switch"
        return Repair.RESTORE, "the rollback was interrupted before its switch; start it again"
    if facts.journal_version is not None and facts.router_version != facts.journal_version:
        seen = facts.router_version or "nothing"
        return Repair.REPUBLISH, f"the router serves {seen}, the journal says {facts.journal_version}"
    return Repair.NOTHING, "nothing is unfinished"
