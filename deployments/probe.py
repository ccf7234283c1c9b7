"""Ask a slot, or an environment's public address, how it is."""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import httpx

from evidence.errors import HealthError
from gates.health import LONGEST_BODY, judge_health
from gates.verdict import Action, Verdict

TIMEOUT_S = 3.0


class Alive(Protocol):
    """Says why a process is not there any more, or None while it is."""

    def __call__(self) -> str | None: ...


def look(base_url: str, path: str, headers: Mapping[str, str] | None = None) -> Verdict:
    """Ask once. No answer is WAIT; at most 64 kB of the body are read, for at most `TIMEOUT_S`."""
    body = b""
    deadline = time.monotonic() + TIMEOUT_S
    try:
        with httpx.stream("GET", base_url + path, headers=dict(headers or {}), timeout=TIMEOUT_S) as answer:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LONGEST_BODY:
                    break
                if time.monotonic() > deadline:  # httpx's own timeout is for each piece, and pieces may drip
                    return Verdict(Action.WAIT, f"{path} did not end its answer within {TIMEOUT_S:g} s")
            return judge_health(path, answer.status_code, body)
    except httpx.HTTPError as error:
        return Verdict(Action.WAIT, f"{path}: {type(error).__name__}: {error}")


def await_healthy(
    base_url: str,
    paths: Sequence[str],
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    gone: Alive = lambda: None,
) -> str:
    """Return what the paths answered once all of them are good. HealthError after `timeout_s`, or when the process
    died.
    """
    deadline = time.monotonic() + timeout_s
    pause = 0.05
    while True:
        verdicts = [look(base_url, path, headers) for path in paths]
        bad = "; ".join(verdict.reason for verdict in verdicts if verdict.action is not Action.PROMOTE)
        if death := gone():  # asked also when all is well: then somebody else answers at its port
            raise HealthError(f"the new process is gone: {death}")
        if not bad:
            return "; ".join(verdict.reason for verdict in verdicts)
        if time.monotonic() >= deadline:
            raise HealthError(f"not healthy after {timeout_s:g} s: {bad}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
