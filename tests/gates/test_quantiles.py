from gates.quantiles import nearest_rank


def test_the_nearest_rank() -> None:
    ordered = [float(number) for number in range(1, 21)]
    assert [nearest_rank(ordered, share) for share in (0.001, 0.05, 0.5, 0.95, 0.951, 1)] == [1, 1, 10, 19, 20, 20]
