"""The load test against the base version: from what was asked in windows of time to pairs, and what they tell."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from gates.check import Bound, Measure
from gates.checks.pairs import Compared, Finding, Pair, compare_pairs
from gates.checks.quantiles import weighted_rank

REGRESSION = "API p95 against the base"
# With fewer a window has no p95, and with fewer of one endpoint no median of it.
FEWEST_IN_WINDOW, FEWEST_OF_ENDPOINT = 10, 5
# A clock that did not move.
LEAST_S = 1e-6
# A side that answered fewer requests with errors than this is compared all the same, whatever their share.
FEWEST_FAILED = 5
# The endpoints that are asked most are compared each by itself. More would need more pairs to be as sure.
MOST_ENDPOINTS = 6
# An endpoint that has a figure in fewer of the pairs is not compared.
LEAST_SHARE = 0.8


class Asked(NamedTuple):
    """One request in its window of time, numbered from 0: endpoint, seconds to the end of its answer, good or not."""

    window: int
    endpoint: str
    seconds: float
    good: bool


class Rules(BaseModel):
    """`max_percent` is how much slower the candidate may be, `floor_s` the least difference that counts, in seconds,
    `max_error_rate` the share of failed requests (0 to 1) up to which a side's times are its times.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_percent: float = Field(gt=0)
    floor_s: float = Field(ge=0)
    max_error_rate: float = Field(ge=0, le=1)


class Figure(BaseModel):
    """A figure of both versions and what their pairs tell. `base_s` and `candidate_s` are the medians of its pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    compared: Compared
    base_s: float
    candidate_s: float
    pairs: tuple[Pair, ...] = ()

    def decided(self, floor_s: float) -> bool:
        """Return whether more pairs can tell no more: decided, or the difference is below `floor_s` for certain."""
        high = self.compared.high
        below = high is not None and (high - 1) * self.base_s < floor_s
        return below or self.compared.finding is not Finding.UNDECIDED


class Versus(BaseModel):
    """The candidate against the base version `base`. Without figures `reason` says why nothing is compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str = ""
    reason: str = ""
    rules: Rules
    figures: tuple[Figure, ...] = ()

    @property
    def decided(self) -> bool:
        """Return whether more pairs can tell no more, about any figure; or nothing is to be compared."""
        return bool(self.reason) or bool(self.figures) and all(one.decided(self.rules.floor_s) for one in self.figures)


def compare_sides(base: str, old: Sequence[Asked], new: Sequence[Asked], rules: Rules) -> Versus:
    """Hold the candidate's requests (`new`) against the base's (`old`): the window of one and that of the other with
    the same number make a pair. Each figure's share of the error is the same.
    """
    for name, one in ((base, old), ("the candidate", new)):
        failed = sum(not asked.good for asked in one)
        if failed >= FEWEST_FAILED and failed > rules.max_error_rate * len(one):
            return Versus(base=base, rules=rules, reason=f"{name} answered {failed} of {len(one)} requests with errors")
    pairs = figure_pairs(old, new)
    figures = [_figure(name, found, rules, len(pairs)) for name, found in pairs.items() if found]
    return Versus(base=base, rules=rules, figures=tuple(figures))


def figure_pairs(old: Sequence[Asked], new: Sequence[Asked]) -> dict[str, list[Pair]]:
    """Return the pairs of each figure: the p95 of all requests, and the medians of what is asked most."""
    shares = _counts(old, new)
    found = {REGRESSION: _pairs(_p95s(old, shares), _p95s(new, shares))}
    for endpoint in _asked_most(shares):
        pairs = _pairs(_medians(old, endpoint), _medians(new, endpoint))
        if len(pairs) >= LEAST_SHARE * max(1, len(found[REGRESSION])):
            found[f"{endpoint} (median)"] = pairs
    return found


def versus_measures(versus: Versus) -> tuple[Measure, ...]:
    """Return the decided figures, as change in percent: p95 either way, an endpoint only when it is slower."""
    limit = versus.rules.max_percent
    found = []
    for one in versus.figures:
        slower = one.compared.finding is Finding.SLOWER
        if one.compared.ratio is None or not (slower or one.name == REGRESSION and _within(one)):
            continue
        change = 100 * (one.compared.ratio - 1)
        found.append(Measure(name=one.name, value=change, bound=Bound.AT_MOST, limit=limit, unit=" %"))
    return tuple(found)


def versus_notes(versus: Versus) -> tuple[str, ...]:
    """Return what the comparison came to, in words; an inconclusive one is named so, and is no pass of anything."""
    if versus.reason or not versus.figures:
        return (f"{REGRESSION}: {'not applicable' if versus.reason else 'inconclusive'}: {versus.reason or 'no pair'}",)
    return tuple(
        f"{one.name}: {finding_of(one, versus.rules)}: {one.compared.told(versus.base)}" for one in versus.figures
    )


def finding_of(one: Figure, rules: Rules) -> str:
    """Return one figure's finding in words."""
    if one.compared.finding is Finding.SLOWER:
        return f"slower, by more than {rules.max_percent:g} %"
    if _within(one):
        return f"within {rules.max_percent:g} %"
    if one.decided(rules.floor_s):
        return f"differences below {rules.floor_s * 1000:g} ms are not judged"
    return "inconclusive"


def _within(one: Figure) -> bool:
    return one.compared.finding is Finding.WITHIN


def _figure(name: str, pairs: Sequence[Pair], rules: Rules, figures: int) -> Figure:
    return Figure(
        name=name,
        compared=compare_pairs(pairs, rules.max_percent, rules.floor_s, figures),
        base_s=median(pair.base for pair in pairs),
        candidate_s=median(pair.candidate for pair in pairs),
        pairs=tuple(pairs),
    )


def _pairs(old: Mapping[int, float], new: Mapping[int, float]) -> list[Pair]:
    return [Pair(base=old[window], candidate=new[window]) for window in sorted(old.keys() & new.keys())]


def _p95s(asked: Iterable[Asked], shares: Mapping[str, int]) -> dict[int, float]:
    """Return the p95 of each window in which enough was asked.

    Which endpoints came up in a window is chance, and a slow one that did moves its p95 more than any version would. So
    each endpoint counts by its share of all requests (stratified afterwards: Cochran, Sampling Techniques, 3rd ed.,
    section 5A.9).
    """
    windows: dict[int, dict[str, list[float]]] = {}
    for one in asked:
        windows.setdefault(one.window, {}).setdefault(one.endpoint, []).append(max(one.seconds, LEAST_S))
    return {
        at: weighted_rank(
            [(took, shares[endpoint] / len(of_it)) for endpoint, of_it in found.items() for took in of_it], 0.95
        )
        for at, found in windows.items()
        if sum(map(len, found.values())) >= FEWEST_IN_WINDOW
    }


def _medians(asked: Iterable[Asked], endpoint: str) -> dict[int, float]:
    windows: dict[int, list[float]] = {}
    for one in asked:
        if one.endpoint == endpoint:
            windows.setdefault(one.window, []).append(max(one.seconds, LEAST_S))
    return {at: median(took) for at, took in windows.items() if len(took) >= FEWEST_OF_ENDPOINT}


def _counts(*sides: Sequence[Asked]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in (asked for side in sides for asked in side):
        counts[one.endpoint] = counts.get(one.endpoint, 0) + 1
    return counts


def _asked_most(counts: Mapping[str, int]) -> list[str]:
    return sorted(counts, key=lambda endpoint: (-counts[endpoint], endpoint))[:MOST_ENDPOINTS]
