"""How tests wait: for something to be so, never for a time."""

import time
from collections.abc import Callable

from host.errors import ServerAway

NEVER_S = 900.0  # no time that a busy machine can miss


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fail naming it when it never is. A server that is busy is asked again."""
    deadline = time.monotonic() + NEVER_S
    while not _is_so(condition):
        assert time.monotonic() < deadline, f"waited {NEVER_S:g} s in vain: {what}"
        time.sleep(0.05)


def _is_so(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except ServerAway:
        return False
