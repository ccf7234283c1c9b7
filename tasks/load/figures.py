"""From what was recorded and sampled to figures that can be judged, and drawn beside later ones."""

import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from pydantic import ValidationError

from evidence.history import Record
from gates.checks.contention import Waited, disturbed
from gates.checks.histograms import Estimate
from gates.checks.performance import CPU, MEMORY, QUERY_P95, Figures, Limits, Trend
from gates.checks.quantiles import nearest_rank
from settings.pipeline import Performance
from tasks.load.processes import Sample
from tasks.load.records import Recorded, Request

MB = 1_000_000
KEPT_PERCENTS = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 99.5, 99.9)
# Processor time is counted up, so that two samples tell what was used between them, however far apart. They must lie
# so much of the time apart in which all users were there.
LEAST_SEEN = 0.5
# A load average above this share of the processors, before the test, is worth a word; so is a locust that is busier.
BUSY_BEFORE = 0.5
BUSY_LOCUST = 0.8
# A load that lasted so many seconds longer than stated went on for its requests.
WENT_ON_S = 1.5
FEWEST_FOR_P95 = 20
SHOWN_SLOW = 5


@dataclass(frozen=True)
class Measured:
    """One load test, raw. `load_before` is the machine's load average (1 minute) before it; `query_p95` is None when
    there is none, and `query_reason` says why. `waited` is how much others kept it waiting meanwhile.
    """

    recorded: Recorded
    samples: Sequence[Sample]
    load_before: float
    query_p95: Estimate | None = None
    query_reason: str = ""
    waited: Sequence[Waited] = ()
    processors: int = field(default_factory=lambda: os.cpu_count() or 1)

    @property
    def latencies_s(self) -> list[float]:
        """Return what the requests took, in seconds, ascending; a clock that did not move counts as a microsecond."""
        return sorted(max(one.milliseconds / 1000, 1e-6) for one in self.recorded.requests)

    def window(self) -> Sequence[Sample]:
        """Return the samples taken while all users were there."""
        ending = self.recorded.ending
        if not ending.full_load_at:
            return []
        return [one for one in self.samples if ending.full_load_at <= one.at <= ending.stopped_at]

    @property
    def typical_s(self) -> float:
        """Return what a request took: the median, above 0. Without any request a hundredth of a second."""
        latencies = self.latencies_s
        return max(1e-6, nearest_rank(latencies, 0.5)) if latencies else 0.01

    def used(self) -> tuple[float, float, float] | None:
        """Return the processors that the app, the load generator and all others (not the app's database) used under
        full load; None when it was not looked at for LEAST_SEEN of that time.
        """
        window, ending = self.window(), self.recorded.ending
        seconds = window[-1].at - window[0].at if window else 0.0
        if not seconds or seconds < LEAST_SEEN * (ending.stopped_at - ending.full_load_at):
            return None
        first, last = window[0], window[-1]
        app, load = last.app_cpu_s - first.app_cpu_s, last.load_cpu_s - first.load_cpu_s
        others = last.machine_cpu_s - first.machine_cpu_s - app - load - (last.database_cpu_s - first.database_cpu_s)
        return app / seconds, load / seconds, max(0.0, others) / seconds


def limits_of(performance: Performance) -> Limits:
    """Return the gate's limits as config/pipeline.toml has them."""
    return Limits(
        max_api_p95_s=performance.max_api_p95_seconds,
        max_query_p95_s=performance.max_query_p95_seconds,
        max_memory_mb=performance.max_memory_mb,
        cpu_cores=performance.cpu_cores,
        max_cpu_percent=performance.max_cpu_percent,
        max_error_rate=performance.max_error_rate,
        min_requests=performance.min_requests,
        query_metric=performance.query_metric,
    )


def figures(measured: Measured, performance: Performance) -> Figures:
    """Return the figures that the gate judges."""
    requests, ending = measured.recorded
    latencies = measured.latencies_s
    used = measured.used()
    memory = max((one.memory_bytes for one in measured.samples), default=0)
    return Figures(
        requests=len(requests),
        failed=sum(not one.good for one in requests),
        p95_s=nearest_rank(latencies, 0.95) if latencies else None,
        memory_mb=memory / MB if memory else None,
        cpu_percent=100 * used[0] / performance.cpu_cores if used else None,
        query_p95=measured.query_p95,
        users=ending.users if ending.full_load_at else 0,
        asked_users=performance.users,
        user_errors=ending.user_errors,
        first_user_error=ending.first_user_error,
        first_failure=ending.first_failure,
        late=sum(not one.good and one.milliseconds >= 1000 * performance.max_api_p95_seconds for one in requests),
        disturbed=disturbed(measured.waited) or "",
        reasons={
            QUERY_P95: measured.query_reason,
            MEMORY: "no process of the app could be looked at",
            CPU: f"it was looked at for less than {LEAST_SEEN:.0%} of the time in which all users were there",
        },
    )


def trend_of(measured: Measured, performance: Performance, locustfile: Path) -> Trend | None:
    """Return what is kept of this run, for the picture of later ones; None without a request or a look at its use."""
    latencies = measured.latencies_s
    used = measured.used()
    if not latencies or used is None:
        return None
    memory = max((one.memory_bytes for one in measured.samples), default=0)
    return Trend(
        load=stated_load(performance, locustfile),
        machine=this_machine(),
        requests_per_second=len(latencies)
        / (measured.recorded.ending.stopped_at - measured.recorded.ending.started_at),
        memory_mb=memory / MB,
        cpu_percent=100 * used[0] / performance.cpu_cores,
        quantiles_s={f"{percent:g}": nearest_rank(latencies, percent / 100) for percent in KEPT_PERCENTS},
    )


def stated_load(performance: Performance, locustfile: Path) -> str:
    """Return in words which load it was."""
    digest = hashlib.sha256(locustfile.read_bytes()).hexdigest()[:12]
    return (
        f"{performance.users} users at {performance.spawn_rate:g} a second for {performance.duration_seconds:g} s, "
        f"locustfile {digest}"
    )


def this_machine() -> str:
    """Return what this machine is, as far as it matters to speed."""
    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    memory_gb = round(psutil.virtual_memory().total / 1e9)
    return f"{os.cpu_count()} x {model or 'unknown processor'}, {platform.machine()}, {memory_gb} GB"[:300]


def read_trends(records: Sequence[Record]) -> list[Trend]:
    """Return the earlier runs that can be read, newest first; a record of another format is none."""
    found = []
    for record in records:
        try:
            found.append(Trend.model_validate(dict(record.data)))
        except ValidationError:
            continue
    return found


def trend_data(file: Path) -> Mapping[str, Any]:
    """Return what to remember (evidence/history, kind "load") from a check's file "trend"."""
    return Trend.model_validate_json(file.read_bytes()).model_dump(mode="json")


def notes_on(measured: Measured, performance: Performance) -> list[str]:
    """Return what a reader of the figures must know: contention, a generator at its end, slow endpoints."""
    notes = []
    average = measured.load_before
    if average > BUSY_BEFORE * measured.processors:
        notes.append(f"the machine was busy before: load average {average:.2f} on {measured.processors} processors")
    if why := disturbed(measured.waited):
        notes.append(f"{why}: its own times are shorter")
    lasted_s = measured.recorded.ending.stopped_at - measured.recorded.ending.started_at
    if lasted_s > run_time_s(performance) + WENT_ON_S:
        notes.append(
            f"the load went on for {lasted_s:.0f} s, until all users and {performance.min_requests} requests were there"
        )
    used = measured.used()
    if used:
        _, load, others = used
        if others > BUSY_BEFORE * measured.processors / 2:
            notes.append(f"other processes used {others:.2f} of {measured.processors} processors during the test")
        if load > BUSY_LOCUST:
            notes.append(f"locust itself used {load:.0%} of a processor: latencies may be its own")
    return [*notes, *_slow_by_themselves(measured.recorded.requests, performance.max_api_p95_seconds)]


def _slow_by_themselves(requests: Sequence[Request], limit_s: float) -> list[str]:
    slow = []
    for name, latencies in by_endpoint(requests).items():
        p95 = nearest_rank(latencies, 0.95)
        if len(latencies) >= FEWEST_FOR_P95 and p95 >= limit_s:
            slow.append((p95, f"{name}: p95 {p95:.3g} s by itself, over {len(latencies)} requests"))
    return [told for _, told in sorted(slow, reverse=True)[:SHOWN_SLOW]]


def by_endpoint(requests: Sequence[Request]) -> dict[str, list[float]]:
    """Return the latencies of each endpoint ("GET /path"), in seconds, ascending."""
    found: dict[str, list[float]] = {}
    for one in requests:
        found.setdefault(f"{one.method} {one.name}", []).append(one.milliseconds / 1000)
    return {name: sorted(latencies) for name, latencies in sorted(found.items())}


def as_json(trend: Trend) -> str:
    """Return the file "trend" of a check."""
    return json.dumps(trend.model_dump(mode="json"), sort_keys=True)


def run_time_s(performance: Performance) -> int:
    """Return the duration as locust takes it, in whole seconds."""
    return math.ceil(performance.duration_seconds)
