"""Does the evidence show every check that an environment requires? Absent, skipped, unread and failed all block."""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from gates.baseline import Known
from gates.findings import Finding
from gates.verdict import Action, Verdict


class Outcome(StrEnum):
    """What a check came to. `no verdict`: the tool could not look, or its report cannot be trusted.

    `not applicable`: there is nothing of that kind to look at (a bundle has no image), which only the check itself can
    say. `accepted un-run`: it could not look, and config/pipeline.toml accepts that, with a reason; told loudly
    wherever a person decides. Neither blocks, and neither is ever called a pass.
    """

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    NO_VERDICT = "no verdict"
    NOT_APPLICABLE = "not applicable"
    ACCEPTED_UNRUN = "accepted un-run"


class Bound(StrEnum):
    """How a measure is held against its limit."""

    AT_LEAST = ">="
    MORE_THAN = ">"
    AT_MOST = "<="
    LESS_THAN = "<"


class Measure(BaseModel):
    """One figure of a check against its limit, unrounded. `value` None: it could not be measured, `reason` says why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: float | None
    bound: Bound
    limit: float
    unit: str = ""
    reason: str = ""

    @property
    def holds(self) -> bool | None:
        """Return whether the figure keeps its limit; None when there is no figure."""
        if self.value is None or self.value != self.value:
            return None
        match self.bound:
            case Bound.AT_LEAST:
                return self.value >= self.limit
            case Bound.MORE_THAN:
                return self.value > self.limit
            case Bound.AT_MOST:
                return self.value <= self.limit
            case Bound.LESS_THAN:
                return self.value < self.limit

    @property
    def margin(self) -> float | None:
        """Return how far inside its limit the figure is, in its unit; negative when outside."""
        if self.value is None:
            return None
        above = self.bound in (Bound.AT_LEAST, Bound.MORE_THAN)
        return self.value - self.limit if above else self.limit - self.value

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.name} could not be measured: {self.reason}"
        return f"{self.name} {self.value:.6g}{self.unit}, wanted {self.bound} {self.limit:g}{self.unit}"


class Check(BaseModel):
    """One check of one commit. `examined` says what it looked at ("42 files", "61 tests"), so that a pass means
    something; `measures` are its figures with their limits, `findings` what it found; `source_run` is the run that
    looked, when this one only remembers (the inputs were the same). `source_away`: it has no verdict only because a
    source outside is away; that is for who judges it and is not written into evidence. `known` are the findings that
    config/baseline.toml holds back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    outcome: Outcome
    reason: str
    examined: str = ""
    tool: str = ""
    seconds: float = 0
    measures: tuple[Measure, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    source_run: str = ""
    known: tuple[Known, ...] = Field((), exclude_if=lambda known: not known)
    source_away: bool = Field(False, exclude=True)


def no_verdict(name: str, reason: str) -> Check:
    """Return the check of something that could not be run at all."""
    return Check(name=name, outcome=Outcome.NO_VERDICT, reason=reason)


# A required check that came to one of these does not block.
GOOD = (Outcome.PASSED, Outcome.NOT_APPLICABLE, Outcome.ACCEPTED_UNRUN)


def judge_checks(required: Sequence[str], checks: Sequence[Check]) -> Verdict:
    """PROMOTE when every required check passed; else STOP, naming each that did not and why.

    Of several checks of one name, the worst counts. What was accepted un-run is named in the reason, always.
    """
    seen = {check.name: check for check in sorted(checks, key=lambda check: _rank(check.outcome))}
    missing = [
        f"{name}: {seen[name].outcome} ({seen[name].reason})" if name in seen else f"{name}: absent from the evidence"
        for name in required
        if name not in seen or seen[name].outcome not in GOOD
    ]
    if missing:
        return Verdict(Action.STOP, "; ".join(missing))
    return Verdict(Action.PROMOTE, _in_short([seen[name] for name in required]))


def _rank(outcome: Outcome) -> int:
    return (*GOOD, Outcome.SKIPPED, Outcome.FAILED, Outcome.NO_VERDICT).index(outcome)


def _in_short(checks: Sequence[Check]) -> str:
    passed = [check.name for check in checks if check.outcome is Outcome.PASSED]
    parts = [f"{len(passed)} required checks passed: {', '.join(passed) or 'none'}"]
    unrun = [f"{check.name} ({check.reason})" for check in checks if check.outcome is Outcome.ACCEPTED_UNRUN]
    if unrun:
        parts.append(f"NOBODY LOOKED AT: {', '.join(unrun)}")
    other = [check.name for check in checks if check.outcome is Outcome.NOT_APPLICABLE]
    if other:
        parts.append(f"not applicable: {', '.join(other)}")
    return "; ".join(parts)
