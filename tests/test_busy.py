"""The busy loops that a machine is loaded with must not outlive what they were started for."""

import os
import signal
import subprocess
import sys

import psutil

from benchmarks.busy import SPIN, busy
from tests.waiting import wait_for


def _loops(parent: int) -> list[psutil.Process]:
    return [one for one in psutil.Process(parent).children() if SPIN in one.cmdline()]


def test_the_loops_run_and_end_with_the_block() -> None:
    with busy(1) as count:
        loops = _loops(os.getpid())
        assert len(loops) == count == len(os.sched_getaffinity(0))
    assert not [one for one in loops if one.is_running()]


def test_the_loops_end_when_their_starter_is_killed() -> None:
    argv = [sys.executable, "-m", "benchmarks.busy", "--loops", "1", "--", "sleep", "600"]
    with subprocess.Popen(argv, start_new_session=True) as starter:
        try:
            wait_for(lambda: len(_loops(starter.pid)) == len(os.sched_getaffinity(0)), "the loops run")
            loops = _loops(starter.pid)
            starter.kill()
            wait_for(lambda: not any(_alive(one) for one in loops), "the loops are gone")
        finally:
            os.killpg(starter.pid, signal.SIGKILL)


def _alive(one: psutil.Process) -> bool:
    return one.is_running() and one.status() != psutil.STATUS_ZOMBIE


def test_a_command_that_fails_is_counted() -> None:
    argv = [sys.executable, "-m", "benchmarks.busy", "--loops", "0", "--times", "2", "--", "false"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "0 of 2 ended with 0" in done.stdout
