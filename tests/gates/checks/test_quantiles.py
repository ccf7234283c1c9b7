import random

import pytest

from gates.checks.quantiles import nearest_rank, weighted_rank


def test_the_nearest_rank() -> None:
    ordered = [float(number) for number in range(1, 21)]
    assert [nearest_rank(ordered, share) for share in (0.001, 0.05, 0.5, 0.95, 0.951, 1)] == [1, 1, 10, 19, 20, 20]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.25, 1), (0.251, 2), (0.5, 2), (0.75, 3), (1.0, 4)])
def test_the_nearest_rank_of_few_values(share: float, value: float) -> None:
    assert nearest_rank([1, 2, 3, 4], share) == value


@pytest.mark.parametrize("seed", range(200))
def test_equal_weights_are_none(seed: int) -> None:
    chance = random.Random(seed)
    values = [chance.choice([0.0, chance.random()]) for _ in range(chance.randrange(1, 60))]
    share = chance.choice([chance.uniform(0.01, 1), chance.randrange(1, 21) / 20])
    assert weighted_rank([(value, 1 / 7) for value in values], share) == nearest_rank(sorted(values), share)


@pytest.mark.parametrize(("share", "value"), [(0.1, 1), (0.5, 1), (0.51, 2), (0.9, 2), (0.95, 3), (1, 3)])
def test_a_value_counts_by_its_weight(share: float, value: float) -> None:
    assert weighted_rank([(3, 1), (1, 5), (2, 4)], share) == value
