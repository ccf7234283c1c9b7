from dataclasses import dataclass
from pathlib import Path

import pytest

from host.resources.patience import MOST_TIMES, Patience


@dataclass
class Machine:
    """A /proc and a clock that go as a test says."""

    proc: Path
    now_s: float = 1000.0

    def clock(self) -> float:
        return self.now_s

    def pressure(self, total_s: float) -> None:
        (self.proc / "pressure").mkdir(parents=True, exist_ok=True)
        text = f"some avg10=9.0 avg60=9.0 avg300=9.0 total={total_s * 1e6:.0f}\nfull avg10=0.00 total=0\n"
        (self.proc / "pressure" / "cpu").write_text(text)

    def thread(self, pid: int, ran_s: float, waited_s: float, children: str = "", tid: int | None = None) -> None:
        where = self.proc / str(pid) / "task" / str(tid or pid)
        where.mkdir(parents=True, exist_ok=True)
        (where / "schedstat").write_text(f"{ran_s * 1e9:.0f} {waited_s * 1e9:.0f} 7\n")
        (where / "children").write_text(children)

    def patience(
        self, limit_s: float = 10, pid: int | None = None, blind_s: float = 0, others: bool = False
    ) -> Patience:
        return Patience(limit_s, pid, blind_s, others, self.proc, self.clock)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(("passed_s", "over"), [(9.9, False), (10, True)])
def test_without_anything_to_read_the_wall_clock_counts(machine: Machine, passed_s: float, over: bool) -> None:
    patience = machine.patience()
    machine.now_s += passed_s
    assert patience.over() is over


@pytest.mark.parametrize(("passed_s", "over"), [(10, False), (59.9, False), (60, True)])
def test_a_start_gets_a_minute_where_nothing_tells_how_busy_it_is(
    machine: Machine, passed_s: float, over: bool
) -> None:
    patience = machine.patience(2, blind_s=60)
    machine.now_s += passed_s
    assert patience.over() is over


def test_where_the_pressure_is_told_a_start_ends_at_its_limit(machine: Machine) -> None:
    machine.pressure(5)
    patience = machine.patience(2, blind_s=60)
    machine.now_s += 2
    assert patience.over()


@pytest.mark.parametrize(("waited_s", "over"), [(20, True), (20.1, False)])
def test_what_the_machine_waited_is_not_spent(machine: Machine, waited_s: float, over: bool) -> None:
    machine.pressure(100)
    patience = machine.patience()
    machine.now_s += 30
    machine.pressure(100 + waited_s)
    assert patience.over() is over
    assert patience.spent_s() == pytest.approx(30 - waited_s)


@pytest.mark.parametrize(
    ("ran_s", "waited_s", "spent_s"),
    [
        (30, 0, 30),  # alone, and busy
        (0, 0, 30),  # idle: it hangs
        (10, 20, 10),  # a third of a core
        (0, 30, 0),  # no processor at all
        (1, 1, 29),  # mostly idle
        (60, 60, 15),  # four threads on two cores
    ],
)
def test_what_the_tree_waited_is_not_spent(machine: Machine, ran_s: float, waited_s: float, spent_s: float) -> None:
    machine.pressure(0)
    machine.thread(7, 3, 4, children="8 ")
    machine.thread(8, 5, 6)
    patience = machine.patience(pid=7)
    machine.now_s += 30
    machine.pressure(30)  # others wait: that is no excuse for this tree
    machine.thread(7, 3 + ran_s / 2, 4, children="8 ")
    machine.thread(8, 5 + ran_s / 2, 6 + waited_s)
    assert patience.spent_s() == pytest.approx(spent_s)


def test_threads_and_processes_that_came_later_count_from_their_beginning(machine: Machine) -> None:
    machine.thread(7, 3, 4)
    patience = machine.patience(pid=7)
    machine.now_s += 10
    machine.thread(7, 3, 4, tid=71, children="9 ")
    machine.thread(9, 0, 4)
    assert patience.spent_s() == pytest.approx(10 - min(8, 10 * 8 / 11))


def test_a_thread_whose_figures_cannot_be_read_is_left_out(machine: Machine) -> None:
    machine.thread(7, 3, 4, children="8 ")
    machine.thread(8, 0, 0)
    (machine.proc / "8" / "task" / "8" / "schedstat").write_text("")
    patience = machine.patience(pid=7)
    machine.now_s += 10
    assert patience.spent_s() == pytest.approx(10)


def test_a_process_that_is_gone_is_no_error(machine: Machine) -> None:
    patience = machine.patience(pid=7)
    machine.now_s += 10
    assert patience.over()


@pytest.mark.parametrize(("limit_s", "most_s"), [(10, 10 * MOST_TIMES), (600, 1800), (7200, 7200)])
def test_nothing_waits_for_ever(machine: Machine, limit_s: float, most_s: float) -> None:
    machine.pressure(0)
    patience = machine.patience(limit_s)
    machine.now_s += most_s - 0.1
    machine.pressure(most_s - 0.1)
    assert not patience.over()
    machine.now_s += 0.1
    assert patience.over()


@pytest.mark.parametrize(("others", "over"), [(False, True), (True, False)])
def test_what_asks_others_waits_while_the_machine_is_busy(machine: Machine, others: bool, over: bool) -> None:
    machine.pressure(0)
    machine.thread(7, ran_s=0, waited_s=0)
    patience = machine.patience(10, pid=7, others=others)
    for second in range(1, 13):
        machine.now_s += 1
        machine.pressure(0.9 * second)
        machine.thread(7, ran_s=0.01 * second, waited_s=0)
        ended = patience.over()
    assert ended is over


def test_what_asks_others_ends_at_its_limit_on_a_quiet_machine_and_at_ten_times_it_on_any(machine: Machine) -> None:
    for pressure, end_s in ((0.0, 10), (1.0, 100)):
        machine.pressure(0)
        machine.thread(7, ran_s=0, waited_s=0)
        patience, began_s = machine.patience(10, pid=7, others=True), machine.now_s
        while not patience.over():
            machine.now_s += 1
            machine.pressure(pressure * (machine.now_s - began_s))
        assert machine.now_s - began_s == end_s


def test_where_the_pressure_is_not_told_what_asks_others_has_its_own_waiting_excused(machine: Machine) -> None:
    machine.thread(7, ran_s=0, waited_s=0)
    patience = machine.patience(10, pid=7, others=True)
    machine.now_s += 10
    machine.thread(7, ran_s=1, waited_s=1)
    assert not patience.over() and patience.spent_s() == pytest.approx(9)
