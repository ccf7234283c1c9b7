"""When base and candidate are asked, in turn: A B, B A, A B, ...

It is copied beside the recorder in locust's environment, so it needs nothing but Python itself.

All times are those of the machine's monotonic clock, which every process shares and nobody can set.
"""

import math
from dataclasses import dataclass

BASE, CANDIDATE = "base", "candidate"


@dataclass(frozen=True)
class Schedule:
    """From `start_s` on, each pair has a window of `window_s` for either side, each followed by `gap_s` for nobody."""

    start_s: float
    window_s: float
    gap_s: float

    @property
    def pair_s(self) -> float:
        return 2 * (self.window_s + self.gap_s)

    def opens_s(self, side: str, pair: int) -> float:
        """Return when the side's window of a pair opens: the base's first in pair 0, the candidate's in pair 1, ..."""
        second = (pair % 2 == 0) == (side == CANDIDATE)
        return self.start_s + pair * self.pair_s + second * (self.window_s + self.gap_s)

    def pair_at(self, side: str, at_s: float) -> int | None:
        """Return the pair in whose window of that side the moment lies, None outside of all."""
        pair = self.pair_after(at_s) - 1
        if pair < 0:
            return None
        return pair if 0 <= at_s - self.opens_s(side, pair) < self.window_s else None

    def pair_after(self, at_s: float) -> int:
        """Return the first pair that begins after the moment."""
        return max(0, math.floor((at_s - self.start_s) / self.pair_s) + 1)

    def wait_s(self, side: str, at_s: float) -> float:
        """Return how long from the moment on until the side may ask, 0 inside of its window."""
        if self.pair_at(side, at_s) is not None:
            return 0.0
        following = self.pair_after(at_s)
        openings = [self.opens_s(side, pair) for pair in (max(0, following - 1), following)]
        return min(opening for opening in openings if opening > at_s) - at_s

    def words(self, side: str) -> str:
        """Return it as one environment variable."""
        return f"{side} {self.start_s!r} {self.window_s!r} {self.gap_s!r}"


def read_schedule(words: str) -> tuple[str, Schedule]:
    """Return side and schedule from what `words` made."""
    side, *numbers = words.split()
    return side, Schedule(*(float(number) for number in numbers))
