"""Is an address up? Asked every 100 ms on a fresh connection, whatever became of the question before.

A late answer is an answer: a busy host makes an address slow, and slow is not down.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

INTERVAL_S = 0.1
LATE_S = 2.0
LISTED = 200


@dataclass
class Downtime:
    """Turns answers, given in the order of their questions, into the times without a good one.

    A time down lasts from the first question without a good answer (complete, below 500) to the next question with
    one: exact to the interval of 0.1 s. What came before the first good answer is not downtime; `first_good_at` says
    when that was. A good answer after more than 2 s is counted as late, and is good.
    """

    asked: int = 0
    good: int = 0
    late: int = 0
    slowest_s: float = 0.0
    first_good_at: float | None = None
    last_at: float = 0.0
    total_s: float = 0.0
    longest_s: float = 0.0
    down_since: float | None = None
    intervals: list[dict[str, Any]] = field(default_factory=list)
    _what: str = ""

    def add(self, at: float, failure: str | None, took_s: float) -> None:
        """Count one answer; `at` is when its question was asked, `failure` None when it was good."""
        self.asked += 1
        self.last_at = at
        if failure is None:
            self.late += took_s > LATE_S
            self.slowest_s = max(self.slowest_s, took_s)
            self._up(at)
        elif self.first_good_at is not None and self.down_since is None:
            self.down_since, self._what = at, failure

    def _up(self, at: float) -> None:
        self.good += 1
        if self.first_good_at is None:
            self.first_good_at = at
        if self.down_since is not None:
            length = at - self.down_since
            self.total_s += length
            self.longest_s = max(self.longest_s, length)
            if len(self.intervals) < LISTED:
                self.intervals.append({"from": self.down_since, "to": at, "what": self._what})
            self.down_since = None

    def report(self) -> dict[str, Any]:
        """Return the figures; `downtime_s` is None when there never was a good answer, for then nobody can know."""
        current = 0.0 if self.down_since is None else self.last_at - self.down_since
        lengths = {"longest": max(self.longest_s, current), "total": self.total_s + current}
        return {
            "asked": self.asked,
            "good": self.good,
            "late": self.late,
            "slowest_s": self.slowest_s,
            "first_good_at": self.first_good_at,
            "down_since": self.down_since,
            "downtime_s": None if self.first_good_at is None else lengths,
            "intervals": self.intervals,
        }


class Probe:
    """Asks one URL until stopped. A question without a complete answer for `timeout_s` had none."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url
        self._timeout_s = timeout_s
        self._downtime = Downtime()
        self._answers: dict[int, tuple[float, str | None, float]] = {}
        self._sent = 0
        self._next = 0
        self._stopping = False

    async def run(self) -> None:
        """Ask every 100 ms; a question that hangs does not delay the next. After `stop`, wait for the last answers."""
        loop = asyncio.get_running_loop()
        fresh = httpx.Limits(max_keepalive_connections=0)
        async with (
            httpx.AsyncClient(
                timeout=None, trust_env=False, limits=fresh, verify=_verify(self.url)
            ) as client,  # nosec B113  # each request has a deadline of its own
            asyncio.TaskGroup() as questions,
        ):
            start = loop.time()
            while not self._stopping:
                await asyncio.sleep(max(0.0, start + self._sent * INTERVAL_S - loop.time()))
                questions.create_task(self._ask(client, self._sent))
                self._sent += 1

    def stop(self) -> None:
        """Ask no more."""
        self._stopping = True

    def report(self) -> dict[str, Any]:
        """Return what is known by now. `unanswered`: questions that wait for their answer or for that of one before."""
        return {"url": self.url, **self._downtime.report(), "unanswered": self._sent - self._downtime.asked}

    async def _ask(self, client: httpx.AsyncClient, number: int) -> None:
        at, began = time.time(), time.monotonic()
        failure: str | None
        try:
            async with asyncio.timeout(self._timeout_s):
                status = (await client.get(self.url)).status_code
            failure = f"HTTP {status}" if status >= 500 else None
        except TimeoutError:
            failure = f"no complete answer within {self._timeout_s:g} s"
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {error}"
        self._answers[number] = (at, failure, time.monotonic() - began)
        while self._next in self._answers:
            self._downtime.add(*self._answers.pop(self._next))
            self._next += 1


def _verify(url: str) -> bool:
    # Reading the certificate authorities takes longer than the first answer.
    return url.startswith("https:")
