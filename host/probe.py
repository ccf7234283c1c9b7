"""Ask a slot, or an environment's public address, how it is."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import httpx

from gates.release.condition import Condition, Look
from gates.release.health import LONGEST_BODY, condition_of, judge_health
from gates.release.health_rules import PLAIN, HealthRules
from gates.verdict import Action, Verdict
from host.errors import HealthError
from host.http import TooLarge, local_client, refuse_packed
from host.resources.patience import START_S, Patience

TIMEOUT_S = 3.0
# Of what serves: slower than TIMEOUT_S is DEGRADED, and only this long without an answer is as bad as none. A busy host
# must not look like a bad version.
PATIENCE_S = 10.0
MOST_TRIES = 3


class Alive(Protocol):
    """Says why a process is not there any more, or None while it is."""

    def __call__(self) -> str | None: ...


class Holds(Protocol):
    """Names the sockets at which the asked process listens, none while it does not. Raises what it cannot tell."""

    def __call__(self) -> frozenset[str]: ...


class _Answer(NamedTuple):
    """`location`: where it sends who asks."""

    status: int
    body: bytes
    location: str


class _Silent(Exception):
    """No answer that could be judged; the message says why."""


class _Late(_Silent):
    """The answer did not come, or did not end, in time."""


@dataclass(frozen=True)
class Asked:
    """What asking once gave. `late`: no answer in time, which a busy host does to a good version too."""

    verdict: Verdict
    late: bool = False

    @property
    def good(self) -> bool:
        """Say whether it was answered, and well."""
        return self.verdict.action is Action.PROMOTE


def look(
    base_url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    through: Path | None = None,
    rules: HealthRules = PLAIN,
) -> Verdict:
    """Ask once. No answer is WAIT; at most 64 kB of the body are read, for at most `TIMEOUT_S`."""
    return ask(base_url, path, headers, through, rules=rules).verdict


def ask(
    base_url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    through: Path | None = None,
    patience_s: float | None = None,
    rules: HealthRules = PLAIN,
) -> Asked:
    """Ask once, as `look` does, and tell an answer that was late from one that was refused or bad.

    `patience_s` instead of `TIMEOUT_S`: for what serves already. `headers` go beside those of `rules`.
    """
    try:
        answer = _ask(base_url, path, {**rules.headers, **(headers or {})}, patience_s or TIMEOUT_S, through)
        return Asked(judge_health(path, answer.status, answer.body, rules, answer.location))
    except _Silent as silent:
        return Asked(Verdict(Action.WAIT, str(silent)), isinstance(silent, _Late))


def examine(base_url: str, path: str, rules: HealthRules = PLAIN, patience_s: float = PATIENCE_S) -> Look:
    """Ask once, as `look` does, how a version is that serves. No answer is UNHEALTHY, a slow one DEGRADED."""
    began = time.monotonic()
    try:
        answer = _ask(base_url, path, rules.headers, patience_s)
        seen = condition_of(path, answer.status, answer.body, rules, answer.location)
    except _Silent as silent:
        return Look(Condition.UNHEALTHY, str(silent))
    took_s = time.monotonic() - began
    if seen.condition is Condition.HEALTHY and took_s > TIMEOUT_S:
        return Look(Condition.DEGRADED, f"{seen.reason} after {took_s:.1f} s")
    return seen


def _ask(
    base_url: str, path: str, headers: Mapping[str, str], timeout_s: float, through: Path | None = None
) -> _Answer:
    body = b""
    try:
        with (
            local_client(timeout_s, through) as client,
            client.stream("GET", base_url + path, headers=dict(headers)) as answer,
        ):
            refuse_packed(answer)
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > LONGEST_BODY:
                    break
            return _Answer(answer.status_code, body, answer.headers.get("location", ""))
    except TooLarge as error:
        raise _Silent(f"{path}: the answer is {error}") from error
    except httpx.TimeoutException as error:
        raise _Late(f"{path}: {type(error).__name__} after {timeout_s:g} s") from error
    except httpx.HTTPError as error:
        raise _Silent(f"{path}: {type(error).__name__}: {error}") from error


def timed(base_url: str, path: str, headers: Mapping[str, str], rules: HealthRules = PLAIN) -> tuple[float, bool]:
    """Ask, at most `MOST_TRIES` times while no answer comes within `PATIENCE_S`; return the seconds from the first
    asking to the end of the answer, and whether it was a good one.
    """
    began = time.monotonic()
    for _ in range(MOST_TRIES):
        asked = ask(base_url, path, headers, patience_s=PATIENCE_S, rules=rules)
        if not asked.late:
            break
    return time.monotonic() - began, asked.good


def await_healthy(
    base_url: str,
    paths: Sequence[str],
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    gone: Alive = lambda: None,
    through: Path | None = None,
    holds: Holds = lambda: frozenset({""}),
    rules: HealthRules = PLAIN,
) -> str:
    """Return what the paths answered once all of them are good. HealthError at once when the process died, else after
    `timeout_s` seconds in which the machine had a processor for it (see `Patience`). `through` is a unix socket that
    leads to where it listens.

    An answer counts if the process held the same sockets before and after it: else somebody else gave it.
    """
    patience = Patience(timeout_s, blind_s=START_S)
    pause = 0.05
    while True:
        held = holds()
        verdicts = [look(base_url, path, headers, through, rules) for path in paths]
        bad = "; ".join(verdict.reason for verdict in verdicts if verdict.action is not Action.PROMOTE)
        if not bad and (not held or holds() != held):
            bad = f"{verdicts[0].reason}, but the new process did not listen there all the while"
        if death := gone():  # asked also when all is well: then somebody else answers at its port
            raise HealthError(f"the new process is gone: {death}")
        if not bad:
            return "; ".join(verdict.reason for verdict in verdicts)
        if patience.over():
            raise HealthError(f"not healthy after {timeout_s:g} s: {bad}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
