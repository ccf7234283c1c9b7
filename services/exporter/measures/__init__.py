"""What Slipway knows of itself, as Prometheus reads it: a module for each source. None keeps a scrape waiting."""

import threading
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric

from host.errors import SlipwayError

Value = TypeVar("Value")
log = structlog.get_logger("exporter")


class Measure(Protocol):
    """One source of figures. `collect` answers in milliseconds, from files or from what was looked up before."""

    name: str

    def collect(self) -> Iterator[Metric]: ...


class Kept(Generic[Value]):
    """Something slow that is looked up again and again beside the scrapes. `value` is None until it is known, and again
    when it could not be found out: what is stale is no figure.
    """

    def __init__(self, name: str, every_s: float, look: Callable[[], Value]) -> None:
        self.name = name
        self.every_s = every_s
        self.value: Value | None = None
        self.looked = False
        self._look = look
        self._said = ""

    def refresh(self) -> None:
        """Look once. What goes wrong is logged, once until it changes."""
        try:
            self.value = self._look()
            self._said = ""
        except (SlipwayError, OSError) as error:
            self.value = None
            if str(error) != self._said:
                self._said = str(error)
                log.warning(self.name, error=self._said)
        self.looked = True

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        while True:
            self.refresh()
            if stop.wait(self.every_s):
                return


class Measures:
    """All sources in one collector. A source that fails leaves its figures out, and `slipway_measure_ok` says so."""

    def __init__(self, sources: list[Measure]) -> None:
        self.sources = sources

    def collect(self) -> Iterator[Metric]:
        ok = GaugeMetricFamily("slipway_measure_ok", "Whether a source of figures could be read", labels=["measure"])
        for source in self.sources:
            try:
                found = list(source.collect())
            except (SlipwayError, OSError) as error:
                log.error(source.name, error=str(error))
                ok.add_metric([source.name], 0)
                continue
            ok.add_metric([source.name], 1)
            yield from found
        yield ok


def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    """Return a family of gauges to which `add_metric` adds."""
    return GaugeMetricFamily(f"slipway_{name}", text, labels=labels)
