"""Counts and histograms that are made from history: the same again after every restart."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

# Seconds: a switch takes milliseconds, a person's answer an hour.
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)


class Counts:
    """A family of counters."""

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.name, self.text, self.labels = f"slipway_{name}", text, labels
        self._counts: Counter[tuple[str, ...]] = Counter()

    def add(self, *values: str, by: float = 1) -> None:
        """Count one of these label values."""
        self._counts[values] += by  # type: ignore[assignment]  # Counter's values may be floats

    def family(self) -> CounterMetricFamily:
        """Return it for Prometheus."""
        made = CounterMetricFamily(self.name, self.text, labels=self.labels)
        for values, count in sorted(self._counts.items()):
            made.add_metric(values, count)
        return made


class Times:
    """A family of histograms of seconds."""

    def __init__(self, name: str, text: str, *labels: str, bounds: Sequence[float] = SECONDS) -> None:
        self.name, self.text, self.labels, self.bounds = f"slipway_{name}", text, labels, tuple(bounds)
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: Counter[tuple[str, ...]] = Counter()

    def add(self, seconds: float, *values: str) -> None:
        """Count one duration of these label values."""
        counts = self._counts.setdefault(values, [0] * (len(self.bounds) + 1))
        counts[bisect_left(self.bounds, seconds)] += 1
        self._sums[values] += seconds  # type: ignore[assignment]  # Counter's values may be floats

    def family(self) -> HistogramMetricFamily:
        """Return it for Prometheus: cumulative buckets."""
        made = HistogramMetricFamily(self.name, self.text, labels=self.labels)
        for values, counts in sorted(self._counts.items()):
            buckets, sofar = [], 0
            for bound, count in zip((*self.bounds, float("inf")), counts, strict=True):
                sofar += count
                buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), sofar))
            made.add_metric(values, buckets, self._sums[values])
        return made
