"""What a decision comes to: an action and its reason."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """PROMOTE: go on. WAIT: too little is known yet. STOP: no effect has happened, end here. ROLL_BACK: undo."""

    PROMOTE = "promote"
    WAIT = "wait"
    STOP = "stop"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Verdict:
    """A decision with the reason that a person will read."""

    action: Action
    reason: str
