"""How tests wait: for something to be so, never for a time."""

import time
from collections.abc import Callable

from host.errors import ServerAway


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 300) -> None:
    """Wait until something is so; fail naming it when it is not in time. A server that is busy is asked again."""
    deadline = time.monotonic() + timeout_s
    while not _is_so(condition):
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain: {what}"
        time.sleep(0.05)


def _is_so(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except ServerAway:
        return False
