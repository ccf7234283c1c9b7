import math

import pytest

from gates.checks.contention import MOST_WAITING, Waited, disturbed

MORE = math.nextafter(MOST_WAITING, 1)


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ([], None),
        ([Waited(MOST_WAITING, "PSI")], None),
        ([Waited(MORE, "PSI")], "others kept it waiting up to 25% of the time (PSI)"),
        ([Waited(0.9, "PSI"), Waited(MOST_WAITING, "processor time")], None),
        ([Waited(0.9, "PSI"), Waited(0.31, "processor time")], "up to 31% of the time (processor time)"),
        ([Waited(1.0, "run-queue delay")], "up to 100% of the time (run-queue delay)"),
    ],
)
def test_the_lowest_bound_holds(bounds: list[Waited], told: str | None) -> None:
    found = disturbed(bounds)
    assert found is None if told is None else told in str(found)
