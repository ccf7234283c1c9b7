"""How long to wait for what starts: for as long as it works. A limit ends what does nothing, not what is slow."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from host.resources.patience import MOST_WALL_S, Patience
from host.resources.waits import PROC, Work, work_of

STILL_S = 30.0  # nothing done for so long is a hang
LOOK_EVERY_S = 5.0
LEAST_SHARE = 0.02  # of a processor: a program that only polls takes less
LEAST_BYTES = 1_000_000  # read and written between two looks


@dataclass
class Start:
    """A start that has `limit_s` seconds, counted from now, and more for as long as it works.

    `pids`: the processes that start; with those below them they work when they take at least LEAST_SHARE of a processor
    or read and write LEAST_BYTES, between two looks. Time in which a process of the machine waited for a processor is
    not counted (patience.py). It is over after half an hour whatever happens, unless the limit is longer.
    """

    limit_s: float
    pids: Callable[[], Iterable[int]] = tuple
    proc: Path = PROC
    clock: Callable[[], float] = time.monotonic
    _patience: Patience = field(init=False)
    _work: Work = field(init=False)
    _began: float = field(init=False)
    _looked: float = field(init=False)
    _worked: float = field(init=False)

    def __post_init__(self) -> None:
        self._patience = Patience(self.limit_s, others=True, proc=self.proc, clock=self.clock)
        self._began = self._looked = self._worked = self.clock()
        self._work = work_of(self.pids(), self.proc)

    def over(self) -> bool:
        """Say whether there is nothing to wait for any more."""
        now = self.clock()
        if now - self._looked >= LOOK_EVERY_S:
            self._look(now)
        if not self._patience.over():
            return False
        return now - self._worked >= min(STILL_S, self.limit_s) or now - self._began >= max(self.limit_s, MOST_WALL_S)

    def _look(self, now: float) -> None:
        work = work_of(self.pids(), self.proc)
        share = (work.ran_s - self._work.ran_s) / (now - self._looked)
        if share >= LEAST_SHARE or work.moved - self._work.moved >= LEAST_BYTES:
            self._worked = now
        self._work, self._looked = work, now
