"""Waiting for a condition, and the pauses between tries of what failed."""

import time
from collections.abc import Callable

BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)


def wait_for(condition: Callable[[], object], seconds: float, every: float) -> bool:
    """Wait until a condition is true, for at most `seconds`; return whether it is. Looks every `every` seconds.

    It is looked at once more after the time is over: a machine that stood still meanwhile makes no wait fail.
    """
    until = time.monotonic() + seconds
    while True:
        over = time.monotonic() > until
        if condition():
            return True
        if over:
            return False
        time.sleep(every)


def back_off_s(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, 1 or more."""
    return BACK_OFF_S[min(failures, len(BACK_OFF_S)) - 1]
