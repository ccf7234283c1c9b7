"""The measure of growth itself: it must see the square, and pass what is in proportion."""

import gc

import pytest

from tests.growth import assert_in_proportion


def test_work_in_proportion_passes() -> None:
    assert_in_proportion(lambda size: lambda: sum(range(size)), 10_000, 100_000)
    assert gc.isenabled()


def test_the_square_does_not_pass() -> None:
    with pytest.raises(AssertionError, match="10 times the size took"):
        assert_in_proportion(lambda size: lambda: sum(range(size * size)), 100, 1_000)


def test_sizes_that_tell_nothing_are_refused() -> None:
    with pytest.raises(AssertionError, match="stand out"):
        assert_in_proportion(lambda size: lambda: None, 10, 20)
