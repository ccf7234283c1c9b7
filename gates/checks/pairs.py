"""Did it get slower? Two versions, measured side by side in one run: only the ratios within a pair are looked at.

A pair is the base and the candidate, measured next to each other in time (A B, B A, A B, ...): what disturbs one of
them, disturbs the other about as much, and what is left falls on both sides alike. The logarithms of the ratios are
held against the limit with Wilcoxon's signed-rank test; the ratio is the Hodges-Lehmann estimate, its interval that
test inverted (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., sections 3.1 to 3.3). None of
these asks how times are distributed, only that a disturbed pair is about as likely to favour either version.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# Looking again with each pair would find something some day. So it is looked at these numbers of pairs only, and each
# look that can find SLOWER (from 10 pairs on: 2 ** -10 is below 0.001) has its share of 1 % to be wrong in all.
LOOKS = (5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60)
MOST_PAIRS = LOOKS[-1]
SLOWER_P = 0.001
# WITHIN by mistake lets something slower pass once, no more: one in twenty, when it is slower by exactly the limit.
WITHIN_P = 0.05


class Pair(BaseModel):
    """The same figure of both versions, in seconds, measured next to each other."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    base: float = Field(gt=0)
    candidate: float = Field(gt=0)


class Finding(StrEnum):
    """What pairs tell. UNDECIDED is no pass: more pairs may tell, or it stays inconclusive."""

    WITHIN = "within"
    SLOWER = "slower"
    UNDECIDED = "undecided"


class Compared(BaseModel):
    """How many times as long the candidate takes, and between which two ratios this lies with 90 % confidence.

    None: too few pairs to say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    finding: Finding
    ratio: float | None
    low: float | None
    high: float | None
    pairs: int = Field(ge=0)

    def told(self, base: str) -> str:
        """Return it in words; `base` is what the base version is called."""
        pairs = f"{self.pairs} pair{'' if self.pairs == 1 else 's'}"
        if self.ratio is None:
            return f"not compared with {base}, {pairs}"
        between = "" if self.low is None or self.high is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.ratio:.2f} times as long as {base}{between}, {pairs}"


def compare_pairs(pairs: Sequence[Pair], max_percent: float, floor_s: float = 0, figures: int = 1) -> Compared:
    """Hold the candidate against the base: it may take `max_percent` longer.

    A median that is less than `floor_s` above the base's is never SLOWER. The finding is that of the latest look
    (LOOKS) that the pairs suffice for; the ratio is that of all pairs. When one check compares several `figures`, they
    share the error of SLOWER (Bonferroni).
    """
    logs = [math.log(pair.candidate / pair.base) for pair in pairs]
    look = max((number for number in LOOKS if number <= len(pairs)), default=0)
    finding = _finding(logs[:look], math.log1p(max_percent / 100), SLOWER_P / figures)
    if finding is Finding.SLOWER and _above_s(pairs[:look]) < floor_s:
        finding = Finding.UNDECIDED
    return Compared(finding=finding, pairs=len(pairs), **_estimate(logs))


def _finding(logs: Sequence[float], limit: float, slower_p: float) -> Finding:
    if not logs:
        return Finding.UNDECIDED
    if _p(logs, limit, "greater") <= slower_p:
        return Finding.SLOWER
    return Finding.WITHIN if _p(logs, limit, "less") <= WITHIN_P else Finding.UNDECIDED


def _above_s(pairs: Sequence[Pair]) -> float:
    return median(pair.candidate for pair in pairs) - median(pair.base for pair in pairs)


def _estimate(logs: Sequence[float]) -> dict[str, float | None]:
    """Return the median of the Walsh averages, and the two between which the test rejects no ratio, on either side."""
    walsh = sorted((one + other) / 2 for at, one in enumerate(logs) for other in logs[at:])
    if not walsh:
        return {"ratio": None, "low": None, "high": None}
    ratio = math.exp(median(walsh))
    if len(logs) < LOOKS[0]:
        return {"ratio": ratio, "low": None, "high": None}
    # Between two neighbours the test says the same of every ratio: one in the middle stands for them all.
    middles = [(one + other) / 2 for one, other in pairwise(walsh)]
    low = bisect_left(middles, True, key=lambda limit: _p(logs, limit, "greater") > WITHIN_P)
    high = bisect_left(middles, True, key=lambda limit: _p(logs, limit, "less") <= WITHIN_P)
    return {"ratio": ratio, "low": math.exp(walsh[low]), "high": math.exp(walsh[high])}


def _p(logs: Sequence[float], limit: float, alternative: Literal["less", "greater"]) -> float:
    """Return the exact one-sided p of the signed-rank test.

    Pairs exactly at the limit speak for neither side and are left out (Wilcoxon 1945): fewer are left to decide with.
    """
    from scipy.stats import wilcoxon  # it takes long to import, and most runs compare nothing

    apart = [one - limit for one in logs if one != limit]
    return float(wilcoxon(apart, alternative=alternative, method="exact").pvalue) if apart else 1.0
