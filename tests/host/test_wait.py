import pytest

from host import wait
from host.wait import BACK_OFF_S, back_off_s, wait_for


class Condition:
    """True from the `nth` look on."""

    def __init__(self, nth: int) -> None:
        self.nth = nth
        self.looks = 0

    def __call__(self) -> bool:
        self.looks += 1
        return self.looks >= self.nth


def test_what_is_true_already_is_looked_at_once() -> None:
    condition = Condition(1)
    assert wait_for(condition, 60, every=60)
    assert condition.looks == 1


def test_what_becomes_true_in_time_is_waited_for() -> None:
    condition = Condition(3)
    assert wait_for(condition, 60, every=0)
    assert condition.looks == 3


def test_what_does_not_become_true_ends_with_its_time() -> None:
    assert not wait_for(lambda: False, 0, every=0)


class StoodStill:
    """A clock of a machine that stood still for longer than any limit while somebody slept."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 1000 * seconds


def test_what_became_true_while_the_machine_stood_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait, "time", StoodStill())
    assert wait_for(Condition(2), 60, every=1)
    assert not wait_for(Condition(3), 60, every=1)


@pytest.mark.parametrize(("failures", "wait_s"), [(1, 1), (2, 2), (4, 15), (5, 60), (6, 60), (1000, 60)])
def test_the_wait_grows_with_the_failures_and_then_stays(failures: int, wait_s: float) -> None:
    assert back_off_s(failures) == wait_s
    assert max(BACK_OFF_S) == 60
