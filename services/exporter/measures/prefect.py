"""What Prefect's API says, asked beside the scrapes: runs that wait, workers that live, the last `ci` and nightly."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prometheus_client.core import Metric

from control.prefect_api import PrefectApi
from services.exporter.measures import Kept, gauge
from settings.hosts import all_pools

MOST_RUNS = 200
# A run that should have begun is waiting, whether a worker has seen it or not.
STATES = {"SCHEDULED": "waiting", "PENDING": "waiting", "RUNNING": "running", "PAUSED": "paused"}
ENDED = ["COMPLETED", "FAILED", "CRASHED"]


@dataclass(frozen=True)
class Seen:
    """One look. `runs`: (pool, state) -> number; `workers`: (pool, name) -> last heartbeat, online.

    Times are of the end, in epoch seconds; None when there never was one.
    """

    runs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    workers: Mapping[tuple[str, str], tuple[float, bool]] = field(default_factory=dict)
    ci_green: float | None = None
    ci_ended: float | None = None
    ci_seconds: float | None = None
    ci_good: bool = True
    nightly: float | None = None


class PrefectMeasure:
    """Runs and workers of this installation."""

    name = "prefect"

    def __init__(self, api: PrefectApi, every_s: float) -> None:
        self._api = api
        self.kept: Kept[Seen] = Kept(self.name, every_s, self.look)

    def look(self) -> Seen:
        """Ask the server: some eight small questions. Raises ServerAway if it does not answer."""
        ended = self._newest("ci", "push", ENDED)
        green = self._newest("ci", "push", ["COMPLETED"])
        nightly = self._newest("security", "nightly", ["COMPLETED", "FAILED"])
        return Seen(
            runs=self._runs(),
            workers=self._workers(),
            ci_green=_end(green),
            ci_ended=_end(ended),
            ci_seconds=ended.get("total_run_time"),
            ci_good=ended.get("state_type", "COMPLETED") == "COMPLETED",
            nightly=_end(nightly),
        )

    def _runs(self) -> Mapping[tuple[str, str], int]:
        due = {"before_": datetime.now(UTC).isoformat()}
        wanted = {"state": {"type": {"any_": list(STATES)}}, "expected_start_time": due}
        found = self._api.call("POST", "/flow_runs/filter", {"flow_runs": wanted, "limit": MOST_RUNS}) or []
        counts = Counter((str(run.get("work_pool_name") or ""), STATES.get(run["state_type"], "")) for run in found)
        return {(pool, state): counts[pool, state] for pool in all_pools() for state in sorted(set(STATES.values()))}

    def _workers(self) -> Mapping[tuple[str, str], tuple[float, bool]]:
        found: dict[tuple[str, str], tuple[float, bool]] = {}
        for pool in all_pools():
            for one in self._api.call("POST", f"/work_pools/{pool}/workers/filter", {"limit": 50}) or []:
                if one.get("last_heartbeat_time"):
                    at = datetime.fromisoformat(one["last_heartbeat_time"]).timestamp()
                    found[pool, str(one["name"])] = (at, one.get("status") == "ONLINE")
        return found

    def _newest(self, flow: str, deployment: str, states: list[str]) -> Mapping[str, Any]:
        query = {
            "flows": {"name": {"any_": [flow]}},
            "deployments": {"name": {"any_": [deployment]}},
            "flow_runs": {"state": {"type": {"any_": states}}},
            "sort": "END_TIME_DESC",
            "limit": 1,
        }
        found = self._api.call("POST", "/flow_runs/filter", query) or []
        return found[0] if found else {}

    def collect(self) -> Iterator[Metric]:
        up = gauge("prefect_up", "Whether Prefect's API answered when it was asked last")
        if self.kept.looked:
            up.add_metric([], float(self.kept.value is not None))
        yield up
        if self.kept.value is not None:
            yield from _figures(self.kept.value)


def _figures(seen: Seen) -> Iterator[Metric]:
    runs = gauge("runs", "Runs that wait to begin, run, or wait for a person", "pool", "state")
    for labels, count in sorted(seen.runs.items()):
        runs.add_metric(labels, count)
    beat = gauge("worker_heartbeat_timestamp_seconds", "When a worker was heard of last", "pool", "worker")
    online = gauge("worker_online", "Whether the server takes a worker for alive", "pool", "worker")
    for labels, (at, alive) in sorted(seen.workers.items()):
        beat.add_metric(labels, at)
        online.add_metric(labels, float(alive))
    yield from (runs, beat, online)
    times = {
        "ci_last_green_timestamp_seconds": ("When ci/push was green last", seen.ci_green),
        "ci_last_end_timestamp_seconds": ("When ci/push ended last", seen.ci_ended),
        "ci_last_duration_seconds": ("How long that run took", seen.ci_seconds),
        "nightly_last_end_timestamp_seconds": ("When security/nightly ended last, whatever it found", seen.nightly),
        "ci_red": ("Whether the last run of ci/push was not green", float(not seen.ci_good)),
    }
    for name, (text, value) in times.items():
        if value is not None:
            made = gauge(name, text)
            made.add_metric([], value)
            yield made


def _end(run: Mapping[str, Any]) -> float | None:
    return datetime.fromisoformat(run["end_time"]).timestamp() if run.get("end_time") else None
