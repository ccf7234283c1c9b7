"""Quantiles of a Prometheus histogram: what happened between two readings of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

# Cumulative counts by upper bound, the last bound being infinity.
Buckets = Mapping[float, float]


@dataclass(frozen=True)
class Estimate:
    """A quantile read off a histogram: it lies in (`low`, `high`], `value` is interpolated. `high` may be infinity."""

    value: float
    low: float
    high: float
    count: float


def increase(before: Buckets, after: Buckets) -> dict[float, float] | None:
    """Return what was counted between two readings; None when they do not belong together.

    They do not when a count went back (a process restarted, or another process of the app answered), when the bounds
    changed, when the last bound is not infinity, or when a higher bound counts less.
    """
    if not after or max(after) != math.inf or (before and set(before) != set(after)):
        return None
    grown = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    counts = list(grown.values())
    if not all(math.isfinite(count) for count in counts) or min(counts) < 0 or counts != sorted(counts):
        return None
    return grown


def quantile(buckets: Buckets, share: float) -> Estimate | None:
    """Return the `share` (0 to 1) quantile, interpolated within its bucket; None without observations.

    As Prometheus' histogram_quantile does it (prometheus.io/docs/prometheus/latest/querying/functions): evenly spread
    within a bucket, the first bucket starting at 0, and in the last bucket the highest finite bound, which is then
    only a lower limit (`high` is infinity).
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if total <= 0:
        return None
    rank = share * total
    index = next(number for number, bound in enumerate(bounds) if buckets[bound] >= rank)
    high = bounds[index]
    low = bounds[index - 1] if index else min(0.0, high)
    if math.isinf(high):
        return Estimate(low, low, high, total)
    below = buckets[bounds[index - 1]] if index else 0
    within = buckets[high] - below
    value = low + (high - low) * ((rank - below) / within) if within else high
    return Estimate(value, low, high, total)
