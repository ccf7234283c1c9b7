import math
from dataclasses import replace

import pytest

from gates.histograms import Estimate
from gates.performance import (
    API_P95,
    CPU,
    ERRORS,
    MEMORY,
    QUERY_P95,
    REGRESSION,
    Baseline,
    Figures,
    Limits,
    compare_load,
    judge_load,
    load_measures,
    performance_score,
)
from gates.regression import Comparison, Interval
from gates.requirements import Bound, Measure, Outcome

LIMITS = Limits(
    max_api_p95_s=2,
    max_query_p95_s=0.5,
    max_memory_mb=512,
    cpu_cores=1,
    max_cpu_percent=80,
    max_error_rate=0.01,
    max_regression_percent=25,
    regression_floor_s=0.01,
    min_samples=200,
    min_requests=100,
    query_metric="db_seconds",
)
SEEN = Figures(
    requests=1000,
    failed=0,
    p95_s=0.1,
    memory_mb=100,
    cpu_percent=20,
    query_p95=Estimate(0.01, 0.005, 0.025, 500),
    users=10,
    asked_users=10,
)
NOTHING = Comparison(measure=None, note="inconclusive: no earlier run")


def broken(seen: Figures, limits: Limits = LIMITS) -> list[str]:
    return [one.name for one in load_measures(seen, limits) if one.holds is False]


def query(value: float, high: float = 1.0) -> Figures:
    return replace(SEEN, query_p95=Estimate(value, 0.25, high, 500))


@pytest.mark.parametrize(
    ("good", "bad", "name"),
    [
        (replace(SEEN, p95_s=math.nextafter(2, 0)), replace(SEEN, p95_s=2), API_P95),
        (query(math.nextafter(0.5, 0)), query(0.5), QUERY_P95),
        (replace(SEEN, memory_mb=math.nextafter(512, 0)), replace(SEEN, memory_mb=512), MEMORY),
        (replace(SEEN, cpu_percent=math.nextafter(80, 0)), replace(SEEN, cpu_percent=80), CPU),
        (replace(SEEN, failed=10), replace(SEEN, failed=11), ERRORS),
    ],
)
def test_each_limit_has_two_sides(good: Figures, bad: Figures, name: str) -> None:
    assert judge_load(good, LIMITS, NOTHING).outcome is Outcome.PASSED
    check = judge_load(bad, LIMITS, NOTHING)
    assert (check.outcome, broken(bad)) == (Outcome.FAILED, [name])
    assert check.reason.startswith(name)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (replace(SEEN, requests=99), "99 requests, need 100 to judge"),
        (replace(SEEN, requests=0, p95_s=None), "0 requests, need 100 to judge"),
        (replace(SEEN, requests=50, p95_s=3), "50 requests, need 100 to judge; API p95 3 s, wanted < 2 s"),
        (replace(SEEN, p95_s=None), "API p95 could not be measured: no sample"),
        (replace(SEEN, memory_mb=None, reasons={MEMORY: "gone"}), "memory could not be measured: gone"),
        (replace(SEEN, cpu_percent=None), "CPU could not be measured: no sample"),
        (replace(SEEN, p95_s=math.nan), "API p95 nan s, wanted < 2 s"),
        (replace(SEEN, query_p95=None), "query p95 could not be measured: db_seconds counted no query"),
        (replace(SEEN, query_p95=None, reasons={QUERY_P95: "404"}), "query p95 could not be measured: 404"),
        (replace(SEEN, users=9), "only 9 of 10 users were there: not the stated load"),
        (replace(SEEN, user_errors=1, first_user_error="KeyError: 1"), "the locustfile raised 1 times: KeyError: 1"),
    ],
)
def test_what_could_not_be_seen_is_no_verdict(seen: Figures, reason: str) -> None:
    check = judge_load(seen, LIMITS, NOTHING)
    assert (check.outcome, check.reason) == (Outcome.NO_VERDICT, reason)


def test_a_broken_limit_outweighs_a_figure_that_is_missing() -> None:
    check = judge_load(replace(SEEN, p95_s=3, cpu_percent=None), LIMITS, NOTHING)
    assert check.outcome is Outcome.FAILED


def test_the_last_bucket_of_the_histogram_is_only_a_lower_limit() -> None:
    beyond = query(0.4, high=math.inf)
    assert judge_load(beyond, LIMITS, NOTHING).outcome is Outcome.NO_VERDICT
    assert judge_load(query(0.6, high=math.inf), LIMITS, NOTHING).outcome is Outcome.FAILED


def test_without_a_histogram_the_query_time_is_said_not_to_be_measured() -> None:
    limits = replace(LIMITS, query_metric="")
    check = judge_load(replace(SEEN, query_p95=None), limits, NOTHING)
    assert check.outcome is Outcome.PASSED
    assert QUERY_P95 not in {one.name for one in check.measures}
    assert any("query time not measured" in note for note in check.notes)


def test_an_inconclusive_comparison_is_a_note_and_no_measure() -> None:
    check = judge_load(SEEN, LIMITS, NOTHING)
    assert REGRESSION not in {one.name for one in check.measures}
    assert check.notes[0] == NOTHING.note


def baseline(p95: float, count: int = 1000, load: str = "a", machine: str = "m", others: float = 0.0) -> Baseline:
    one = Interval(value=p95, low=p95 * 0.98, high=p95 * 1.02, count=count)
    return Baseline(load=load, machine=machine, others=others, p95=one, median=one, requests_per_second=50)


def test_slower_than_the_last_good_run_fails_and_as_fast_passes() -> None:
    slower = compare_load(baseline(0.2), [baseline(0.1)], LIMITS)
    check = judge_load(SEEN, LIMITS, slower)
    assert check.outcome is Outcome.FAILED and check.reason == f"{REGRESSION} 100 %, wanted <= 25 %"
    same = compare_load(baseline(0.1), [baseline(0.1)], LIMITS)
    assert same.measure and same.measure.holds
    assert judge_load(SEEN, LIMITS, same).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("now", "earlier", "why"),
    [
        (None, [baseline(0.1)], "too few requests"),
        (baseline(0.2, count=199), [baseline(0.1)], "199 requests, need 200"),
        (baseline(0.2), [], "no earlier run to compare with"),
        (baseline(0.2), [baseline(0.1, load="b")], "another load"),
        (baseline(0.2), [baseline(0.1, machine="n")], "another machine"),
        (baseline(0.2), [baseline(0.1, count=199)], "too few requests, or a busy machine"),
        (baseline(0.2), [baseline(0.1, others=0.26)], "too few requests, or a busy machine"),
        (baseline(0.2, others=0.26), [baseline(0.1)], "other processes used 26% of the machine"),
    ],
)
def test_what_cannot_be_compared_is_inconclusive(now: Baseline | None, earlier: list[Baseline], why: str) -> None:
    seen = compare_load(now, earlier, LIMITS)
    assert seen.measure is None
    assert "inconclusive" in seen.note and why in seen.note


@pytest.mark.parametrize(
    ("now", "before"),
    [(baseline(0.2, count=200), baseline(0.1)), (baseline(0.2, others=0.25), baseline(0.1, others=0.25))],
)
def test_just_enough_can_be_compared(now: Baseline, before: Baseline) -> None:
    assert compare_load(now, [before], LIMITS).measure is not None


@pytest.mark.parametrize(("good_days_since", "fails"), [(4, False), (5, True)])
def test_one_bad_day_is_forgotten_after_five_runs(good_days_since: int, fails: bool) -> None:
    earlier = [baseline(0.1)] * good_days_since + [baseline(0.9)]
    seen = compare_load(baseline(0.2), earlier, LIMITS)
    assert (seen.measure is not None and seen.measure.holds is False) is fails


def measures(**changes: float | None) -> list[Measure]:
    values: dict[str, float | None] = {API_P95: 1, MEMORY: 256, CPU: 40, ERRORS: 0, **changes}
    limits = {API_P95: 2.0, MEMORY: 512.0, CPU: 80.0, ERRORS: 0.01, QUERY_P95: 0.5, REGRESSION: 25.0}
    return [
        Measure(name=name, value=value, bound=Bound.AT_MOST, limit=limits[name], reason="")
        for name, value in values.items()
    ]


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({}, 100),
        ({API_P95: 0.01}, 100),
        ({API_P95: 1.5}, 87.5),
        ({API_P95: 2}, 75),
        ({API_P95: 9}, 75),
        ({QUERY_P95: 0.5}, 80),
        ({API_P95: 2, MEMORY: 512, CPU: 80, ERRORS: 0.01}, 0),
        ({REGRESSION: 24}, 100),
        ({API_P95: None}, None),
        ({QUERY_P95: None}, None),
        ({CPU: math.nan}, None),
    ],
)
def test_the_score(changes: dict[str, float | None], score: float | None) -> None:
    assert performance_score(measures(**changes)) == (None if score is None else pytest.approx(score))


def test_without_every_figure_there_is_no_score() -> None:
    for name in (API_P95, MEMORY, CPU, ERRORS):
        assert performance_score([one for one in measures() if one.name != name]) is None
    assert performance_score([]) is None


@pytest.mark.parametrize(("value", "score"), [(0.0, 100), (0.001, 75)])
def test_a_limit_of_zero_is_kept_or_not(value: float, score: float) -> None:
    found = [one for one in measures() if one.name != ERRORS]
    found.append(Measure(name=ERRORS, value=value, bound=Bound.AT_MOST, limit=0))
    assert performance_score(found) == pytest.approx(score)
