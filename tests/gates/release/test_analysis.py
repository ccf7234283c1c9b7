import math
from dataclasses import replace

import pytest

from gates.release.analysis import (
    FEWEST_TO_BLAME,
    SILENT_TO_BLAME_S,
    Limits,
    Observation,
    Probes,
    SlotCounters,
    judge_step,
    observe,
)
from gates.verdict import Action

LIMITS = Limits(min_requests=50, max_error_rate=0.02, max_p95_s=2.0, max_p95_ratio=3.0, noise_floor_s=0.25)
GOOD = Observation(requests=100, errors=0, probes=Probes(), p95_s=0.1)
INF = math.inf


def counted(ok: int, bad: int = 0, buckets: tuple[tuple[float, int], ...] = ()) -> SlotCounters:
    return SlotCounters({"2xx": ok, "5xx": bad}, time_buckets_ms=buckets)


@pytest.mark.parametrize(
    ("seen", "action"),
    [
        (GOOD, Action.PROMOTE),
        # enough requests: both sides, with and without probes of our own
        (replace(GOOD, requests=50), Action.PROMOTE),
        (replace(GOOD, requests=49), Action.WAIT),
        (replace(GOOD, requests=0), Action.WAIT),
        (replace(GOOD, requests=0, probes=Probes(50)), Action.PROMOTE),
        (replace(GOOD, requests=0, probes=Probes(49)), Action.WAIT),
        (replace(GOOD, requests=20, probes=Probes(30)), Action.PROMOTE),
        # error rate: at the limit, above it
        (replace(GOOD, errors=2), Action.PROMOTE),
        (replace(GOOD, errors=3), Action.ROLL_BACK),
        # enough to blame: both sides
        (replace(GOOD, requests=FEWEST_TO_BLAME, errors=1), Action.ROLL_BACK),
        (replace(GOOD, requests=FEWEST_TO_BLAME - 1, errors=1), Action.WAIT),
        # one unlucky user of a quiet service is not promoted over by probes
        (replace(GOOD, requests=1, errors=1, probes=Probes(500)), Action.WAIT),
        # errors without requests (the probes met another slot) are never a clean window
        (replace(GOOD, requests=0, errors=1, probes=Probes(500)), Action.WAIT),
        # probes
        (replace(GOOD, probes=Probes(100, 1)), Action.ROLL_BACK),
        (replace(GOOD, requests=0, probes=Probes(1, 1)), Action.ROLL_BACK),
        # probes without an answer in time: for long (both sides), answered since, too few answered (both sides)
        (replace(GOOD, probes=Probes(100, 0, 1, 1)), Action.WAIT),
        (replace(GOOD, probes=Probes(100, 0, 9, 9)), Action.WAIT),
        (replace(GOOD, probes=Probes(100, 0, 2, 2, silent=True)), Action.ROLL_BACK),
        (replace(GOOD, probes=Probes(100, 0, 9, 0)), Action.PROMOTE),
        (replace(GOOD, probes=Probes(100, 1, 1, 1)), Action.ROLL_BACK),
        (replace(GOOD, requests=0, probes=Probes(51, 0, 1, 0)), Action.PROMOTE),
        (replace(GOOD, requests=0, probes=Probes(50, 0, 1, 0)), Action.WAIT),
        # response time: at the limit, above it, beyond the last bucket, none
        (replace(GOOD, p95_s=2.0), Action.PROMOTE),
        (replace(GOOD, p95_s=2.001), Action.ROLL_BACK),
        (replace(GOOD, p95_s=INF), Action.ROLL_BACK),
        (replace(GOOD, p95_s=None), Action.WAIT),
    ],
)
def test_a_step_is_judged(seen: Observation, action: Action) -> None:
    verdict = judge_step(seen, LIMITS)
    assert verdict.action is action, verdict.reason
    assert verdict.reason


def test_probes_are_counted_one_by_one() -> None:
    probes = Probes().after(good=True, late=False).after(good=False, late=True).after(good=False, late=True)
    assert probes == Probes(sent=3, failed=0, late=2, late_in_a_row=2)
    assert probes.after(good=False, late=False) == Probes(sent=4, failed=1, late=2, late_in_a_row=0)
    assert probes.after(good=True, late=False) == Probes(sent=4, failed=0, late=2, late_in_a_row=0)
    silent = probes.after(good=False, late=True, silent=True)
    assert silent == Probes(sent=4, failed=0, late=3, late_in_a_row=3, silent=True)
    assert not silent.after(good=True, late=False).silent


def test_few_required_requests_lower_what_is_enough_to_blame() -> None:
    few = replace(LIMITS, min_requests=3)
    assert judge_step(replace(GOOD, requests=2, errors=1), few).action is Action.WAIT
    assert judge_step(replace(GOOD, requests=3, errors=1), few).action is Action.ROLL_BACK


def test_no_error_is_allowed_when_the_limit_is_zero() -> None:
    strict = replace(LIMITS, max_error_rate=0)
    assert judge_step(GOOD, strict).action is Action.PROMOTE
    assert judge_step(replace(GOOD, requests=10_000, errors=1), strict).action is Action.ROLL_BACK


@pytest.mark.parametrize(
    ("before", "after_s", "action"),
    [
        (replace(GOOD, p95_s=0.125), 0.375, Action.PROMOTE),  # exactly three times
        (replace(GOOD, p95_s=0.125), 0.3751, Action.ROLL_BACK),
        (replace(GOOD, p95_s=0.1), 0.301, Action.ROLL_BACK),
        (replace(GOOD, p95_s=0.01), 0.25, Action.PROMOTE),  # 25 times, but not above the noise floor
        (replace(GOOD, p95_s=0.01), 0.26, Action.ROLL_BACK),
        (replace(GOOD, p95_s=0.1, requests=49), 1.9, Action.PROMOTE),  # a thin window compares with nothing
        (replace(GOOD, p95_s=0.1, requests=50), 1.9, Action.ROLL_BACK),
        (replace(GOOD, p95_s=None), 1.9, Action.PROMOTE),
        (replace(GOOD, p95_s=0.0), 1.9, Action.PROMOTE),
        (None, 1.9, Action.PROMOTE),
        (replace(GOOD, p95_s=INF), 1.9, Action.PROMOTE),
    ],
)
def test_response_time_is_compared_with_the_window_before(
    before: Observation | None, after_s: float, action: Action
) -> None:
    verdict = judge_step(replace(GOOD, p95_s=after_s), LIMITS, before)
    assert verdict.action is action, verdict.reason


def test_the_reason_of_a_rollback_has_the_figures() -> None:
    reason = judge_step(replace(GOOD, errors=25), LIMITS).reason
    assert "25.00%" in reason and "25 of 100" in reason and "2.00%" in reason


def test_an_error_rate_is_a_fraction_of_the_users_requests() -> None:
    assert Observation(200, 3, Probes(800), 0.1).error_rate == 0.015
    assert Observation(0, 0, Probes(), None).error_rate == 0
    assert Observation(1, 2, Probes(), None).error_rate == 1


@pytest.mark.parametrize(
    ("before", "after", "probes", "requests", "errors"),
    [
        (counted(10), counted(110, 5), Probes(), 105, 5),
        (counted(10), counted(110, 5), Probes(20), 85, 5),
        (counted(10), counted(110, 5), Probes(20, 2), 85, 3),
        (counted(10, 5), counted(10, 5), Probes(), 0, 0),
        (counted(1000, 50), counted(40, 4), Probes(), 44, 4),  # the router restarted
        (SlotCounters(), counted(3), Probes(5), 0, 0),  # more probes than it counted: never below zero
        (SlotCounters(), counted(0, 1), Probes(1, 2), 0, 0),
        (SlotCounters(), SlotCounters(), Probes(), 0, 0),
    ],
)
def test_a_window_is_the_difference_of_two_readings(
    before: SlotCounters, after: SlotCounters, probes: Probes, requests: int, errors: int
) -> None:
    seen = observe(before, after, probes)
    assert (seen.requests, seen.errors) == (requests, errors)


BUCKETS = ((10.0, 90), (100.0, 95), (1000.0, 99), (INF, 100))


@pytest.mark.parametrize(
    ("before", "after", "p95_s"),
    [
        ((), (), None),
        ((), BUCKETS, 0.1),  # the 95th of 100 is in the second bucket
        ((), ((10.0, 94), (100.0, 94), (INF, 100)), INF),
        ((), ((10.0, 0), (INF, 0)), None),
        (BUCKETS, BUCKETS, None),  # nothing since
        (BUCKETS, ((10.0, 90), (100.0, 95), (1000.0, 199), (INF, 200)), 1.0),
        (((10.0, 90), (INF, 100)), ((10.0, 90), (100.0, 50), (INF, 150)), 0.1),  # a new bucket counts from zero
    ],
)
def test_the_percentile_is_the_bound_of_its_bucket(
    before: tuple[tuple[float, int], ...], after: tuple[tuple[float, int], ...], p95_s: float | None
) -> None:
    assert observe(counted(100, buckets=before), counted(200, buckets=after)).p95_s == p95_s


def test_after_a_restart_of_the_router_the_histogram_starts_at_zero_too() -> None:
    seen = observe(counted(1000, buckets=((10.0, 1000), (INF, 1000))), counted(10, buckets=((10.0, 0), (INF, 10))))
    assert seen.p95_s == INF


def test_what_is_enough_to_blame_is_ten_requests_or_15_s_of_silence() -> None:
    assert (FEWEST_TO_BLAME, SILENT_TO_BLAME_S) == (10, 15.0)
    assert Limits(min_requests=50, max_error_rate=0.02, max_p95_s=2.0, max_p95_ratio=3.0).noise_floor_s == 0.25


def test_a_slot_that_was_never_asked_has_counted_nothing() -> None:
    assert SlotCounters() == SlotCounters({}, connect_failures=0, active=0, time_buckets_ms=())


def test_errors_are_counted_from_zero_where_none_was_counted_before() -> None:
    assert observe(SlotCounters({"2xx": 5}), SlotCounters({"2xx": 5, "5xx": 3})).errors == 3
    assert observe(SlotCounters({"5xx": 3}), SlotCounters({"5xx": 3, "2xx": 5})).errors == 0
    assert observe(SlotCounters({"2xx": 5}), SlotCounters({"2xx": 9})).errors == 0


def test_a_new_bucket_counts_from_zero_exactly() -> None:
    seen = observe(counted(0), counted(100, buckets=((10.0, 95), (INF, 100))))
    assert seen.p95_s == 0.01
    seen = observe(counted(0), counted(100, buckets=((10.0, 94), (100.0, 95), (INF, 100))))
    assert seen.p95_s == 0.1


@pytest.mark.parametrize(
    ("seen", "before", "reason"),
    [
        (GOOD, None, "error rate 0.00% of 100 requests (and 0 probes) within 2.00%, p95 up to 0.1 s within 2 s"),
        (replace(GOOD, requests=9), None, "9 requests, need 50 to judge"),
        (replace(GOOD, probes=Probes(100, 1)), None, "1 of 100 probes failed"),
        (replace(GOOD, probes=Probes(100, 0, 2, 1)), None, "2 of 100 probes got no answer in time"),
        (replace(GOOD, probes=Probes(100, 0, 7, 5, silent=True)), None, "5 probes in a row got no answer in time"),
        (replace(GOOD, requests=9, errors=1), None, "1 of only 9 requests failed"),
        (replace(GOOD, errors=25), None, "error rate 25.00% (25 of 100 requests) exceeds 2.00%"),
        (replace(GOOD, p95_s=2.5), None, "p95 2.5 s exceeds 2 s"),
        (replace(GOOD, p95_s=INF), None, "p95 beyond the router's last bucket exceeds 2 s"),
        (replace(GOOD, p95_s=0.5), GOOD, "p95 0.5 s is 5.0 times that before the switch, limit 3"),
    ],
)
def test_a_verdict_has_the_figures_that_it_rests_on(seen: Observation, before: Observation | None, reason: str) -> None:
    assert judge_step(seen, LIMITS, before).reason == reason
