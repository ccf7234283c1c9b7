"""What a running Envoy says of itself over its admin socket. Reads only."""

import json
import math
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deployments.router.bootstrap import CERTIFICATE
from deployments.router.challenges import FILE as CHALLENGES_FILE
from deployments.router.challenges import REDIRECT
from deployments.router.routes import ROUTES, STAT_PREFIX, endpoints_of
from gates.release.analysis import SlotCounters
from host.errors import RouterError
from host.http import TooLarge, local_client, read_at_most
from host.ports import Endpoints
from host.prometheus_text import metric_families
from host.wait import wait_for

ANSWER_TIMEOUT_S = 10.0
WHOLE_ANSWER_S, LONGEST_ANSWER_BYTES = 60.0, 20_000_000
STAT_ROOTS = {
    "cds.json": "cluster_manager.cds",
    "rds.json": f"http.{STAT_PREFIX}.rds.{ROUTES}",
    "sds.json": f"sds.{CERTIFICATE}",
    CHALLENGES_FILE: f"http.{REDIRECT}.rds.{REDIRECT}",
}
ROUTING = ("cds.json", "rds.json")
# What comes of an answer that is not Envoy's: of somebody who took its place.
UNUSABLE = (
    *(httpx.HTTPError, TooLarge, ValueError, LookupError, TypeError, AttributeError, OverflowError),
    RecursionError,
)
SLOT_STATS = r"^cluster\.[^.]+\.(upstream_rq_.xx|upstream_rq_time|upstream_rq_active|upstream_cx_connect_fail)$"

# What is worth keeping over time: of the slots, of the public listener, of Envoy itself.
EXPORTED_STATS = (
    r"^cluster\.[^.]+\.(upstream_rq_.xx|upstream_rq_time|upstream_rq_active|upstream_rq_total|upstream_rq_retry"
    r"|upstream_cx_active|upstream_cx_connect_fail)$"
    rf"|^http\.{STAT_PREFIX}\.(downstream_rq_.xx|downstream_rq_time|downstream_rq_active|downstream_rq_total"
    r"|downstream_cx_active)$"
    r"|^server\.(live|uptime|memory_allocated|memory_physical_size)$"
)


@dataclass(frozen=True)
class FileStatus:
    """What Envoy made of one file: the version in effect; how often it took or refused one since it started."""

    version: str
    accepted: int
    refused: int


class Admin:
    """Questions to one Envoy. Use `connect`.

    Each raises RouterError without a usable answer: a piece within 10 s, the whole within a minute, at most 20 MB.
    """

    def __init__(self, client: httpx.Client, socket: Path) -> None:
        self._client = client
        self.socket = socket

    def status(self) -> dict[str, FileStatus]:
        """Return file name -> status; a file that Envoy has not taken has the version ""."""
        roots = "|".join(root.replace(".", r"\.") for root in STAT_ROOTS.values())
        wanted = rf"^({roots})\.(version_text|update_(success|rejected|failure))$"
        with self._asking():
            stats = self._stats(wanted)
            return {name: _status(stats, root) for name, root in STAT_ROOTS.items()}

    def version(self) -> str | None:
        """Return the version of clusters and routes in effect; None when they differ or there is none yet."""
        status = self.status()
        versions = {status[name].version for name in ROUTING}
        return (versions.pop() or None) if len(versions) == 1 else None

    def running(self) -> dict[str, Endpoints]:
        """Return slot -> backends of the clusters in effect."""
        with self._asking():
            answer = json.loads(self._get("/clusters", format="json"))
            # JSON of Envoy's leaves a list out that is empty
            found = answer.get("cluster_statuses", [])
            return {item["name"]: endpoints_of(item.get("host_statuses", [])) for item in found}

    def counters(self) -> dict[str, SlotCounters]:
        """Return slot -> counters for every slot that has a cluster. Times lag by up to 1 s (the flush interval)."""
        with self._asking():
            text = self._get("/stats/prometheus", filter=SLOT_STATS)
            found = {slot: _Tally() for slot in self.running()}
            for family in metric_families(text):
                for sample in family.samples:
                    slot = sample.labels.get("envoy_cluster_name", "")
                    if slot in found:
                        found[slot].add(sample.name, sample.labels, sample.value)
            return {slot: tally.counters() for slot, tally in found.items()}

    def exported(self) -> str:
        """Return what Prometheus is to read, in its text format."""
        with self._asking():
            return self._get("/stats/prometheus", filter=EXPORTED_STATS)

    def active(self, slot: str) -> int:
        """Return how many requests the slot's backend is working on, streams included. RouterError: no such slot."""
        name = f"cluster.{slot}.upstream_rq_active"
        with self._asking():
            stats = self._stats(f"^{name}$")
            if name not in stats:
                raise RouterError(f"router: no slot {slot!r} in its configuration; drain a slot before removing it")
            return _count(stats[name])

    def serving(self) -> tuple[int, int]:
        """Return how many requests and how many connections of the public it has now."""
        names = [f"http.{STAT_PREFIX}.downstream_{what}_active" for what in ("rq", "cx")]
        with self._asking():
            stats = self._stats("^(" + "|".join(map(re.escape, names)) + ")$")
            requests, connections = (_count(stats.get(name, "0")) for name in names)
            return requests, connections

    def leave(self) -> None:
        """Have it take new connections for its drain time only, and end those that are open with their next answer."""
        with self._asking():
            with self._client.stream("POST", "/drain_listeners", params={"graceful": ""}) as answer:
                answer.raise_for_status()

    def ready(self) -> bool:
        """Whether Envoy says that it is live; true also when it started on a refused file, so look at `version` too."""
        try:
            with self._client.stream("GET", "/ready") as answer:
                return answer.status_code == 200
        except httpx.HTTPError:
            return False

    def _get(self, path: str, **query: str) -> str:
        with self._client.stream("GET", path, params=query) as answer:
            return read_at_most(answer.raise_for_status(), LONGEST_ANSWER_BYTES).decode(errors="replace")

    def _stats(self, wanted: str) -> dict[str, str]:
        """Return the statistics that match a regular expression, as text."""
        lines = self._get("/stats", filter=wanted).splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Raise RouterError if there is no answer, or one that is not Envoy's."""
        try:
            yield
        except UNUSABLE as error:
            raise RouterError(
                f"router: no usable answer from its admin socket {self.socket} ({error or type(error).__name__}); "
                "is it running? See its log, then run: make up"
            ) from error


@contextmanager
def connect(socket: Path) -> Iterator[Admin]:
    """Open the admin socket for a few questions; nothing is sent yet."""
    # A socket on this host speaks no TLS; a context without authorities is made in no time, and would trust nobody.
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with local_client(ANSWER_TIMEOUT_S, socket, WHOLE_ANSWER_S, nobody, "http://envoy") as client:
        yield Admin(client, socket)


def wait_until_live(admin: Admin, deadline_s: float) -> None:
    """Wait until Envoy has read its files, for it may just be restarting. RouterError after `deadline_s`."""
    if not wait_for(admin.ready, deadline_s, every=0.05):
        raise RouterError(
            f"router: not live after {deadline_s:g} s on {admin.socket}, nothing was changed; "
            "see its log, then run: make up"
        )


def _status(stats: dict[str, str], root: str) -> FileStatus:
    def count(name: str) -> int:
        return _count(stats.get(f"{root}.{name}", "0"))

    return FileStatus(
        version=stats.get(f"{root}.version_text", "").strip('"'),
        accepted=count("update_success"),
        refused=count("update_rejected") + count("update_failure"),
    )


def _count(value: str | float) -> int:
    """Return a number of things. Raises ValueError or OverflowError for what is none: below 0, NaN, without end."""
    if (number := int(value)) < 0:
        raise ValueError(f"{number} is no number of things")
    return number


class _Tally:
    """Collects the samples of one slot."""

    def __init__(self) -> None:
        self.responses: dict[str, int] = {}
        self.buckets: dict[float, int] = {}
        self.plain: dict[str, int] = {}

    def add(self, name: str, labels: dict[str, str], value: float) -> None:
        if "envoy_response_code_class" in labels:
            self.responses[f"{labels['envoy_response_code_class']}xx"] = _count(value)
        elif "le" in labels:
            bound = float(labels["le"])
            if math.isnan(bound):
                raise ValueError(f"{name}: a bucket without a bound")
            self.buckets[bound] = _count(value)
        else:
            # The parser appends "_total" to the names of counters, as OpenMetrics does and Envoy does not.
            self.plain[name.removesuffix("_total")] = _count(value)

    def counters(self) -> SlotCounters:
        return SlotCounters(
            responses=self.responses,
            connect_failures=self.plain.get("envoy_cluster_upstream_cx_connect_fail", 0),
            active=self.plain.get("envoy_cluster_upstream_rq_active", 0),
            time_buckets_ms=tuple(sorted(self.buckets.items())),
        )
