import math
import random

import pytest

from gates.regression import Interval, compare, nearest_rank, quantile_interval


def interval(value: float, spread: float = 0.02, count: int = 1000) -> Interval:
    return Interval(value=value, low=value * (1 - spread), high=value * (1 + spread), count=count)


def test_the_nearest_rank() -> None:
    ordered = [float(number) for number in range(1, 21)]
    assert [nearest_rank(ordered, share) for share in (0.001, 0.05, 0.5, 0.95, 0.951, 1)] == [1, 1, 10, 19, 20, 20]


def test_the_interval_is_that_of_the_binomial_distribution() -> None:
    """n = 100, p = 0.5, 99.5 %: by tables P(B <= 35) = 0.0018 and P(B <= 36) = 0.0033."""
    found = quantile_interval([float(number) for number in range(1, 101)], 0.5)
    assert found == Interval(value=50, low=36, high=65, count=100)


def test_too_few_samples_do_not_bound_a_p95() -> None:
    """The largest of n samples is above the p95 with probability 1 - 0.95**n, which reaches 99.75 % at n = 117."""
    assert quantile_interval([1.0] * 116, 0.95) is None
    assert quantile_interval([1.0] * 117, 0.95) is not None
    assert quantile_interval([], 0.95) is None


def test_the_interval_holds_as_often_as_it_says() -> None:
    chance, inside = random.Random(7), 0
    true = -math.log(0.05)
    for _ in range(400):
        found = quantile_interval(sorted(chance.expovariate(1) for _ in range(300)), 0.95)
        assert found is not None
        inside += found.low <= true <= found.high
    assert inside >= 396


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        pytest.param(interval(0.100), True, id="the same"),
        pytest.param(interval(0.050), True, id="faster"),
        pytest.param(interval(0.120), True, id="its highest is just within 25 % of the other's lowest"),
        pytest.param(interval(0.121), None, id="its highest is just beyond"),
        pytest.param(interval(0.125), None, id="at the limit"),
        pytest.param(interval(0.130), None, id="its lowest is just within 25 % of the other's highest"),
        pytest.param(interval(0.131), False, id="its lowest is just beyond"),
        pytest.param(interval(0.200), False, id="twice as slow"),
        pytest.param(interval(0.200, spread=0.5), None, id="twice as slow, by samples that scatter"),
    ],
)
def test_only_what_the_samples_hold_is_claimed(now: Interval, outcome: bool | None) -> None:
    found = compare("p95", now, [interval(0.1)], 25)
    assert (found.measure.holds if found.measure else None) is outcome
    assert ("inconclusive" in found.note) is (outcome is None)


def test_runs_that_differ_among_themselves_raise_what_counts_as_slower() -> None:
    now = interval(0.2)
    assert compare("p95", now, [interval(0.1)], 25).measure is not None
    seen = compare("p95", now, [interval(0.1), interval(0.18)], 25)
    assert seen.measure is None and "inconclusive" in seen.note


def test_nothing_to_compare_with_is_inconclusive() -> None:
    seen = compare("p95", interval(0.1), [], 25)
    assert seen.measure is None and seen.note == "p95: inconclusive: no earlier run to compare with"


def test_a_difference_below_the_floor_is_not_judged() -> None:
    now, before = interval(0.009), interval(0.004)
    seen = compare("p95", now, [before], 25, floor_s=0.006)
    assert seen.measure is None and "differences below 6 ms are not judged" in seen.note
    judged = compare("p95", now, [before], 25, floor_s=0.0049).measure
    assert judged is not None and judged.holds is False
