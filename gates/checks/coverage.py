"""Is enough of the code covered by tests? On unrounded figures, each suite on the files that it answers for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gates.check import Bound, Check, Measure, Outcome

TOTAL = "total coverage"
CHANGED = "coverage of changed lines"


class FileCoverage(BaseModel):
    """What is covered of one file. `missing` are 1-based lines that no test ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(max_length=1000)
    statements: int = Field(ge=0)
    covered: int = Field(ge=0)
    branches: int = Field(0, ge=0)
    covered_branches: int = Field(0, ge=0)
    excluded: int = Field(0, ge=0)
    missing: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> "FileCoverage":
        if self.covered > self.statements or self.covered_branches > self.branches:
            raise ValueError(f"{self.path}: more is covered than there is")
        return self

    @property
    def percent(self) -> float:
        """Return coverage.py's own figure: covered statements and branches of all, 100 for a file without any."""
        return percent([self]) if self.statements else 100.0


class Changed(BaseModel):
    """The changed lines that hold statements, and how many of them no test ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: int = Field(ge=0)
    missing: int = Field(ge=0)
    files: dict[str, tuple[int, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sound(self) -> "Changed":
        if self.missing > self.lines:
            raise ValueError("more changed lines are missing than there are")
        return self


class Unmeasured(BaseModel):
    """Why a figure is not there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str


Covered = tuple[FileCoverage, ...]


@dataclass(frozen=True)
class Limits:
    """Percentages: `total` and `changed` must be reached, a suite's must be exceeded. None: no limit."""

    total: float
    suites: Mapping[str, float]
    changed: float | None = None


def percent(files: Sequence[FileCoverage]) -> float:
    """Return covered statements and branches of all, in percent, rounded once; NaN when there are none."""
    whole = sum(one.statements + one.branches for one in files)
    return 100 * sum(one.covered + one.covered_branches for one in files) / whole if whole else float("nan")


def suite_measure(suite: str) -> str:
    """Return the name of a suite's measure."""
    return f"coverage by {suite}"


def judge_coverage(
    limits: Limits,
    total: Covered | Unmeasured,
    suites: Mapping[str, Covered | Unmeasured],
    changed: Changed | Unmeasured | None,
) -> Check:
    """Return the check, named "coverage". A figure that is not there is `no verdict`, unless another one fails.

    A denominator without a statement is no figure: nothing was asked. No changed line at all is full coverage of them.
    """
    measures = [_measure(TOTAL, total, Bound.AT_LEAST, limits.total)]
    for suite, limit in limits.suites.items():
        seen = suites.get(suite, Unmeasured(reason="the suite was not measured"))
        measures.append(_measure(suite_measure(suite), seen, Bound.MORE_THAN, limit))
    notes: tuple[str, ...] = ()
    if limits.changed is not None:
        measures.append(_changed(changed or Unmeasured(reason="nobody looked"), limits.changed))
        if isinstance(changed, Changed) and not changed.lines:
            notes = ("no changed line holds a statement of the covered files",)
    outcome, reason = _outcome(measures)
    examined = "" if isinstance(total, Unmeasured) else _examined(total)
    return Check(
        name="coverage",
        outcome=outcome,
        reason=reason,
        examined=examined,
        tool="coverage",
        measures=tuple(measures),
        notes=notes,
    )


def _measure(name: str, seen: Covered | Unmeasured, bound: Bound, limit: float) -> Measure:
    reason = seen.reason if isinstance(seen, Unmeasured) else ""
    value = None if isinstance(seen, Unmeasured) else percent(seen)
    if value is not None and value != value:
        value, reason = None, "the files that it answers for hold no statement"
    return Measure(name=name, value=value, bound=bound, limit=limit, unit="%", reason=reason)


def _changed(seen: Changed | Unmeasured, limit: float) -> Measure:
    if isinstance(seen, Unmeasured):
        return Measure(name=CHANGED, value=None, bound=Bound.AT_LEAST, limit=limit, unit="%", reason=seen.reason)
    value = 100 * (seen.lines - seen.missing) / seen.lines if seen.lines else 100.0
    return Measure(name=CHANGED, value=value, bound=Bound.AT_LEAST, limit=limit, unit="%")


def _outcome(measures: Sequence[Measure]) -> tuple[Outcome, str]:
    bad = [str(one) for one in measures if one.holds is False]
    unknown = [str(one) for one in measures if one.holds is None]
    if bad:
        return Outcome.FAILED, "; ".join(bad + unknown)
    if unknown:
        return Outcome.NO_VERDICT, "; ".join(unknown)
    return Outcome.PASSED, "; ".join(str(one) for one in measures)


def _examined(files: Covered) -> str:
    return f"{len(files)} files, {sum(one.statements for one in files)} statements"
