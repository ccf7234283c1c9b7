"""Quantiles of values that are all there."""

import math
from collections.abc import Sequence


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the ordered values that at least `share` (0 < share <= 1) of them do not exceed."""
    return ordered[max(1, math.ceil(share * len(ordered))) - 1]
