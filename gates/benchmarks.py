"""Micro-benchmarks of pytest-benchmark: each median against that of earlier runs."""

import math
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from gates.regression import Comparison, Interval, compare
from gates.requirements import Check, Measure, Outcome

NAME = "benchmarks"
# McGill, Tukey and Larsen, "Variations of Box Plots" (1978): medians whose notches do not overlap differ at 95 %.
NOTCH = 1.57
# So many times as slow or as fast as at an earlier run may the machine have been: beyond it, figures tell more of its
# other work, or of who shares the hardware, than of the code.
MOST_PACE = 1.2


class Benchmark(BaseModel):
    """One benchmark: seconds, over `rounds` rounds. `fastest` is the fastest one; `pace_s`: what a fixed piece of work
    took beside it.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    median: float = Field(gt=0)
    iqr: float = Field(ge=0)
    rounds: int = Field(ge=1)
    fastest: float | None = Field(None, ge=0)
    pace_s: float | None = Field(None, gt=0)

    def paced_like(self, other: "Benchmark") -> bool:
        """Return whether the machine was about as fast for both; true where nobody measured it."""
        if self.pace_s is None or other.pace_s is None:
            return True
        return 1 / MOST_PACE <= self.pace_s / other.pace_s <= MOST_PACE


class Benchmarks(BaseModel):
    """What one run of all benchmarks measured, by name; also what is kept of it to compare later ones with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(1, ge=1, le=1)
    machine: str = Field(max_length=300)
    benchmarks: dict[str, Benchmark] = Field(max_length=2000)


def notch(one: Benchmark) -> Interval:
    """Return the median with its notch, median +- 1.57 * IQR / sqrt(rounds); never below a tenth of the median."""
    half = NOTCH * one.iqr / math.sqrt(one.rounds)
    return Interval(
        value=one.median, low=max(one.median - half, one.median / 10), high=one.median + half, count=one.rounds
    )


def judge_benchmarks(now: Benchmarks, earlier: Sequence[Benchmarks], max_percent: float, min_rounds: int) -> Check:
    """Return the check. Fails when a median is slower than the limit for certain; what cannot be told is a note.

    When nothing could be compared (the first run, another machine) it is `not applicable`: not a pass, and no block.
    """
    if not now.benchmarks:
        return Check(name=NAME, outcome=Outcome.NO_VERDICT, reason="the report holds no benchmark")
    alike = [one.benchmarks for one in earlier if one.machine == now.machine]
    results = [
        _compare(key, one, [past[key] for past in alike if key in past], max_percent, min_rounds)
        for key, one in sorted(now.benchmarks.items())
    ]
    measures: tuple[Measure, ...] = tuple(one.measure for one in results if one.measure)
    broken = [one for one in measures if one.holds is False]
    missing = sorted(set(alike[0]) - set(now.benchmarks)) if alike else []
    notes = [one.note for one in results] + [f"{key}: measured by the earlier run, gone now" for key in missing]
    told = f"{len(measures)} of {len(results)} compared, {len(results) - len(measures)} inconclusive"
    good = Outcome.PASSED if measures else Outcome.NOT_APPLICABLE
    return Check(
        name=NAME,
        outcome=Outcome.FAILED if broken else good,
        reason="; ".join(str(one) for one in broken) if broken else told,
        examined=f"{len(now.benchmarks)} benchmarks",
        tool="pytest-benchmark",
        measures=measures,
        notes=tuple(notes),
    )


def _compare(key: str, now: Benchmark, past: Sequence[Benchmark], max_percent: float, min_rounds: int) -> Comparison:
    enough = [one for one in past if one.rounds >= min_rounds]
    if now.rounds < min_rounds or (past and not enough):
        few = now.rounds if now.rounds < min_rounds else past[0].rounds
        return Comparison(measure=None, note=f"{key}: inconclusive: {few} rounds, need {min_rounds}")
    alike = [one for one in enough if now.paced_like(one)]
    if enough and not alike:
        times = (now.pace_s or 1) / (enough[0].pace_s or 1)
        said = f"{times:.1f} times as long as at the earlier run: the machine's own pace"
        return Comparison(measure=None, note=f"{key}: inconclusive: a fixed piece of work took {said}")
    found = compare(key, notch(now), [notch(one) for one in alike], max_percent)
    if found.measure and found.measure.holds is False and not _slower_at_best(now, alike, max_percent):
        said = "its median is slower, its fastest round is not: it was disturbed"
        return Comparison(measure=None, note=f"{key}: inconclusive: {said}")
    return found


def _slower_at_best(now: Benchmark, past: Sequence[Benchmark], max_percent: float) -> bool:
    """Return whether the fastest round as well is slower than that of each earlier run, true where none was kept.

    What disturbs a measurement only ever adds to it: code that is slower is slower in its fastest round, too.
    """
    known = [one.fastest for one in past if one.fastest]
    return now.fastest is None or all(now.fastest > (1 + max_percent / 100) * one for one in known)


def benchmark_data(now: Benchmarks) -> Mapping[str, object]:
    """Return what to remember of a good run (evidence/history, kind "benchmarks")."""
    return now.model_dump(mode="json")
