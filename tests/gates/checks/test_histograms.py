import math

import pytest

from gates.checks.histograms import increase, quantile

INF = math.inf


@pytest.mark.parametrize(
    ("buckets", "share", "value", "low", "high"),
    [
        pytest.param({1.0: 10, 2.0: 20, INF: 20}, 0.5, 1.0, 0.0, 1.0, id="at a bound"),
        pytest.param({1.0: 10, 2.0: 20, INF: 20}, 0.75, 1.5, 1.0, 2.0, id="half way through a bucket"),
        pytest.param({1.0: 10, INF: 10}, 0.25, 0.25, 0.0, 1.0, id="the first bucket begins at 0"),
        pytest.param({1.0: 0, 2.0: 4, INF: 4}, 0.95, 1.95, 1.0, 2.0, id="empty buckets below"),
        pytest.param({1.0: 10, 2.0: 10, INF: 20}, 0.95, 2.0, 2.0, INF, id="beyond the last bound: only a lower limit"),
        pytest.param({INF: 5}, 0.95, 0.0, 0.0, INF, id="no finite bound tells nothing"),
    ],
)
def test_quantiles_as_prometheus_makes_them(
    buckets: dict[float, float], share: float, value: float, low: float, high: float
) -> None:
    found = quantile(buckets, share)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high))


def test_no_observation_has_no_quantile() -> None:
    assert quantile({1.0: 0, INF: 0}, 0.95) is None
    assert quantile({}, 0.95) is None


def test_what_was_counted_between_two_readings() -> None:
    assert increase({1.0: 3, INF: 4}, {1.0: 5, INF: 9}) == {1.0: 2, INF: 5}
    assert increase({}, {1.0: 5, INF: 9}) == {1.0: 5, INF: 9}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({1.0: 3, INF: 4}, {1.0: 2, INF: 9}, id="a count went back"),
        pytest.param({1.0: 3, INF: 4}, {2.0: 5, INF: 9}, id="other bounds"),
        pytest.param({}, {1.0: 5}, id="not up to infinity"),
        pytest.param({}, {1.0: 5, INF: 4}, id="a higher bound counts less"),
        pytest.param({}, {1.0: math.nan, INF: 4}, id="no number"),
        pytest.param({1.0: 3, INF: 4}, {}, id="gone"),
    ],
)
def test_readings_that_do_not_belong_together(before: dict[float, float], after: dict[float, float]) -> None:
    assert increase(before, after) is None
