import math
import random
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from gates.checks.pairs import LOOKS, MOST_PAIRS, SLOWER_P, Compared, Finding, Pair, compare_pairs

WITHIN, SLOWER, UNDECIDED = Finding.WITHIN, Finding.SLOWER, Finding.UNDECIDED
LIMIT = 25


def times(*ratios: float, base: float = 0.1) -> list[Pair]:
    """Return a pair for each ratio. They differ a little, as measured ones do."""
    return [Pair(base=base, candidate=base * ratio * (1 + number / 10_000)) for number, ratio in enumerate(ratios)]


@pytest.mark.parametrize(
    "pairs, finding",
    [
        ([], UNDECIDED),
        (times(1.0), UNDECIDED),
        (times(*[1.0] * 4), UNDECIDED),
        (times(*[1.0] * 5), WITHIN),  # 1 / 32 is below 0.05, 1 / 16 is not
        (times(*[1.24] * 5), WITHIN),
        (times(*[1.0] * 4, 1.26), UNDECIDED),  # one of five is over it, however little: 2 / 32
        (times(*[1.0] * 5, 1.26), WITHIN),  # one of six: 2 / 64
        (times(*[2.0] * 9), UNDECIDED),  # 1 / 512 is above 0.001
        (times(*[2.0] * 10), SLOWER),  # 1 / 1024 is not
        (times(*[1.26] * 10), SLOWER),
        (times(*[1.0] * 5, *[2.0] * 5), UNDECIDED),
        (times(*[2.0] * 11, 0.5), UNDECIDED),  # the one that is faster is the farthest from the limit
    ],
)
def test_what_pairs_tell(pairs: Sequence[Pair], finding: Finding) -> None:
    assert compare_pairs(pairs, LIMIT).finding is finding


def test_between_two_looks_the_earlier_one_holds() -> None:
    """A pair more is not another chance: at 11 pairs it is asked what the first 10 told."""
    slower = times(*[2.0] * 10)
    assert compare_pairs([*slower, *times(0.5)], LIMIT).finding is SLOWER
    assert compare_pairs([*slower, *times(0.5), *times(0.5)], LIMIT).finding is UNDECIDED


def test_all_looks_together_err_in_one_of_a_hundred_at_most() -> None:
    assert SLOWER_P * sum(2**-number <= SLOWER_P for number in LOOKS) <= 0.01
    assert list(LOOKS) == sorted(set(LOOKS)) and MOST_PAIRS == LOOKS[-1]


@pytest.mark.parametrize("floor_s, finding", [(0.0, SLOWER), (0.099, SLOWER), (0.102, UNDECIDED)])
def test_a_difference_below_the_floor_is_never_slower(floor_s: float, finding: Finding) -> None:
    assert compare_pairs(times(*[2.0] * 10), LIMIT, floor_s).finding is finding


@pytest.mark.parametrize("ratio, finding", [(1.25, UNDECIDED), (1.0, WITHIN)])
def test_pairs_exactly_at_the_limit_speak_for_neither_side(ratio: float, finding: Finding) -> None:
    assert compare_pairs([Pair(base=2, candidate=2 * ratio)] * 40, LIMIT).finding is finding
    assert compare_pairs([Pair(base=2, candidate=2 * ratio)] * 4, LIMIT).finding is UNDECIDED


def test_the_ratio_is_the_median_of_the_walsh_averages_and_the_interval_the_test_inverted() -> None:
    """By tables for n = 10 P(T <= 10) = 0.042: the 11th smallest and the 11th largest of 55 averages bound it."""
    logs = [0.01, -0.02, 0.035, 0.05, 0.07, -0.012, 0.104, 0.022, 0.0031, 0.0407]
    walsh = sorted((one + other) / 2 for at, one in enumerate(logs) for other in logs[at:])
    found = compare_pairs([Pair(base=1, candidate=math.exp(one)) for one in logs], LIMIT)
    assert found.ratio == pytest.approx(math.exp(walsh[27]))
    assert (found.low, found.high) == pytest.approx((math.exp(walsh[10]), math.exp(walsh[-11])))


@pytest.mark.parametrize("count, ratio, between", [(0, False, False), (4, True, False), (5, True, True)])
def test_what_too_few_pairs_cannot_say(count: int, ratio: bool, between: bool) -> None:
    found = compare_pairs(times(*[1.0] * count), LIMIT)
    assert (found.ratio is not None, found.low is not None, found.high is not None) == (ratio, between, between)


@pytest.mark.parametrize(
    "compared, told",
    [
        (
            Compared(finding=WITHIN, ratio=1.021, low=0.97, high=1.063, pairs=8),
            "1.02 times as long as v1 [0.97, 1.06], 8 pairs",
        ),
        (Compared(finding=UNDECIDED, ratio=1.5, low=None, high=None, pairs=1), "1.50 times as long as v1, 1 pair"),
        (Compared(finding=UNDECIDED, ratio=None, low=None, high=None, pairs=0), "not compared with v1, 0 pairs"),
    ],
)
def test_it_is_told_in_words(compared: Compared, told: str) -> None:
    assert compared.told("v1") == told


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan])
def test_times_are_positive(seconds: float) -> None:
    with pytest.raises(ValidationError):
        Pair(base=seconds, candidate=1)
    with pytest.raises(ValidationError):
        Pair(base=1, candidate=seconds)


def measured(chance: random.Random, slower: float) -> Finding:
    """Return what pairs come to that are added until it is clear, on a machine that others keep busy now and then."""
    pairs: list[Pair] = []
    while True:
        pace = chance.lognormvariate(0, 0.3)  # of the minute, the same for both
        base, candidate = (pace * chance.lognormvariate(0, 0.05) for _ in range(2))
        base *= chance.paretovariate(3) if chance.random() < 0.25 else 1  # a burst that hits only one of the two
        candidate *= chance.paretovariate(3) if chance.random() < 0.25 else 1
        pairs.append(Pair(base=base, candidate=slower * candidate))
        if len(pairs) not in LOOKS:
            continue
        found = compare_pairs(pairs, LIMIT).finding
        if found is not UNDECIDED or len(pairs) == MOST_PAIRS:
            return found


def test_unchanged_versions_are_never_slower() -> None:
    chance = random.Random(11)
    found = [measured(chance, 1.0) for _ in range(100)]
    assert found.count(SLOWER) == 0
    assert found.count(WITHIN) >= 95


def test_versions_that_take_half_as_long_again_are_caught() -> None:
    chance = random.Random(12)
    found = [measured(chance, 1.5) for _ in range(20)]
    assert found.count(WITHIN) == 0
    assert found.count(SLOWER) >= 18
