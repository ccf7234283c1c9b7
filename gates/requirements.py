"""Does the evidence show every check that an environment requires? Absent, skipped, unread and failed all block."""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from gates.verdict import Action, Verdict


class Outcome(StrEnum):
    """What a check came to. `no verdict`: the tool could not look, or its report cannot be trusted."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    NO_VERDICT = "no verdict"


class Check(BaseModel):
    """One check of one commit. `examined` says what it looked at ("42 files", "61 tests"), so that a pass means
    something.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    outcome: Outcome
    reason: str
    examined: str = ""
    tool: str = ""
    seconds: float = 0


def judge_checks(required: Sequence[str], checks: Sequence[Check]) -> Verdict:
    """PROMOTE when every required check passed; else STOP, naming each that did not and why.

    Of several checks of one name, one that did not pass counts.
    """
    seen = {check.name: check for check in sorted(checks, key=lambda check: check.outcome is not Outcome.PASSED)}
    missing = [
        f"{name}: {seen[name].outcome} ({seen[name].reason})" if name in seen else f"{name}: absent from the evidence"
        for name in required
        if name not in seen or seen[name].outcome is not Outcome.PASSED
    ]
    if missing:
        return Verdict(Action.STOP, "; ".join(missing))
    return Verdict(Action.PROMOTE, f"{len(required)} required checks passed: {', '.join(required) or 'none'}")
