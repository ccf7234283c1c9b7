"""What a load test comes to: each figure against its limit, the comparison with the base version, and a score."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from gates.check import Bound, Check, Measure, Outcome
from gates.checks.histograms import Estimate
from gates.checks.load_pairs import Versus, versus_measures, versus_notes

NAME = "load"
API_P95, QUERY_P95, MEMORY, CPU, ERRORS = "API p95", "query p95", "memory", "CPU", "error rate"
# Without one of these there is no score.
SCORED = (API_P95, MEMORY, CPU, ERRORS)
SCORE_TARGET = 90.0
# How an inconclusive check ends its reason: what a person can do about it.
AGAIN = "start ci again when the machine is quiet"


@dataclass(frozen=True)
class Limits:
    """Seconds, MB (a million bytes), percent of `cpu_cores` cores, a fraction. `query_metric` empty: not measured."""

    max_api_p95_s: float
    max_query_p95_s: float
    max_memory_mb: float
    cpu_cores: float
    max_cpu_percent: float
    max_error_rate: float
    min_requests: int
    query_metric: str = ""


class Trend(BaseModel):
    """What is kept of a good run, for the picture of a later one and for nothing else: `quantiles_s` by percent."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: int = Field(2, ge=2, le=2)
    load: str = Field(max_length=300)
    machine: str = Field(max_length=300)
    requests_per_second: float = Field(ge=0)
    memory_mb: float | None = None
    cpu_percent: float | None = None
    quantiles_s: dict[str, float] = Field(default_factory=dict, max_length=200)


@dataclass(frozen=True)
class Figures:
    """What one load test measured. `p95_s` is over all requests, failed and unfinished ones included.

    A figure that could not be had is None; `reasons` says why, by measure. `cpu_percent` is of the allowance, while
    all users were there. `user_errors` are exceptions of the locustfile itself. Of the `failed`, `late` had taken at
    least `max_api_p95_s`: a busy machine alone can do that. `disturbed` is why figures of time are not to be believed
    (gates/checks/contention.py), "" when they are.
    """

    requests: int
    failed: int
    p95_s: float | None
    memory_mb: float | None
    cpu_percent: float | None
    query_p95: Estimate | None = None
    users: int = 0
    asked_users: int = 0
    user_errors: int = 0
    first_user_error: str = ""
    first_failure: str = ""
    reasons: dict[str, str] = field(default_factory=dict)
    late: int = 0
    disturbed: str = ""

    @property
    def error_rate(self) -> float | None:
        return self.failed / self.requests if self.requests else None


def load_measures(seen: Figures, limits: Limits) -> tuple[Measure, ...]:
    """Return each figure against its limit; the query time only when the app names its histogram."""

    def measure(name: str, value: float | None, bound: Bound, limit: float, unit: str = "") -> Measure:
        reason = "" if value is not None else seen.reasons.get(name, "no sample")
        return Measure(name=name, value=value, bound=bound, limit=limit, unit=unit, reason=reason)

    found = [measure(API_P95, seen.p95_s, Bound.LESS_THAN, limits.max_api_p95_s, " s")]
    if limits.query_metric:
        value, reason = _query_time(seen, limits)
        query = measure(QUERY_P95, value, Bound.LESS_THAN, limits.max_query_p95_s, " s")
        found.append(query.model_copy(update={"reason": reason}) if reason else query)
    return (
        *found,
        measure(MEMORY, seen.memory_mb, Bound.LESS_THAN, limits.max_memory_mb, " MB"),
        measure(CPU, seen.cpu_percent, Bound.LESS_THAN, limits.max_cpu_percent, " %"),
        measure(ERRORS, seen.error_rate, Bound.AT_MOST, limits.max_error_rate),
    )


def _query_time(seen: Figures, limits: Limits) -> tuple[float | None, str]:
    """Return the query p95 and, without one, why. Beyond the last bound only a lower limit is known: not a pass."""
    estimate = seen.query_p95
    if estimate is None:
        return None, seen.reasons.get(QUERY_P95, f"{limits.query_metric} counted no query")
    if estimate.high == float("inf") and estimate.value < limits.max_query_p95_s:
        return None, f"it is beyond the last bound of {limits.query_metric}, {estimate.low:g} s"
    return estimate.value, ""


def judge_load(seen: Figures, limits: Limits, versus: Versus) -> Check:
    """Return the check. A limit that is not kept fails it, and so does being slower than the base; a figure that is
    missing, too few requests, or a load that was not the stated one is `no verdict`. So is a figure of time beyond its
    limit that was taken while others disturbed it: production must not get what nobody could judge. An inconclusive
    comparison is neither, and stands in the notes.
    """
    measures = (*load_measures(seen, limits), *versus_measures(versus))
    outcome, reason = _outcome(seen, limits, measures)
    return Check(
        name=NAME,
        outcome=outcome,
        reason=reason,
        examined=f"{seen.requests} requests by {seen.users} users",
        tool="locust",
        measures=measures,
        notes=(*versus_notes(versus), *_notes(seen, limits)),
    )


def look_again(seen: Figures, limits: Limits) -> bool:
    """Return whether only a second look, in a quiet moment, can tell: others disturbed this one, and it shows."""
    if not seen.disturbed:
        return False
    return seen.requests < limits.min_requests or bool(_excused(seen, limits, load_measures(seen, limits)))


def _outcome(seen: Figures, limits: Limits, measures: Sequence[Measure]) -> tuple[Outcome, str]:
    few = seen.requests < limits.min_requests
    excused = _excused(seen, limits, measures)
    broken = [str(one) for one in measures if one.holds is False and one not in excused]
    blind = _blind(seen, limits)
    if broken and not few:
        failure = f" (first: {seen.first_failure})" if seen.failed and seen.first_failure else ""
        return Outcome.FAILED, "; ".join(broken) + failure
    unknown = [str(one) for one in measures if one.holds is None and not few]
    unsure = _unsure(seen, excused)
    if blind or unknown or unsure:
        return Outcome.NO_VERDICT, "; ".join([*unsure, *blind, *broken, *unknown])
    return Outcome.PASSED, "; ".join(f"{one.name} {one.value:.3g}{one.unit}" for one in measures)


def _excused(seen: Figures, limits: Limits, measures: Sequence[Measure]) -> list[Measure]:
    """Return the figures of time whose broken limit says nothing, since others disturbed them."""
    if not seen.disturbed:
        return []
    at_once = (seen.failed - seen.late) / seen.requests if seen.requests else 0.0
    timed = [API_P95, QUERY_P95, *([ERRORS] if at_once <= limits.max_error_rate else [])]
    return [one for one in measures if one.holds is False and one.name in timed]


def _unsure(seen: Figures, excused: Sequence[Measure]) -> list[str]:
    if not excused:
        return []
    return [f"inconclusive: {'; '.join(map(str, excused))}, while {seen.disturbed}; {AGAIN}"]


def _blind(seen: Figures, limits: Limits) -> list[str]:
    """Return why the figures are not those of the stated load."""
    reasons = []
    if seen.requests < limits.min_requests:
        reasons.append(f"{seen.requests} requests, need {limits.min_requests} to judge")
    if seen.user_errors:
        reasons.append(f"the locustfile raised {seen.user_errors} times: {seen.first_user_error}")
    if seen.users < seen.asked_users:
        reasons.append(f"only {seen.users} of {seen.asked_users} users were there: not the stated load")
    return reasons


def _notes(seen: Figures, limits: Limits) -> list[str]:
    notes = []
    if not limits.query_metric:
        notes.append("query time not measured: performance.query_metric names no histogram of the app")
    estimate = seen.query_p95
    if estimate is not None and estimate.high != float("inf"):
        notes.append(
            f"query p95 interpolated from {estimate.low:g} to {estimate.high:g} s, over {estimate.count:.0f} queries"
        )
    if seen.failed:
        notes.append(f"{seen.failed} of {seen.requests} requests failed, first: {seen.first_failure}")
    return notes


def performance_score(measures: Sequence[Measure]) -> float | None:
    """Return how much room the app has, from 0 (at or over every limit) to 100 (at most half of every limit used).

    The mean, over p95, memory, CPU, error rate and, when the app names its histogram, query p95, of
    `100 * min(1, max(0, 2 * (1 - value / limit)))`. A limit of 0 scores 100 when kept exactly, else 0. The comparison
    with the base has a gate and no part in it. None when a figure is missing (docs/performance-score.md).
    """
    scored = {one.name: one for one in measures if one.name in (*SCORED, QUERY_P95)}
    if any(name not in scored for name in SCORED):
        return None
    parts = [_part(one) for one in scored.values()]
    known = [part for part in parts if part is not None]
    return sum(known) / len(known) if len(known) == len(parts) else None


def _part(one: Measure) -> float | None:
    if one.holds is None or one.value is None:
        return None
    if one.limit == 0:
        return 100.0 if one.value <= 0 else 0.0
    return 100 * min(1.0, max(0.0, 2 * (1 - one.value / one.limit)))
