"""How tests wait: for something to be so, never for a time."""

import time
from collections.abc import Callable

import httpx

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


def answers_with(status: int, url: str) -> bool:
    """Say whether a server answers a GET with the status; one that cannot be reached yet does not."""
    try:
        return httpx.get(url, trust_env=False, timeout=NEVER_S).status_code == status
    except httpx.HTTPError:
        return False
