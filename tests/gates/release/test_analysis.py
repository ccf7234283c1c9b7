"""Verdicts on a slot's counters: what is too much, what may be chance, what is too little to tell."""

import math
from collections.abc import Iterable

import pytest

from gates.release.analysis import (
    ALPHA,
    FIGURES,
    SILENT_TO_BLAME_S,
    SLOW_SHARE,
    Judge,
    Limits,
    Observation,
    Probes,
    SlotCounters,
    observe,
)
from gates.verdict import Action, Verdict

LIMITS = Limits(min_requests=50, max_error_rate=0.02, max_p95_s=2.0, max_p95_ratio=3.0, noise_floor_s=0.25)
INF = math.inf


def counted(ok: int, bad: int = 0, buckets: tuple[tuple[float, int], ...] = ()) -> SlotCounters:
    return SlotCounters({"2xx": ok, "5xx": bad}, time_buckets_ms=buckets)


def timed(fast: int, slow: int = 0, bad: int = 0) -> SlotCounters:
    """Return what answered within 0.1 s, and what took longer, up to 3 s; of the fast ones `bad` failed."""
    return counted(fast + slow - bad, bad, ((100.0, fast), (2000.0, fast), (3000.0, fast + slow), (INF, fast + slow)))


def judged(
    looks: Iterable[tuple[SlotCounters, Probes]],
    limits: Limits = LIMITS,
    base: Observation | None = None,
    first: SlotCounters = SlotCounters(),
) -> Verdict:
    """Return the verdict of the last look."""
    judge = Judge(first, limits, base)
    verdict = None
    for counters, probes in looks:
        verdict = judge.look(counters, probes)
    assert verdict is not None and verdict.reason
    return verdict


def evenly(fast: int, slow: int = 0, bad: int = 0, probes: Probes = Probes(), looks: int = 10) -> Verdict:
    """Return the verdict after so many looks, in each of which so much came."""
    return judged((timed(n * fast, n * slow, n * bad), probes) for n in range(1, looks + 1))


@pytest.mark.parametrize(
    ("verdict", "action"),
    [
        pytest.param(evenly(10), Action.PROMOTE, id="good"),
        pytest.param(evenly(5), Action.PROMOTE, id="just enough requests"),
        pytest.param(evenly(7, looks=7), Action.WAIT, id="one too few"),
        pytest.param(evenly(0), Action.WAIT, id="nothing"),
        pytest.param(evenly(100, bad=2), Action.PROMOTE, id="errors at the limit"),
        pytest.param(evenly(100, bad=10), Action.ROLL_BACK, id="five times the limit"),
        pytest.param(evenly(10, bad=3, looks=3), Action.ROLL_BACK, id="a third fails"),
        pytest.param(evenly(10, bad=10, looks=2), Action.WAIT, id="all fail, perhaps for a moment"),
        pytest.param(evenly(1, bad=1, looks=3), Action.ROLL_BACK, id="all of three, in three looks"),
        pytest.param(evenly(100, 5), Action.PROMOTE, id="slow ones at the limit"),
        pytest.param(evenly(100, 40), Action.ROLL_BACK, id="many slow ones"),
    ],
)
def test_what_comes_evenly_is_judged(verdict: Verdict, action: Action) -> None:
    assert verdict.action is action, verdict.reason


def test_a_little_above_the_limit_may_be_chance_and_is_not_promoted() -> None:
    verdict = judged((counter, Probes()) for counter in (timed(100), timed(200, bad=5)))
    assert verdict == Verdict(Action.WAIT, "error rate 2.50% (5 of 200 requests) is above 2.00%, which may be chance")
    slow = judged([(timed(60, 5), Probes())])
    assert slow.action is Action.WAIT and slow.reason.endswith("(5 of 65 requests are slower), which may be chance")


def test_one_error_of_87_is_no_reason_to_go_back() -> None:
    looks = [(timed(10 * n, bad=n > 3), Probes()) for n in range(1, 9)] + [(timed(87, bad=1), Probes())]
    assert judged(looks).action is Action.PROMOTE


@pytest.mark.parametrize(
    ("probes", "action"),
    [
        pytest.param(Probes(100, 0, 1, 1), Action.WAIT, id="the last one is late"),
        pytest.param(Probes(100, 0, 9, 0), Action.PROMOTE, id="late ones, answered since"),
        pytest.param(Probes(100, 0, 2, 2, silent=True), Action.ROLL_BACK, id="silence"),
        pytest.param(Probes(51, 0, 1, 0), Action.PROMOTE, id="just enough answers"),
        pytest.param(Probes(50, 0, 1, 0), Action.WAIT, id="one answer too few"),
    ],
)
def test_probes_make_up_the_number_and_a_silence_is_judged(probes: Probes, action: Action) -> None:
    assert judged([(timed(probes.sent - probes.late), probes)]).action is action


def test_probes_that_fail_count_as_requests_that_fail() -> None:
    def after(looks: int, failed: int) -> Verdict:
        return judged((timed(5 * n), Probes(5 * n, failed * n)) for n in range(1, looks + 1))

    verdict = after(looks=3, failed=5)
    assert verdict.action is Action.ROLL_BACK
    assert verdict.reason == "error rate with probes 100.00% (15 of 15, 15 of them probes) exceeds 2.00%"
    one = judged([(timed(100), Probes(100, 1))])
    assert one.action is Action.PROMOTE, "one of a hundred is within the limit"


def test_many_good_probes_do_not_hide_that_every_user_fails() -> None:
    looks = ((timed(101 * n, bad=n), Probes(100 * n)) for n in range(1, 7))
    verdict = judged(looks)
    assert verdict.action is Action.ROLL_BACK
    assert verdict.reason == "error rate 100.00% (6 of 6 requests) exceeds 2.00%"


def test_probes_are_counted_one_by_one() -> None:
    probes = Probes().after(good=True, late=False).after(good=False, late=True).after(good=False, late=True)
    assert probes == Probes(sent=3, failed=0, late=2, late_in_a_row=2)
    assert probes.after(good=False, late=False) == Probes(sent=4, failed=1, late=2, late_in_a_row=0)
    assert probes.after(good=True, late=False) == Probes(sent=4, failed=0, late=2, late_in_a_row=0)
    silent = probes.after(good=False, late=True, silent=True)
    assert silent == Probes(sent=4, failed=0, late=3, late_in_a_row=3, silent=True)
    assert not silent.after(good=True, late=False).silent


def test_no_error_is_allowed_when_the_limit_is_zero() -> None:
    strict = Limits(min_requests=50, max_error_rate=0, max_p95_s=2.0, max_p95_ratio=3.0)
    assert judged([(timed(100), Probes())], strict).action is Action.PROMOTE
    assert judged([(timed(10_000, bad=1), Probes())], strict).action is Action.ROLL_BACK


def before(p95_s: float | None = 0.1, requests: int = 100, errors: int = 0) -> Observation:
    return Observation(requests, errors, Probes(), p95_s)


@pytest.mark.parametrize(
    ("base", "slow_s", "reason"),
    [
        (None, 2.0, "2 s"),
        (before(0.125), 0.375, "0.375 s (3 times the 0.125 s before the switch)"),
        (before(0.01), 0.25, "0.25 s (3 times the 0.01 s before the switch)"),  # below the noise floor nothing counts
        (before(0.5), 1.5, "1.5 s (3 times the 0.5 s before the switch)"),
        (before(0.7), 2.0, "2 s"),  # the limit is less
        (before(0.1, requests=49), 2.0, "2 s"),  # a thin window compares with nothing
        (before(0.1, requests=50), 0.3, "0.3 s (3 times the 0.1 s before the switch)"),
        (before(None), 2.0, "2 s"),
        (before(0.0), 2.0, "2 s"),
        (before(INF), 2.0, "2 s"),
    ],
)
def test_what_is_too_slow_is_the_limit_or_a_multiple_of_what_was_before(
    base: Observation | None, slow_s: float, reason: str
) -> None:
    judge = Judge(SlotCounters(), LIMITS, base)
    assert (judge.slow_s, judge.slow_reason) == (pytest.approx(slow_s), reason)


@pytest.mark.parametrize(
    ("base", "limit"),
    [
        (None, 0.02),
        (before(errors=1), 0.02),
        (before(errors=5), 0.05),  # it failed as often before: not the new version's doing
        (before(errors=5, requests=49), 0.02),
    ],
)
def test_what_failed_as_often_before_the_switch_is_not_held_against_it(base: Observation | None, limit: float) -> None:
    assert Judge(SlotCounters(), LIMITS, base).max_error_rate == limit


def test_what_was_counted_before_the_first_reading_is_not_this_versions() -> None:
    first = timed(100, bad=50)
    assert judged([(timed(200, bad=50), Probes())], first=first).action is Action.PROMOTE


def test_a_restart_of_the_router_takes_nothing_away() -> None:
    judge = Judge(timed(1000), LIMITS)
    judge.look(timed(1040, bad=1))
    judge.look(timed(10))  # the router began anew
    verdict = judge.look(timed(30))
    assert verdict.reason.startswith("error rate 1.43% of 70 requests"), verdict.reason


def test_a_probe_that_the_router_counts_a_moment_later_takes_nothing_back() -> None:
    judge = Judge(SlotCounters(), LIMITS)
    judge.look(timed(0), Probes(5))
    judge.look(timed(60), Probes(5))
    judge.look(timed(60), Probes(10))
    assert (judge.users.whole.requests, judge.users.whole.failed) == (55, 0)
    assert judge.answers.whole.requests == 60


def test_no_traffic_and_a_histogram_of_nothing_are_told() -> None:
    assert judged([(counted(100), Probes())]).reason == "100 requests, need 50 to judge"
    assert judged([(SlotCounters(), Probes())]).reason == "0 requests, need 50 to judge"


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
    seen = observe(after.since(before), probes)
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
    assert observe(counted(200, buckets=after).since(counted(100, buckets=before))).p95_s == p95_s


def test_after_a_restart_of_the_router_the_histogram_starts_at_zero_too() -> None:
    after = counted(10, buckets=((10.0, 0), (INF, 10)))
    assert observe(after.since(counted(1000, buckets=((10.0, 1000), (INF, 1000))))).p95_s == INF


@pytest.mark.parametrize(
    ("seconds", "slower"), [(0.005, 10), (0.01, 10), (0.011, 5), (0.1, 5), (0.5, 1), (1.0, 1), (5.0, 1)]
)
def test_slower_is_what_the_bucket_at_or_above_does_not_hold(seconds: float, slower: int) -> None:
    assert counted(100, buckets=BUCKETS).slower_than(seconds) == slower
    assert SlotCounters().slower_than(seconds) == 0


def test_two_windows_add_up() -> None:
    both = timed(10, 2, bad=1).plus(timed(20, 0, bad=2))
    assert both.responses == {"2xx": 29, "5xx": 3} and both.time_buckets_ms[1:3] == ((2000.0, 30), (3000.0, 32))


def test_chance_has_its_share_and_a_silence_its_time() -> None:
    assert (ALPHA, FIGURES, SLOW_SHARE, SILENT_TO_BLAME_S) == (0.01, 3, 0.05, 15.0)
    assert LIMITS.noise_floor_s == 0.25


def test_a_slot_that_was_never_asked_has_counted_nothing() -> None:
    assert SlotCounters() == SlotCounters({}, connect_failures=0, active=0, time_buckets_ms=())


def test_an_error_rate_is_a_fraction_of_the_users_requests() -> None:
    assert Observation(200, 3, Probes(800), 0.1).error_rate == 0.015
    assert Observation(0, 0, Probes(), None).error_rate == 0
    assert Observation(1, 2, Probes(), None).error_rate == 1


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (evenly(10), "error rate 0.00% of 100 requests (and 0 probes) within 2.00%, p95 up to 0.1 s within 2 s"),
        (evenly(9, looks=1), "9 requests, need 50 to judge"),
        (judged([(timed(200), Probes(100, 0, 2, 1))]), "2 of 100 probes got no answer in time"),
        (judged([(timed(200), Probes(100, 0, 7, 5, silent=True))]), "5 probes in a row got no answer in time"),
        (evenly(10, bad=3), "error rate 30.00% (30 of 100 requests) exceeds 2.00%"),
        (evenly(9, 4), "p95 3 s exceeds 2 s (40 of 130 requests are slower)"),
    ],
)
def test_a_verdict_has_the_figures_that_it_rests_on(verdict: Verdict, reason: str) -> None:
    assert verdict.reason == reason


def test_a_time_that_the_buckets_do_not_tell_from_the_limit_is_not_held_against_it() -> None:
    verdict = judged([(counted(100, 0, ((1000.0, 0), (2500.0, 100), (INF, 100))), Probes())])
    assert verdict.action is Action.PROMOTE
    assert verdict.reason.endswith("p95 up to 2.5 s which the router cannot tell from 2 s")


def test_what_lies_beyond_the_last_bucket_is_told_so() -> None:
    looks = ((counted(10 * n, 0, ((100.0, 5 * n), (INF, 10 * n))), Probes()) for n in range(1, 7))
    verdict = judged(looks)
    assert verdict.reason == "p95 beyond the router's last bucket exceeds 2 s (30 of 60 requests are slower)"
