"""What a load test comes to: each figure against its limit, the comparison with earlier runs, and a score."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from gates.histograms import Estimate
from gates.regression import Comparison, Interval, compare
from gates.requirements import Bound, Check, Measure, Outcome

NAME = "load"
API_P95, QUERY_P95, MEMORY, CPU, ERRORS = "API p95", "query p95", "memory", "CPU", "error rate"
REGRESSION = "API p95 against earlier runs"
# Without one of these there is no score.
SCORED = (API_P95, MEMORY, CPU, ERRORS)
SCORE_TARGET = 90.0
# More of the machine than this share used by others: then latencies are not the app's own, and are not compared.
MOST_OTHERS = 0.25
# How many earlier runs show how much runs differ by themselves; more would let one bad day hide a regression.
COMPARED_RUNS = 5


@dataclass(frozen=True)
class Limits:
    """Seconds, MB (a million bytes), percent of `cpu_cores` cores, a fraction. `query_metric` empty: not measured."""

    max_api_p95_s: float
    max_query_p95_s: float
    max_memory_mb: float
    cpu_cores: float
    max_cpu_percent: float
    max_error_rate: float
    max_regression_percent: float
    regression_floor_s: float
    min_samples: int
    min_requests: int
    query_metric: str = ""


class Baseline(BaseModel):
    """What is kept of a good run, to compare later ones with. `load` and `machine` must be the same for that.

    `quantiles_s` are for the plot, by percent; `others` is the share of the machine that other processes used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: int = Field(1, ge=1, le=1)
    load: str = Field(max_length=300)
    machine: str = Field(max_length=300)
    others: float = Field(ge=0)
    p95: Interval
    median: Interval
    requests_per_second: float = Field(ge=0)
    memory_mb: float | None = None
    cpu_percent: float | None = None
    quantiles_s: dict[str, float] = Field(default_factory=dict, max_length=200)


@dataclass(frozen=True)
class Figures:
    """What one load test measured. `p95_s` is over all requests, failed and unfinished ones included.

    A figure that could not be had is None; `reasons` says why, by measure. `cpu_percent` is of the allowance, while
    all users were there. `user_errors` are exceptions of the locustfile itself.
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


def judge_load(seen: Figures, limits: Limits, comparison: Comparison) -> Check:
    """Return the check. A limit that is not kept fails it; a figure that is missing, too few requests, or a load that
    was not the stated one is `no verdict`. An inconclusive comparison is neither, and stands in the notes.
    """
    measures = load_measures(seen, limits)
    if comparison.measure:
        measures = (*measures, comparison.measure)
    outcome, reason = _outcome(seen, limits, measures)
    return Check(
        name=NAME,
        outcome=outcome,
        reason=reason,
        examined=f"{seen.requests} requests by {seen.users} users",
        tool="locust",
        measures=measures,
        notes=(comparison.note, *_notes(seen, limits)),
    )


def _outcome(seen: Figures, limits: Limits, measures: Sequence[Measure]) -> tuple[Outcome, str]:
    broken = [str(one) for one in measures if one.holds is False]
    blind = _blind(seen, limits)
    few = seen.requests < limits.min_requests
    if broken and not few:
        failure = f" (first: {seen.first_failure})" if seen.failed and seen.first_failure else ""
        return Outcome.FAILED, "; ".join(broken) + failure
    unknown = [str(one) for one in measures if one.holds is None and not few]
    if blind or unknown:
        return Outcome.NO_VERDICT, "; ".join([*blind, *broken, *unknown])
    return Outcome.PASSED, "; ".join(f"{one.name} {one.value:.3g}{one.unit}" for one in measures)


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


def compare_load(now: Baseline | None, earlier: Sequence[Baseline], limits: Limits) -> Comparison:
    """Compare with earlier good runs, newest first, of the same load on the same machine; else inconclusive."""

    def inconclusive(why: str) -> Comparison:
        return Comparison(measure=None, note=f"{REGRESSION}: inconclusive: {why}")

    if now is None or now.p95.count < limits.min_samples:
        count = now.p95.count if now else 0
        return inconclusive(f"{count} requests, need {limits.min_samples}" if count else "too few requests")
    if now.others > MOST_OTHERS:
        return inconclusive(f"other processes used {now.others:.0%} of the machine, at most {MOST_OTHERS:.0%} allowed")
    alike = [one for one in earlier if (one.load, one.machine) == (now.load, now.machine)]
    usable = [one.p95 for one in alike if one.p95.count >= limits.min_samples and one.others <= MOST_OTHERS]
    if earlier and not alike:
        differs = "machine" if earlier[0].load == now.load else "load"
        return inconclusive(f"the earlier runs had another {differs}")
    if earlier and not usable:
        return inconclusive("the earlier runs had too few requests, or a busy machine")
    return compare(
        REGRESSION, now.p95, usable[:COMPARED_RUNS], limits.max_regression_percent, limits.regression_floor_s
    )


def performance_score(measures: Sequence[Measure]) -> float | None:
    """Return how much room the app has, from 0 (at or over every limit) to 100 (at most half of every limit used).

    The mean, over p95, memory, CPU, error rate and, when the app names its histogram, query p95, of
    `100 * min(1, max(0, 2 * (1 - value / limit)))`. A limit of 0 scores 100 when kept exactly, else 0. The comparison
    with earlier runs has a gate and no part in it. None when a figure is missing (docs/performance-score.md).
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
