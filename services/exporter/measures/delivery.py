"""DORA's figures of each environment over the last weeks (docs/delivery.md), computed when a journal has grown."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from prometheus_client.core import Metric

from deployments.environment import Environment
from deployments.past_releases import commit_graph, read_past
from gates.delivery import Figure, deployments_of, dora_figures, first_arrivals
from host.home import Home
from services.exporter.measures import Kept, gauge

EVERY_S = 30.0
# A figure over weeks moves with time too, if slowly.
AT_LEAST_EVERY = timedelta(minutes=10)
NAMES = {
    "deployment frequency": ("delivery_deployments_per_day", "Deployments a day"),
    "lead time": ("delivery_lead_time_seconds", "Median time from commit to served"),
    "change failure rate": ("delivery_change_failure_ratio", "Share of deployments that failed"),
    "time to restore": ("delivery_restore_seconds", "Median time from a failure to a good version"),
    "rework rate": ("delivery_rework_ratio", "Share of deployments that repaired a failure"),
}


class DeliveryMeasure:
    """No data is no figure: a metric that is absent, never 0."""

    name = "delivery"

    def __init__(self, home: Home, places: Sequence[Environment], days: float) -> None:
        self.home, self.places, self.days = home, places, days
        self._figures: dict[str, tuple[Figure, ...]] = {}
        self._stamp: tuple[int, ...] = ()
        self._at = datetime.min.replace(tzinfo=UTC)
        self.kept: Kept[dict[str, tuple[Figure, ...]]] = Kept(self.name, EVERY_S, self.look)

    def look(self) -> dict[str, tuple[Figure, ...]]:
        """Compute the figures anew if anything was written since, or ten minutes passed. Raises JournalError."""
        now = datetime.now(UTC)
        files = [place.journal.file for place in self.places]
        stamp = tuple(file.stat().st_size if file.exists() else 0 for file in files)
        if stamp != self._stamp or now - self._at > AT_LEAST_EVERY:
            graph = commit_graph(self.home)
            since = now - timedelta(days=self.days)
            found = {}
            for place in self.places:
                operations = read_past(place).operations
                arrivals, _ = first_arrivals(operations, graph)
                found[place.name] = dora_figures(deployments_of(operations), arrivals, since, now)
            self._figures, self._stamp, self._at = found, stamp, now
        return self._figures

    def collect(self) -> Iterator[Metric]:
        families = {known: gauge(name, text, "environment") for known, (name, text) in NAMES.items()}
        count = gauge("delivery_deployments", "Deployments in the window", "environment")
        for environment, figures in (self.kept.value or {}).items():
            for figure in figures:
                if figure.value is not None:
                    families[figure.name].add_metric([environment], figure.value)
            count.add_metric([environment], next(one.samples for one in figures if one.name in NAMES))
        yield from (*families.values(), count)
