"""Whether what is live is healthy and the router does what the journal says, asked every few seconds."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import Metric

from deployments.environment import Environment
from deployments.journal.ledger import Ledger
from evidence.bundle import read_bundle
from gates.release.condition import Condition
from gates.release.health_rules import PLAIN, HealthRules
from host.errors import ArtifactError
from host.probe import examine
from services.exporter.measures import Kept, gauge
from services.exporter.measures.journal import JournalMeasure


@dataclass(frozen=True)
class Seen:
    """One look at one environment: path -> (good, seconds). `router`: it confirms the journal's configuration."""

    environment: str
    router: bool
    paths: tuple[tuple[str, bool, float], ...]


class HealthMeasure:
    """The public address of each environment that has something live."""

    name = "health"

    def __init__(self, journal: JournalMeasure, every_s: float) -> None:
        self._journal = journal
        self.kept: Kept[list[Seen]] = Kept(self.name, every_s, self.look)

    def look(self) -> list[Seen]:
        """Ask every environment once."""
        return [_look(one.place, one.ledger) for one in self._journal.read() if one.ledger.live]

    def collect(self) -> Iterator[Metric]:
        good = gauge("health", "Whether a health path says that all is well", "environment", "path")
        took = gauge("health_seconds", "How long its answer took", "environment", "path")
        router = gauge("router_confirmed", "Whether the router serves what the journal says", "environment")
        for seen in self.kept.value or ():
            router.add_metric([seen.environment], float(seen.router))
            for path, well, seconds in seen.paths:
                good.add_metric([seen.environment, path], float(well))
                took.add_metric([seen.environment, path], seconds)
        yield from (good, took, router)


def _look(place: Environment, ledger: Ledger) -> Seen:
    assert ledger.live is not None  # nosec B101  # the caller asks for no other
    expected = ledger.routing["version"] if ledger.routing else None
    try:
        run = read_bundle(place.store, ledger.live.version.digest).run
        paths, rules = run.health, place.health_rules(run)
    except ArtifactError:  # nobody can say where its health is asked: no figure
        paths, rules = (), PLAIN
    confirmed = expected is not None and place.router.version() == expected
    return Seen(place.name, confirmed, tuple(_ask(place, path, rules) for path in paths))


def _ask(place: Environment, path: str, rules: HealthRules) -> tuple[str, bool, float]:
    began = time.monotonic()
    # Slow is not bad here: LatencyHigh tells of that, from what users saw.
    seen = examine(place.url, path, rules)
    return path, seen.condition is not Condition.UNHEALTHY, time.monotonic() - began
