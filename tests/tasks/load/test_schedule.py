import pytest

from tasks.load.schedule import BASE, CANDIDATE, Schedule, read_schedule

# Pairs begin at 100, 104, 108, ... A window is 1.5 s, and half a second after it belongs to nobody.
SCHEDULE = Schedule(100.0, 1.5, 0.5)


@pytest.mark.parametrize(
    ("at", "base", "candidate"),
    [
        (99.9, None, None),
        (100.0, 0, None),
        (101.49, 0, None),
        (101.5, None, None),
        (102.0, None, 0),
        (103.5, None, None),
        (104.0, None, 1),
        (106.0, 1, None),
        (108.0, 2, None),
        (110.0, None, 2),
    ],
)
def test_whose_turn_it_is(at: float, base: int | None, candidate: int | None) -> None:
    assert (SCHEDULE.pair_at(BASE, at), SCHEDULE.pair_at(CANDIDATE, at)) == (base, candidate)


@pytest.mark.parametrize(
    ("side", "at", "wait"),
    [
        (BASE, 90.0, 10.0),
        (CANDIDATE, 90.0, 12.0),
        (BASE, 100.5, 0.0),
        (BASE, 101.5, 4.5),
        (CANDIDATE, 100.5, 1.5),
        (CANDIDATE, 103.75, 0.25),
        (CANDIDATE, 105.5, 4.5),
        (BASE, 107.5, 0.5),
    ],
)
def test_how_long_a_side_waits(side: str, at: float, wait: float) -> None:
    assert SCHEDULE.wait_s(side, at) == pytest.approx(wait)


@pytest.mark.parametrize(("at", "pair"), [(90.0, 0), (99.9, 0), (100.0, 1), (103.9, 1), (104.0, 2)])
def test_the_next_pair(at: float, pair: int) -> None:
    assert SCHEDULE.pair_after(at) == pair


def test_a_wait_always_ends_in_the_window() -> None:
    for step in range(400):
        at = 99 + step / 10
        for side in (BASE, CANDIDATE):
            assert SCHEDULE.pair_at(side, at + SCHEDULE.wait_s(side, at) + 1e-6) is not None


def test_it_survives_being_an_environment_variable() -> None:
    assert read_schedule(SCHEDULE.words(BASE)) == (BASE, SCHEDULE)
