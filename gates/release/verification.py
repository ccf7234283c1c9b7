"""Is a new version fit for traffic, beside being healthy? Answers, queries, memory and processor of its idle slot."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from gates.checks.histograms import increase, quantile
from gates.checks.quantiles import nearest_rank
from gates.verdict import Action, Verdict

FEWEST = 5


@dataclass(frozen=True)
class Usage:
    """What one service of a slot uses: bytes, and seconds of processor time since it started, `at` (s, monotonic).

    Its limits are bytes and processors.
    """

    service: str
    memory_bytes: int
    memory_limit_bytes: int
    cpu_s: float
    cpus: float
    at: float

    def cpu_percent(self, before: Self) -> float:
        """Return how much of its processors it used since an earlier reading, in percent."""
        seconds = self.at - before.at
        return 100 * (self.cpu_s - before.cpu_s) / (seconds * self.cpus) if seconds > 0 and self.cpus else 0.0


@dataclass(frozen=True)
class Figures:
    """What was measured. `times_s`: of our own requests through the preview; `failed`: those without a good answer.

    `queries`: two readings of the app's histogram of query times; None when the app names none. `before` and `after`
    are two readings of every service.
    """

    times_s: tuple[float, ...]
    failed: int
    queries: tuple[Mapping[float, float], Mapping[float, float]] | None
    before: tuple[Usage, ...]
    after: tuple[Usage, ...]


@dataclass(frozen=True)
class FitLimits:
    """Seconds, and percent of each service's own limits."""

    max_p95_s: float
    max_query_p95_s: float
    max_memory_percent: float
    max_cpu_percent: float


def judge_figures(seen: Figures, limits: FitLimits) -> Verdict:
    """PROMOTE when everything is within its limit; ROLL_BACK names all that is not, or could not be measured."""
    judged = [_answers(seen, limits), _queries(seen, limits), *_services(seen, limits)]
    bad = [text for good, text in judged if not good]
    if bad:
        return Verdict(Action.ROLL_BACK, "; ".join(bad))
    return Verdict(Action.PROMOTE, "; ".join(text for _, text in judged if text))


def _answers(seen: Figures, limits: FitLimits) -> tuple[bool, str]:
    asked = len(seen.times_s) + seen.failed
    if seen.failed:
        return False, f"{seen.failed} of {asked} requests got no good answer"
    if asked < FEWEST:
        return False, f"{asked} requests, need {FEWEST} to judge"
    p95_s = nearest_rank(sorted(seen.times_s), 0.95)
    within = p95_s <= limits.max_p95_s
    return within, f"p95 of {asked} answers {p95_s:.3f} s {_held(within)} {limits.max_p95_s:g} s"


def _queries(seen: Figures, limits: FitLimits) -> tuple[bool, str]:
    if seen.queries is None:
        return True, ""
    grown = increase(*seen.queries)
    found = quantile(grown, 0.95) if grown else None
    if found is None:
        return False, "no query was counted, so query times cannot be judged; let a health check or smoke test make one"
    shown = f"above {found.low:.3f}" if found.high == math.inf else f"{found.value:.3f}"
    within = found.high != math.inf and found.value <= limits.max_query_p95_s
    return within, f"p95 of {found.count:.0f} queries {shown} s {_held(within)} {limits.max_query_p95_s:g} s"


def _services(seen: Figures, limits: FitLimits) -> list[tuple[bool, str]]:
    if not seen.after:
        return [(False, "memory and processor could not be measured: nothing runs in the slot")]
    earlier = {one.service: one for one in seen.before}
    return [_service(one, earlier.get(one.service), limits) for one in seen.after]


def _service(now: Usage, before: Usage | None, limits: FitLimits) -> tuple[bool, str]:
    if before is None or now.cpu_s < before.cpu_s or now.memory_limit_bytes <= 0 or now.memory_bytes <= 0:
        return False, f"{now.service}: memory and processor could not be measured (was it restarted?)"
    memory = 100 * now.memory_bytes / now.memory_limit_bytes
    cpu = now.cpu_percent(before)
    small, calm = memory <= limits.max_memory_percent, cpu <= limits.max_cpu_percent
    shown = f"{now.memory_bytes / 2**20:.0f} MB, {memory:.0f} % of {now.memory_limit_bytes / 2**20:.0f} MB"
    said = (
        (small, f"memory {shown}, {_held(small)} {limits.max_memory_percent:g} %"),
        (calm, f"processor {cpu:.0f} % of {now.cpus:g}, {_held(calm)} {limits.max_cpu_percent:g} %"),
    )
    good = small and calm
    return good, f"{now.service}: " + ", ".join(text for fine, text in said if good or not fine)


def _held(within: bool) -> str:
    return "within" if within else "exceeds"
