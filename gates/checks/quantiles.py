"""Quantiles of values that are all there."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ordered values that at least `share` (0 < share <= 1) of them do not exceed."""
    return ordered[max(1, math.ceil(share * len(ordered))) - 1]


def weighted_rank(weighted: Iterable[tuple[float, float]], share: float) -> float:
    """Return the smallest value that at least `share` (0 < share <= 1) of the weight does not exceed.

    Takes (value, weight above 0), one at least, in any order.
    """
    ordered = sorted(weighted)
    wanted = share * math.fsum(weight for _, weight in ordered) * (1 - 1e-12)  # what rounding takes away
    so_far = accumulate(weight for _, weight in ordered)
    return next((value for (value, _), weight in zip(ordered, so_far, strict=True) if weight >= wanted), ordered[-1][0])
