"""Did it get slower? Quantiles with confidence intervals, and ratios that claim no more than the samples hold.

The interval of a quantile is that of its order statistics: distribution-free and exact for independent samples
(David and Nagaraja, Order Statistics, 3rd ed., section 7.1). Requests of one run are not quite independent, and two
runs differ by more than their samples do; hence the high confidence, and the comparison with several earlier runs.
"""

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from gates.requirements import Bound, Measure

# Two intervals of this confidence hold together at 99 % at least (Bonferroni).
CONFIDENCE = 0.995


class Interval(BaseModel):
    """A figure, in seconds, and where it lies with confidence; from `count` samples."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)
    count: int = Field(ge=1)


class Comparison(BaseModel):
    """What a comparison came to. `measure` None: inconclusive, and `note` says why; that is never a pass."""

    model_config = ConfigDict(frozen=True)

    measure: Measure | None
    note: str


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ordered values that at least `share` (0 < share <= 1) of them do not exceed."""
    return ordered[max(1, math.ceil(share * len(ordered))) - 1]


def quantile_interval(ordered: Sequence[float], share: float, confidence: float = CONFIDENCE) -> Interval | None:
    """Return a quantile of ordered positive values with its interval; None when they are too few to bound it."""
    ranks = _ranks(len(ordered), share, (1 - confidence) / 2)
    if ranks is None:
        return None
    low, high = ranks
    value = nearest_rank(ordered, share)
    return Interval(
        value=value, low=min(ordered[low - 1], value), high=max(ordered[high - 1], value), count=len(ordered)
    )


def _ranks(count: int, share: float, tail: float) -> tuple[int, int] | None:
    """Return the ranks (from 1) between which the quantile lies but for probability `tail` on each side.

    The number of samples below the quantile is binomial: rank `low` is above it when fewer than `low` are below.
    """
    log_share, log_rest = math.log(share), math.log1p(-share)
    below, low, high = 0.0, 0, 0
    for number in range(count + 1):
        if below <= tail:  # P(fewer than `number` below): the sample of rank `number` is above the quantile
            low = number
        choose = math.lgamma(count + 1) - math.lgamma(number + 1) - math.lgamma(count - number + 1)
        below += math.exp(choose + number * log_share + (count - number) * log_rest)
        if below >= 1 - tail:  # P(at most `number` below): the sample of rank `number + 1` is not below the quantile
            high = number + 1
            break
    return (low, high) if low >= 1 and 1 <= high <= count else None


def compare(
    name: str, now: Interval, earlier: Sequence[Interval], max_percent: float, floor_s: float = 0
) -> Comparison:
    """Hold a figure against those of earlier runs, the newest first.

    `max_percent` is how much slower it may be. Slower is what is slower beyond the limit for certain: the lowest it can
    be against the highest that any of the earlier runs can have been. Within the limit is what is so for certain
    against the newest. Between the two, or when the difference is below `floor_s` seconds, it is inconclusive.
    """
    if not earlier:
        return Comparison(measure=None, note=f"{name}: inconclusive: no earlier run to compare with")
    newest = earlier[0]
    change = 100 * (now.value / newest.value - 1)
    told = f"{_shown(now)} against {_shown(newest)} ({change:+.0f} %)"
    factor = 1 + max_percent / 100
    measure = Measure(name=name, value=change, bound=Bound.AT_MOST, limit=max_percent, unit=" %")
    if now.high <= factor * newest.low:
        return Comparison(measure=measure, note=f"{name}: {told}: within {max_percent:g} %")
    if abs(now.value - newest.value) < floor_s:
        return Comparison(
            measure=None, note=f"{name}: inconclusive: {told}: differences below {floor_s * 1000:g} ms are not judged"
        )
    if now.low > factor * max(one.high for one in earlier) and change > max_percent:
        runs = f"{len(earlier)} earlier run{'' if len(earlier) == 1 else 's'}"
        return Comparison(measure=measure, note=f"{name}: {told}: slower than {runs}, by more than the samples scatter")
    return Comparison(
        measure=None,
        note=f"{name}: inconclusive: {told}: the spread of the samples does not tell it from {max_percent:g} %",
    )


def _shown(one: Interval) -> str:
    return f"{one.value * 1000:.4g} ms [{one.low * 1000:.4g}, {one.high * 1000:.4g}]"
