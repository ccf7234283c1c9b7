"""What became of the traffic: every request in exactly one class, and nothing silently left out."""

import json
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from host.errors import ToolError
from host.files import write_atomically
from traffic.profile import StreamKind

LISTED = 200
SERIES_S = 3_600
# Set by Envoy on every answer that came from an app, and on none of its own.
FROM_APP = "x-envoy-upstream-service-time"


class Outcome(StrEnum):
    """How a request ended."""

    OK = "ok"
    APP_ERROR = "app_error"
    LOST = "lost"


def classify(status: int, headers: Mapping[str, str]) -> Outcome:
    """Class a complete answer: an error without the mark of the app was made by the router, so the request was lost.

    Below 500 that can be told only of Envoy, which names itself; a 404 of its own means that it has no routes.
    """
    if FROM_APP in headers:
        return Outcome.APP_ERROR if status >= 500 else Outcome.OK
    by_router = status >= 500 or (status >= 400 and headers.get("server") == "envoy")
    return Outcome.LOST if by_router else Outcome.OK


class Latencies:
    """Percentiles in bounded memory: buckets 2 % wide."""

    _BASE = math.log(1.02)

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one answer."""
        self._buckets[math.ceil(math.log(max(seconds * 1000, 0.01)) / self._BASE)] += 1

    def percentile_ms(self, percent: float) -> float | None:
        """Return the upper bound, in ms, of the bucket in which this percentile lies; None without any answer."""
        wanted = math.ceil(self._buckets.total() * percent / 100)
        for bucket, count in sorted(self._buckets.items()):
            wanted -= count
            if wanted <= 0:
                return float(f"{math.exp(bucket * self._BASE):.3g}")
        return None

    def report(self) -> dict[str, float | None]:
        """Return the usual three."""
        return {f"p{percent}": self.percentile_ms(percent) for percent in (50, 95, 99)}


@dataclass
class Counts:
    """One request's name, or all of them. `abandoned`: still under way when the run was ended from outside."""

    sent: int = 0
    not_sent: int = 0
    abandoned: int = 0
    ends: Counter[Outcome] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)

    def report(self) -> dict[str, Any]:
        """Return the figures; sent = ok + app_error + lost + in_flight + abandoned."""
        ends = {outcome.value: self.ends[outcome] for outcome in Outcome}
        return {
            "sent": self.sent,
            **ends,
            "not_sent": self.not_sent,
            "in_flight": self.sent - self.ends.total() - self.abandoned,
            "abandoned": self.abandoned,
            "statuses": dict(self.statuses),
            "latency_ms": self.latencies.report(),
        }


@dataclass
class StreamCounts:
    """One kind of stream. `broken`: ended without a proper end; `refused`: attempts that did not open it."""

    kind: StreamKind
    connections: int
    open: int = 0
    opened: int = 0
    reopened: int = 0
    ended_cleanly: int = 0
    broken: int = 0
    refused: int = 0


class Tally:
    """All figures of one run. Times at which something happened are seconds since the epoch."""

    def __init__(self) -> None:
        self.started_at = time.time()
        self.totals = Counts()
        self.names: dict[str, Counts] = {}
        # How long after they were due requests were really sent: large when this machine cannot keep up with the rate.
        self.lateness = Latencies()
        # How long no request was due because enough were under way.
        self.held_back_s = 0.0
        self.streams: dict[str, StreamCounts] = {}
        self._lost: list[dict[str, Any]] = []
        self._stream_ends: list[dict[str, Any]] = []
        self._series: OrderedDict[int, Counter[str]] = OrderedDict()

    def sent(self, name: str) -> None:
        """Count a request that starts now."""
        for counts in self._both(name):
            counts.sent += 1
        self._second()["sent"] += 1

    def not_sent(self, name: str) -> None:
        """Count an arrival for which there was no room: a failure of the run, not of the service."""
        for counts in self._both(name):
            counts.not_sent += 1

    def answered(self, name: str, status: int, headers: Mapping[str, str], started_at: float, latency_s: float) -> None:
        """Count a complete answer."""
        outcome = classify(status, headers)
        for counts in self._both(name):
            counts.statuses[str(status)] += 1
            counts.latencies.add(latency_s)
        self._end(name, outcome)
        if outcome is Outcome.LOST:
            self._list(name, f"HTTP {status} without {FROM_APP}: made by the router", started_at)

    def lost(self, name: str, what: str, started_at: float) -> None:
        """Count a request without a complete answer."""
        self._end(name, Outcome.LOST)
        self._list(name, what, started_at)

    def abandoned(self, name: str) -> None:
        """Count a request that we gave up ourselves because the run was ended."""
        for counts in self._both(name):
            counts.abandoned += 1

    def stream_ended(self, name: str, how: str, what: str) -> None:
        """Note one of the first ends of streams (`how`: ended_cleanly, broken, refused) and count it."""
        counts = self.streams[name]
        setattr(counts, how, getattr(counts, how) + 1)
        if len(self._stream_ends) < LISTED:
            self._stream_ends.append({"at": time.time(), "name": name, "how": how, "what": what})

    @property
    def clean(self) -> bool:
        """Whether nothing was lost and everything that was due was sent."""
        return self.totals.ends[Outcome.LOST] == 0 and self.totals.not_sent == 0

    def report(self) -> dict[str, Any]:
        """Return everything, ready for JSON. `series` holds the last hour."""
        now = time.time()
        columns = ("sent", *Outcome)
        return {
            "started_at": self.started_at,
            "updated_at": now,
            "seconds": now - self.started_at,
            "clean": self.clean,
            "totals": self.totals.report(),
            "sent_late_ms": self.lateness.report(),
            "held_back_s": round(self.held_back_s, 1),
            "requests": {name: counts.report() for name, counts in self.names.items()},
            "streams": {name: vars(counts) for name, counts in self.streams.items()},
            "stream_ends": self._stream_ends,
            "lost": self._lost,
            "series": [
                {"at": second, **{str(column): counts[column] for column in columns}}
                for second, counts in self._series.items()
            ],
        }

    def _both(self, name: str) -> tuple[Counts, Counts]:
        return self.totals, self.names.setdefault(name, Counts())

    def _end(self, name: str, outcome: Outcome) -> None:
        for counts in self._both(name):
            counts.ends[outcome] += 1
        self._second()[outcome] += 1

    def _list(self, name: str, what: str, started_at: float) -> None:
        if len(self._lost) < LISTED:
            self._lost.append({"at": time.time(), "name": name, "what": what, "started_at": started_at})

    def _second(self) -> Counter[str]:
        second = int(time.time())
        counts = self._series.setdefault(second, Counter())
        if len(self._series) > SERIES_S:
            self._series.popitem(last=False)
        return counts


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Replace the report at once, so that a reader never sees half of one. Raises ToolError if it cannot be written."""
    if not path.parent.is_dir():
        raise ToolError(f"traffic: cannot write {path}: {path.parent} is no directory")
    try:
        write_atomically(path, json.dumps(report, indent=1).encode())
    except OSError as error:
        raise ToolError(f"traffic: cannot write {path}: {error.strerror}") from error
