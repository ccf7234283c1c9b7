import math
from dataclasses import replace

import pytest

from gates.check import Bound, Measure, Outcome
from gates.checks.histograms import Estimate
from gates.checks.load_pairs import REGRESSION, Asked, Rules, Versus, compare_sides
from gates.checks.performance import (
    API_P95,
    CPU,
    ERRORS,
    MEMORY,
    QUERY_P95,
    Figures,
    Limits,
    judge_load,
    load_measures,
    look_again,
    performance_score,
)

LIMITS = Limits(
    max_api_p95_s=2,
    max_query_p95_s=0.5,
    max_memory_mb=512,
    cpu_cores=1,
    max_cpu_percent=80,
    max_error_rate=0.01,
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
RULES = Rules(max_percent=25, floor_s=0.001, max_error_rate=0.01)
NOTHING = Versus(rules=RULES, reason="nothing is live")
BUSY = "others kept it waiting up to 31% of the time (PSI)"


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


@pytest.mark.parametrize("versus", [NOTHING, Versus(rules=RULES)])
def test_what_is_not_compared_is_a_note_and_no_measure(versus: Versus) -> None:
    check = judge_load(SEEN, LIMITS, versus)
    assert check.outcome is Outcome.PASSED
    assert REGRESSION not in {one.name for one in check.measures}
    assert check.notes[0].startswith(REGRESSION)


def against_base(ratio: float) -> Versus:
    old = [Asked(window, "GET /a", 0.1 + number / 10000, True) for window in range(12) for number in range(20)]
    return compare_sides("v1", old, [one._replace(seconds=one.seconds * ratio) for one in old], RULES)


def test_slower_than_the_base_fails_on_a_busy_machine_too_and_as_fast_passes() -> None:
    for seen in (SEEN, replace(SEEN, disturbed=BUSY)):
        check = judge_load(seen, LIMITS, against_base(2))
        assert check.outcome is Outcome.FAILED
        assert check.reason == f"{REGRESSION} 100 %, wanted <= 25 %; GET /a (median) 100 %, wanted <= 25 %"
        assert judge_load(seen, LIMITS, against_base(1)).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("seen", "outcome", "reason", "again"),
    [
        (replace(SEEN, p95_s=3), Outcome.NO_VERDICT, f"inconclusive: API p95 3 s, wanted < 2 s, while {BUSY}", True),
        (query(0.6), Outcome.NO_VERDICT, "inconclusive: query p95 0.6 s", True),
        (replace(SEEN, failed=20, late=20), Outcome.NO_VERDICT, "inconclusive: error rate 0.02", True),
        (replace(SEEN, failed=20, late=10), Outcome.NO_VERDICT, "inconclusive: error rate 0.02", True),
        (replace(SEEN, failed=20, late=9), Outcome.FAILED, "error rate 0.02", False),
        (replace(SEEN, memory_mb=600), Outcome.FAILED, "memory 600 MB", False),
        (replace(SEEN, cpu_percent=90), Outcome.FAILED, "CPU 90 %", False),
        (replace(SEEN, p95_s=3, memory_mb=600), Outcome.FAILED, "memory 600 MB", True),
        (replace(SEEN, requests=99), Outcome.NO_VERDICT, "99 requests, need 100", True),
        (SEEN, Outcome.PASSED, "API p95 0.1 s", False),
    ],
)
def test_others_excuse_figures_of_time_and_nothing_else(
    seen: Figures, outcome: Outcome, reason: str, again: bool
) -> None:
    busy = replace(seen, disturbed=BUSY)
    check = judge_load(busy, LIMITS, NOTHING)
    assert check.outcome is outcome and check.reason.startswith(reason)
    assert look_again(busy, LIMITS) is again
    assert check.reason.endswith("start ci again when the machine is quiet") is check.reason.startswith("inconclusive")


@pytest.mark.parametrize("seen", [replace(SEEN, p95_s=3), query(0.6), replace(SEEN, failed=20, late=20)])
def test_on_a_quiet_machine_nothing_is_excused(seen: Figures) -> None:
    assert judge_load(seen, LIMITS, NOTHING).outcome is Outcome.FAILED
    assert not look_again(seen, LIMITS)


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
