"""Evidence of too many failures: by hand, its bound at every look, and what bursts do to it."""

import math
import random
from collections.abc import Iterable
from statistics import median

import pytest

from gates.release.sequential import ALTERNATIVES, FEWEST_LATER, FEWEST_LOOKS, Detector, Evidence, requests_to_see

ALPHA = 0.01
LIMIT = 0.01


def seen(*looks: tuple[int, int], limit: float = LIMIT) -> Evidence:
    evidence = Evidence(limit)
    for requests, failed in looks:
        evidence.add(requests, failed)
    return evidence


def test_it_is_the_logarithm_of_the_mean_likelihood_ratio() -> None:
    ratios = {times: times**2 * ((1 - times * 0.01) / 0.99) ** 8 for times in ALTERNATIVES}
    mean = sum(weight * ratios[times] for times, weight in ALTERNATIVES.items())
    assert sum(ALTERNATIVES.values()) == pytest.approx(1.0)
    assert seen((5, 1), (5, 1)).nats == pytest.approx(math.log(mean))


def test_nothing_seen_is_no_evidence() -> None:
    assert seen().nats == 0 and seen((0, 0)).nats == 0 and not seen((0, 0)).enough(ALPHA)


def test_good_answers_speak_for_the_limit() -> None:
    assert seen((1000, 0)).nats < 0


@pytest.mark.parametrize(
    ("looks", "enough"),
    [
        pytest.param([(10, 2), (10, 3), (10, 2)], True, id="24 percent in three looks"),
        pytest.param([(1, 1)] * 3, True, id="three of three"),
        pytest.param([(87, 1)], False, id="one of 87"),
        pytest.param([(10, 10), (0, 0)], False, id="one burst"),
        pytest.param([(10, 10), (10, 10)], False, id="a burst over two looks"),
        pytest.param([(10, 10)] * FEWEST_LOOKS, True, id="all, for longer"),
        pytest.param([(100, 1)] * 50, False, id="as many as may"),
        pytest.param([(100, 3)] * 50, True, id="three times as many"),
        pytest.param(
            [*[(10, 0)] * 20, (10, 9), *[(10, 0)] * 20, (10, 9), *[(10, 0)] * 20, (10, 9)], False, id="bursts"
        ),
    ],
)
def test_what_is_enough(looks: list[tuple[int, int]], enough: bool) -> None:
    evidence = seen(*looks)
    assert evidence.enough(ALPHA) is enough, (evidence.nats, evidence.dispersion)


def test_a_limit_of_nothing_is_broken_by_one_failure_and_one_of_all_by_none() -> None:
    assert seen((1000, 1), limit=0).enough(ALPHA) and not seen((1000, 0), limit=0).enough(ALPHA)
    assert not seen(*[(10, 10)] * 9, limit=1).enough(ALPHA)


@pytest.mark.parametrize("limit", [1e-6, 0.4, 0.5, 0.75, 0.999])
def test_every_limit_has_alternatives_above_it(limit: float) -> None:
    assert seen(*[(1000, 1000)] * 100, limit=limit).enough(ALPHA)
    assert not seen((10_000, int(10_000 * limit)), limit=limit).enough(ALPHA)


def test_dispersion_is_that_of_pearson_over_the_widest_blocks() -> None:
    # by hand, in blocks of one look: share 0.5, ((4 - 5)^2 + (6 - 5)^2) / (10 * 0.25) / 1, and 1 at least; one block of
    # two looks says nothing
    assert seen((10, 4), (10, 6)).dispersion == pytest.approx(1.0)
    assert seen((10, 0), (10, 10)).dispersion == pytest.approx(20.0)
    # blocks of two looks: 10 and 0 of 20, where those of one look tell less of it
    assert seen((10, 5), (10, 5), (10, 0), (10, 0)).dispersion == pytest.approx(2 * 5**2 / (20 * 0.25 * 0.75))


def test_the_evidence_never_grows_by_dispersion() -> None:
    generator = random.Random(7)
    for _ in range(200):
        looks = [(n, generator.randint(0, n)) for n in (generator.randint(0, 20) for _ in range(12))]
        evidence = seen(*looks)
        total, failed = evidence.requests, evidence.failed
        plain = seen((total, failed))
        assert evidence.nats <= plain.nats + 1e-9


def detected(generator: random.Random, shares: Iterable[float], requests: int = 10) -> int | None:
    """Return in which look, from 1 on, too many fail; None when that is never so. Each look has its share."""
    detector = Detector(LIMIT)
    for look, share in enumerate(shares, 1):
        detector.add(requests, sum(generator.random() < share for _ in range(requests)))
        if detector.enough(ALPHA):
            return look
    return None


@pytest.mark.parametrize("share", [0.003, 0.005, 0.01])
def test_a_good_version_is_hardly_ever_stopped_however_often_it_is_looked_at(share: float) -> None:
    """At the limit itself at most 1 of 100 by the theorem; with 300 runs more than 10 would be a chance of 0.1 %."""
    generator = random.Random(share)
    assert sum(detected(generator, [share] * 60) is not None for _ in range(300)) <= 10


@pytest.mark.parametrize(("share", "times"), [(0.03, 1.8), (0.1, 2.8), (0.24, 5)])
def test_a_bad_version_is_seen_about_as_soon_as_can_be(share: float, times: float) -> None:
    """`times` is a bound of the mean, in units of the least that any test needs; a look has ten requests."""
    generator = random.Random(share)
    information = share * math.log(share / LIMIT) + (1 - share) * math.log((1 - share) / (1 - LIMIT))
    looks = [detected(generator, [share] * 2000) for _ in range(60)]
    assert sum(10 * (look or 10**6) for look in looks) / len(looks) <= times * -math.log(ALPHA) / information


@pytest.mark.parametrize(("share", "typical", "longest"), [(1.0, FEWEST_LATER, 15), (0.24, 8, 20)])
def test_what_turns_bad_after_a_long_good_time_is_seen_soon(share: float, typical: int, longest: int) -> None:
    generator = random.Random(share)
    good = 600
    looks = [(detected(generator, [0.001] * good + [share] * 60) or 10**6) - good for _ in range(20)]
    assert 0 < min(looks) and max(looks) <= longest and median(looks) <= typical, looks


def test_bursts_of_errors_stop_hardly_any_good_version() -> None:
    """Half of what is allowed, in bursts of ten within a look or two: plain counting stops one in seven."""
    generator = random.Random(3)
    stopped = 0
    for _ in range(100):
        looks = [0] * 121
        for look in range(120):
            if generator.random() < 0.005:
                looks[look] += 6
                looks[look + 1] += 4
        detector = Detector(LIMIT)
        for failed in looks:
            detector.add(10, failed)
            if detector.enough(ALPHA):
                stopped += 1
                break
    assert stopped <= 2


def test_a_new_beginning_costs_some_of_the_error_and_knows_of_earlier_bursts() -> None:
    detector = Detector(LIMIT)
    for _ in range(20):
        detector.add(10, 0)
    assert detector.beginnings == 20 and detector.recent.requests == 10
    detector.add(10, 10)
    for _ in range(100):
        detector.add(10, 0)
    assert detector.recent.least_dispersion > 5


def test_how_many_requests_it_takes_is_told_before() -> None:
    assert requests_to_see(0.02, 0.01, 0.01) == pytest.approx(7.601 / 0.003913, rel=0.01)
    assert requests_to_see(0.24, 0.01, 0.01) < 16
    assert requests_to_see(0.01, 0.01, 0.01) == requests_to_see(0.5, 0, 0.01) == math.inf
