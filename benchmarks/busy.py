"""Run a command while others keep the machine busy: `python -m benchmarks.busy --loops 2 --times 5 -- make demo`.

Each loop is a process that only computes, `--loops` of them for each core. They end with this process, however it ends.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

PR_SET_PDEATHSIG = 1  # prctl(2)
SPIN = "while True: pass"


@contextmanager
def busy(loops_per_core: int) -> Iterator[int]:
    """Keep every core busy while the block runs; yields how many processes do that."""
    ours = os.getpid()
    count = loops_per_core * len(os.sched_getaffinity(0))
    loops = [_loop(ours) for _ in range(count)]
    try:
        yield count
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def _loop(parent: int) -> "subprocess.Popen[bytes]":
    def die_with_it() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    argv = [sys.executable, "-I", "-S", "-c", SPIN]
    # A session of its own: where Linux shares out the processors by session, it counts as a user of its own.
    return subprocess.Popen(argv, start_new_session=True, preexec_fn=die_with_it)


def main(arguments: Sequence[str]) -> int:
    """Run the command as often as asked, one after the other; return 0 when every run ended with 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy", description=__doc__.splitlines()[0])
    parser.add_argument("--loops", type=int, default=2, help="busy processes for each core (0: none)")
    parser.add_argument("--times", type=int, default=1, help="how often the command is run")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    asked = parser.parse_args(arguments)
    good = 0
    with busy(asked.loops) as count:
        for number in range(1, asked.times + 1):
            began = time.monotonic()
            code = subprocess.run(asked.command, check=False).returncode
            good += code == 0
            seconds = time.monotonic() - began
            print(
                f"run {number} of {asked.times}: exit {code} after {seconds:.0f} s, beside {count} busy loops",
                flush=True,
            )
    print(f"{good} of {asked.times} ended with 0")
    return 0 if good == asked.times else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
