"""Seconds of each hop from a fault in the live app to the version before serving again: Prometheus -> Alertmanager ->
receiver -> Prefect's automation -> rollback. A part of `make bench`, in an installation of its own in which the demo
was run. Or on one that runs with monitoring, which people must not use:

    SLIPWAY_SCRAPE_SECONDS=2 SLIPWAY_EVALUATION_SECONDS=2 make up MONITORING=1
    python -m benchmarks.alert_chain [errors latency database database-by-alert]

For each fault it releases a version to production that behaves until it is told otherwise (it approves that release
itself, and says so), sends traffic, injects the fault, and follows the chain at its own interfaces. The version is
condemned at the end, as any that was rolled back. `watch` sees a lost database before the alert has waited out its
20 s; in database-by-alert `watch` is stopped meanwhile, so that the alert must do it.
"""

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.table import Table

from benchmarks.faulty_app import FAULTS, command
from cli.demo.main import DEMO_SETTINGS
from cli.main import load_overrides
from cli.screen import console, fail, say
from control.monitoring_stack import SERVICES, MonitoringStack
from control.plane import WATCH
from deployments.environment import Environment
from deployments.journal.entries import EventKind, OperationBegun, RoutingConfirmed
from deployments.journal.ledger import Ledger
from evidence.bundle import Run, read_bundle
from gates.release.operation import OperationKind, Outcome
from host.errors import ConfigError, ServerAway, SlipwayError, ToolError
from host.home import Home
from host.ports import free_port
from settings.monitoring import read_monitoring
from tests.installation import Installation

Answer = TypeVar("Answer")
TRAFFIC_PER_S = 20.0
LOOK_S = 0.1
LONGEST_S = 600.0
LIKE = "v2"  # the demo's
BY_ALERT = "-by-alert"
CASES = (*FAULTS, f"database{BY_ALERT}")
OFTEN = {"SLIPWAY_SCRAPE_SECONDS": "2", "SLIPWAY_EVALUATION_SECONDS": "2"}
HOPS = (
    "Prometheus: the alert is pending",
    "Prometheus: it fires",
    "Alertmanager has it",
    "receiver: slipway.unhealthy in Prefect",
    "automation: a run is created",
    "worker: the run begins",
    "rollback: the lease is taken, the operation begins",
    "the router confirms the version before",
    "rollback ended",
)


@dataclass
class Chain:
    """What happened of one fault: hop -> seconds since the fault. `first`: who told Prefect first."""

    fault: str
    alert: str = ""
    first: str = ""
    outcome: str = ""
    at: dict[str, float] = field(default_factory=dict)


class Traffic:
    """Asks production's pages steadily, each request on its own; what comes of them is the chain's business."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(int(TRAFFIC_PER_S * 5))]
        self._due = threading.Semaphore(0)

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._pace, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._due.release(len(self._threads))
        for thread in self._threads:
            thread.join(15)

    def _pace(self) -> None:
        while not self._stop.wait(1 / TRAFFIC_PER_S):
            self._due.release()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=10, trust_env=False) as client:
            while not self._stop.is_set():
                self._due.acquire()
                try:
                    client.get("/")
                except httpx.HTTPError:
                    continue


class Bench:
    """One installation, followed."""

    def __init__(self, home: Home) -> None:
        self.installation = Installation(home.root)
        stack = MonitoringStack(home, read_monitoring())
        for service in ("prometheus", "alertmanager"):
            if not stack.answers(service):
                raise ConfigError(f"{service} does not answer at {stack.url(service)}; run: make up MONITORING=1")
        self._prometheus, self._alertmanager = stack.url("prometheus"), stack.url("alertmanager")
        self._http = stack.http()

    @property
    def place(self) -> Environment:
        return self.installation.place()

    def run(self, fault: str) -> Chain:
        """Release, break, follow; `fault` is one of CASES. Raises ToolError if a hop does not come."""
        version, digest = self._release()
        chain = Chain(fault)
        with Traffic(self.place.url), self._without_watch() if fault.endswith(BY_ALERT) else nullcontext():
            time.sleep(75)  # the alerts judge a minute that is all the version's own
            say(f"{fault}: {version} is live; injecting the fault")
            slot = self.place.ledger().slots[self.place.ledger().live.slot]  # type: ignore[union-attr]
            began, kind = time.time(), fault.removesuffix(BY_ALERT)
            self._http.post(f"{slot.endpoints[0].url}/__fault", content=kind.encode()).raise_for_status()
            self._follow(chain, digest, began)
        return chain

    @contextmanager
    def _without_watch(self) -> Iterator[None]:
        supervisor = self.installation.control.supervisor
        supervisor.stop(WATCH)
        try:
            yield
        finally:
            supervisor.start(WATCH)

    def _release(self) -> tuple[str, str]:
        # Not what is live: after the demo's rollback that is older than the schema, and could not be migrated.
        store = self.place.store
        alike = (one for one in map(partial(read_bundle, store), store.artifacts()) if one.version == LIKE)
        old = next(alike, None)
        if old is None or self.place.ledger().live is None:
            raise ConfigError(f"production: nothing is live, or there is no {LIKE}; run the demo here first")
        run = Run.model_validate({**old.run.model_dump(), "command": command(old.run.command)})
        version, digest = self.installation.new_version(like=LIKE, run=run)
        say(f"releasing {version} to production; this bench answers its question as the demo's approver")
        started = _patiently(lambda: self.installation.release(version))
        _patiently(lambda: self.installation.approve(started))
        state, message = _patiently(lambda: self.installation.ended(started))
        if state != "Promoted":
            raise ToolError(f"the faulty version was not promoted: {state}: {message}")
        return version, digest

    def _follow(self, chain: Chain, digest: str, began: float) -> None:
        looks: dict[str, Callable[[], float | None]] = {
            HOPS[0]: lambda: self._alert(chain, digest, ("pending", "firing")),
            HOPS[1]: lambda: self._alert(chain, digest, ("firing",)),
            HOPS[2]: lambda: self._told(digest),
            HOPS[3]: lambda: self._event(chain, digest),
            HOPS[4]: lambda: self._rollback(digest, "created"),
            HOPS[5]: lambda: self._rollback(digest, "start_time"),
            HOPS[6]: lambda: self._journal(digest, EventKind.BEGIN),
            HOPS[7]: lambda: self._journal(digest, EventKind.ROUTED),
            HOPS[8]: lambda: self._ended(chain, digest),
        }
        while HOPS[8] not in chain.at:
            if time.time() - began > LONGEST_S:
                raise ToolError(f"{chain.fault}: {self._missing(chain)} did not come within {LONGEST_S:g} s")
            for hop, look in looks.items():
                if hop not in chain.at and (at := _seen(look)) is not None:
                    chain.at[hop] = at - began
            time.sleep(LOOK_S)

    @staticmethod
    def _missing(chain: Chain) -> str:
        return next(hop for hop in HOPS if hop not in chain.at)

    def _alert(self, chain: Chain, digest: str, states: Sequence[str]) -> float | None:
        found = self._http.get(f"{self._prometheus}/api/v1/alerts").json()["data"]["alerts"]
        for one in found:
            if one["labels"].get("digest") == digest and one["state"] in states:
                chain.alert = chain.alert or one["labels"]["alertname"]
                return time.time()
        return None

    def _told(self, digest: str) -> float | None:
        found = self._http.get(f"{self._alertmanager}/api/v2/alerts").json()
        return time.time() if any(one["labels"].get("digest") == digest for one in found) else None

    def _event(self, chain: Chain, digest: str) -> float | None:
        wanted = {"event": {"name": ["slipway.unhealthy"]}, "order": "DESC"}
        found = self.installation.api.call("POST", "/events/filter", {"filter": wanted, "limit": 20}) or {}
        mine = [one for one in found.get("events", ()) if one["payload"].get("digest") == digest]
        if not mine:
            return None
        first = min(mine, key=lambda one: str(one["occurred"]))
        chain.first = str(first["resource"].get("slipway.source", ""))
        return _epoch(first["occurred"])

    def _rollback(self, digest: str, moment: str) -> float | None:
        query = {"flows": {"name": {"any_": ["rollback"]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 20}
        found: list[dict[str, Any]] = self.installation.api.call("POST", "/flow_runs/filter", query) or []
        mine = [one for one in found if one["parameters"].get("condemn") == digest and one.get(moment)]
        return min((_epoch(one[moment]) for one in mine), default=None)

    def _journal(self, digest: str, kind: EventKind) -> float | None:
        """Return when the rollback from a digest began, or when the router confirmed another one after that."""
        begun = None
        ledger = Ledger()
        for entry in self.place.journal.entries():
            change = ledger.add(entry)
            event = change.event if change else None
            if isinstance(event, OperationBegun) and event.operation == OperationKind.ROLLBACK:
                begun = entry.time if event.before and event.before.digest == digest else None
            routed = isinstance(event, RoutingConfirmed) and event.live is not None and event.live.digest != digest
            if begun and kind is EventKind.ROUTED and routed:
                return entry.time.timestamp()
        return begun.timestamp() if begun and kind is EventKind.BEGIN else None

    def _ended(self, chain: Chain, digest: str) -> float | None:
        ledger: Ledger = self.place.ledger()
        last = ledger.operations[-1]
        mine = last.kind == OperationKind.ROLLBACK and last.before is not None and last.before.version.digest == digest
        if not mine or last.ended is None:
            return None
        chain.outcome = last.outcome or ""
        return last.ended.timestamp()


def _seen(look: Callable[[], float | None]) -> float | None:
    """Look once; who does not answer now is asked again at the next look."""
    try:
        return look()
    except (ServerAway, httpx.HTTPError):
        return None


def _patiently(act: Callable[[], Answer]) -> Answer:
    """Do something until the Prefect server takes it: on a busy machine it may need more than one call's time."""
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            return act()
        except ServerAway:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def run(faults: Sequence[str] = ()) -> list[Chain]:
    """Run the demo in a home of its own with monitoring, and follow each fault there. Everything is removed after.

    Raises ToolError if the demo or the start did not end well, or a hop did not come.
    """
    before = dict(os.environ)
    home = Home(Path(tempfile.mkdtemp(prefix="slipway-bench-")))
    programs = ("PREFECT", "RECEIVER", "EXPORTER", "DEVELOPMENT", "STAGING", "PRODUCTION", *map(str.upper, SERVICES))
    os.environ |= {**DEMO_SETTINGS, "SLIPWAY_HOME": str(home.root), **OFTEN}
    os.environ |= {f"SLIPWAY_{name}_PORT": str(free_port()) for name in programs}
    installation = Installation(home.root)
    try:
        for words in (("demo",), ("up", "--monitoring")):
            done = installation.slipway(*words, timeout_s=LONGEST_S * 2)
            if done.returncode:
                raise ToolError(f"slipway {' '.join(words)} ended with {done.returncode}: {done.stdout[-1500:]}")
        bench = Bench(home)
        return [bench.run(fault) for fault in faults or CASES]
    finally:
        installation.slipway("down")
        stack = MonitoringStack(home, read_monitoring())
        with suppress(ToolError):
            stack.engine.remove(stack.containers())
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(home.root, ignore_errors=True)


def table(chains: Sequence[Chain]) -> Table:
    """Return the seconds since the fault, and the seconds of each hop."""
    made = Table(
        title="From a fault to the version before, seconds since the fault (and of the hop)", title_justify="left"
    )
    made.add_column("")
    for chain in chains:
        made.add_column(f"{chain.fault} ({chain.alert or '-'})", justify="right")
    for hop in HOPS:
        made.add_row(hop, *(_cell(chain, hop) for chain in chains))
    made.add_row("told first by", *(chain.first or "-" for chain in chains))
    made.add_row("outcome", *(chain.outcome or "-" for chain in chains))
    return made


def _cell(chain: Chain, hop: str) -> str:
    if hop not in chain.at:
        return "not seen"
    before = [chain.at[one] for one in HOPS[: HOPS.index(hop)] if one in chain.at]
    return f"{chain.at[hop]:.1f} ({chain.at[hop] - (before[-1] if before else 0):+.1f})"


def main(faults: Sequence[str]) -> int:
    """Run the faults in turn and print the table; 1 when a hop did not come or something else serves at the end."""
    load_overrides()
    if unknown := set(faults) - set(CASES):
        fail(f"unknown fault {sorted(unknown)[0]}, expected any of: {', '.join(CASES)}")
        return 2
    chains: list[Chain] = []
    try:
        bench = Bench(Home.find())
        for fault in faults or CASES:
            chains.append(bench.run(fault))
    except (SlipwayError, AssertionError) as error:
        fail(str(error))
        return 1
    finally:
        if chains:
            console.print(table(chains))
    return 0 if all(chain.outcome == Outcome.ROLLED_BACK for chain in chains) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
