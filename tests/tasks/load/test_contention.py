"""Planted files instead of a loaded machine: a busy one must not decide whether these tests pass."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gates.checks.contention import Waited
from tasks.load.contention import DELAY, OTHERS, PRESSURE, Contention, await_quiet

STAT = "cpu  {used} 0 0 {idle} 7 0 0 0 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"


def plant(proc: Path, pressure: str | None = None, waits: str | None = None, used: int | None = None) -> None:
    """Write what the kernel would show; None takes the file away. `used` is in hundredths of a second."""
    (proc / "pressure").mkdir(exist_ok=True)
    (proc / "7" / "task" / "8").mkdir(parents=True, exist_ok=True)
    texts = {
        "pressure/cpu": pressure,
        "7/task/8/schedstat": waits,
        "stat": None if used is None else STAT.format(used=used, idle=5),
    }
    for name, text in texts.items():
        (proc / name).unlink(missing_ok=True)
        if text is not None:
            (proc / name).write_text(text)


def some(microseconds: int) -> str:
    return f"some avg10=0.00 avg60=0.00 avg300=0.00 total={microseconds}\nfull avg10=0.00 total=9\n"


def between(proc: Path, first: Contention, seconds: float = 10.0, ours_s: float = 0.0) -> list[Waited]:
    """Return the bounds for two moments so many seconds apart, on two processors."""
    later = replace(Contention.now([7], ours_s, proc), at_s=first.at_s + seconds)
    return first.until(later, 2)


def test_pressure_is_asked_first(tmp_path: Path) -> None:
    plant(tmp_path, some(1_000_000), "100 100 5", 100)
    first = Contention.now([7], 0.0, tmp_path)
    plant(tmp_path, some(4_000_000), "900 900 9", 1100)
    assert between(tmp_path, first, ours_s=4.0) == [
        Waited(pytest.approx(0.3), PRESSURE),
        Waited(pytest.approx(0.3), OTHERS),
    ]


@pytest.mark.parametrize("pressure", [None, "", "full avg10=0.00 total=9\n", "nonsense"])
def test_without_pressure_the_run_queue_tells(tmp_path: Path, pressure: str | None) -> None:
    plant(tmp_path, pressure, "1000 2000 5")
    first = Contention.now([7], 0.0, tmp_path)
    plant(tmp_path, pressure, "4000 3000 9")
    assert between(tmp_path, first) == [Waited(pytest.approx(0.25), DELAY)]


@pytest.mark.parametrize("waits", [None, "", "1 2", "a b c"])
def test_without_either_only_what_others_used_tells(tmp_path: Path, waits: str | None) -> None:
    plant(tmp_path, None, waits, 0)
    first = Contention.now([7], 1.0, tmp_path)
    plant(tmp_path, None, waits, 2000)
    assert between(tmp_path, first, ours_s=5.0) == [Waited(pytest.approx(0.8), OTHERS)]


def test_a_host_that_tells_nothing_bounds_nothing(tmp_path: Path) -> None:
    first = Contention.now([7], 0.0, tmp_path / "nothing")
    assert between(tmp_path / "nothing", first) == []


def test_a_process_that_ended_or_a_counter_that_went_back_is_no_disturbance(tmp_path: Path) -> None:
    plant(tmp_path, None, "1000 2000 5")
    first = Contention.now([7], 0.0, tmp_path)
    assert first.until(replace(first, waits_s={}), 2) == []
    plant(tmp_path, some(9_000_000))
    first = Contention.now([7], 0.0, tmp_path)
    plant(tmp_path, some(1_000_000))
    assert between(tmp_path, first) == [Waited(0.0, PRESSURE)]


def test_the_host_that_the_tests_run_on_can_be_asked() -> None:
    first = Contention.now()
    assert all(0 <= bound.share <= 1 for bound in first.until(Contention.now(), 2))


def test_a_quiet_moment_is_waited_for_and_not_for_ever(tmp_path: Path) -> None:
    plant(tmp_path, some(0))
    running = threading.Event()
    assert await_quiet(60, running, tmp_path, quiet_s=0.01)
    assert not await_quiet(0, running, tmp_path, quiet_s=0.01)
    running.set()
    assert not await_quiet(60, running, tmp_path, quiet_s=0.01)
