"""What Prometheus reads from `/metrics`."""

import time
from collections import deque
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector


class ErrorRate:
    """The share of answers of the last `window_s` seconds that were 5xx; 0 without answers."""

    def __init__(self, window_s: int = 60, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._seconds: deque[list[int]] = deque()  # [second, answers, errors]

    def record(self, status: int) -> None:
        second = self._forget()
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += status >= 500

    def value(self) -> float:
        self._forget()
        answers = sum(entry[1] for entry in self._seconds)
        return sum(entry[2] for entry in self._seconds) / answers if answers else 0.0

    def _forget(self) -> int:
        now = int(self._clock())
        while self._seconds and self._seconds[0][0] <= now - self._window_s:
            self._seconds.popleft()
        return now


class Metrics:
    """One registry an application, so that tests can make many applications."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        # Resident memory, CPU seconds, open files and start time of this process.
        ProcessCollector(registry=registry)
        self.error_rate = ErrorRate()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, registry=registry)

        by = ("method", "route", "status")
        self.requests = counter("http_requests_total", "Answers", *by)
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Time to the end of the answer; of an event stream: to its start",
            by,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=registry,
        )
        gauge("http_error_rate", "Share of 5xx in 60 s").set_function(self.error_rate.value)
        self.query_time = Histogram(
            "db_query_duration_seconds",
            "Time of one statement",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.pool_in_use = gauge("db_pool_connections_in_use", "Checked out")
        self.in_flight = gauge("http_requests_in_flight", "Now running, event streams included")
        self.streams = gauge("event_streams_open", "Open event streams")
        self.registrations = counter("assistant_registrations_total", "Accounts made")
        self.logins = counter("assistant_logins_total", "Attempts to log in", "result")
        self.sms = counter("assistant_sms_total", "Inbound messages", "result")
        self.oauth = counter("assistant_oauth_status_total", "Became so", "provider", "status")
        self.tasks_completed = counter("assistant_tasks_completed_total", "Tasks done")

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.duration.labels(method, route, str(status)).observe(seconds)
        self.error_rate.record(status)
