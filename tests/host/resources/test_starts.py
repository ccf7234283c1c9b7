from pathlib import Path

import pytest

from host.resources.patience import MOST_WALL_S
from host.resources.starts import LOOK_EVERY_S, Start
from tests.host.resources.test_patience import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.thread(7, 0, 0)
    return made


def over_after(machine: Machine, start: Start, seconds: float, share: float = 0.0, moved: int = 0) -> bool:
    """Say whether a start is over, its process having had a share of a processor and moved bytes all along."""
    for look in range(1, int(seconds / LOOK_EVERY_S) + 1):
        machine.now_s += LOOK_EVERY_S
        machine.thread(7, look * LOOK_EVERY_S * share, 0)
        (machine.proc / "7" / "task" / "7" / "io").write_text(f"rchar: {look * moved}\nwchar: 0\n")
        if start.over():
            return True
    return False


@pytest.mark.parametrize(
    ("share", "moved", "over"),
    [
        pytest.param(0.0, 0, True, id="hangs"),
        pytest.param(0.005, 1000, True, id="polls-and-hangs"),
        pytest.param(0.1, 0, False, id="computes"),
        pytest.param(0.0, 5_000_000, False, id="reads"),
    ],
)
def test_what_works_gets_more_time_than_its_limit(machine: Machine, share: float, moved: int, over: bool) -> None:
    start = Start(60, lambda: [7], machine.proc, machine.clock)
    assert over_after(machine, start, 50, share, moved) is False
    assert over_after(machine, start, 300, share, moved) is over


def test_what_computes_for_ever_is_over_after_half_an_hour(machine: Machine) -> None:
    start = Start(60, lambda: [7], machine.proc, machine.clock)
    assert over_after(machine, start, MOST_WALL_S - 10, 0.5) is False
    machine.now_s += 20
    assert start.over()


def test_without_a_process_to_look_at_the_limit_counts(machine: Machine) -> None:
    start = Start(60, proc=machine.proc, clock=machine.clock)
    assert over_after(machine, start, 55) is False and over_after(machine, start, 10)
