"""How tests tell that work grows with the size of what is given, and not with its square."""

import gc
import time
from collections.abc import Callable

TRIES = 10
# Of the growth of the size. The square of ten times the size is a hundred times the work: well beyond 4 * 10.
MOST = 4.0


def assert_in_proportion(prepared: Callable[[int], Callable[[], object]], few: int, many: int) -> None:
    """Assert that the work of `many` is at most `MOST * many / few` times that of `few`, whose 8 times it is at least.

    `prepared` returns the work for a size, so that making its input does not count. Both are measured again in turn,
    and the least processor time of each counts: what else the machine does can only add to a try.
    """
    assert many >= 8 * few, "the square must stand out"
    prepared(few)()  # what is made once
    less = min(_processor_s(prepared(few)) for _ in range(3))
    more = float("inf")
    for _ in range(TRIES):
        less, more = min(less, _processor_s(prepared(few))), min(more, _processor_s(prepared(many)))
        if more <= MOST * many / few * less:
            return
    raise AssertionError(f"{many / few:g} times the size took {more / less:.0f} times the work, {more:.3f} s")


def _processor_s(work: Callable[[], object]) -> float:
    collects = gc.isenabled()
    gc.disable()  # it would look at all that this process holds
    try:
        began = time.thread_time()
        work()
        return time.thread_time() - began
    finally:
        if collects:
            gc.enable()
