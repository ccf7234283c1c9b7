"""The limits that an environment is held to, so that alert rules compare with the team's own figures."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import Metric

from deployments.environment import Environment
from services.exporter.measures import gauge


class LimitMeasure:
    """What config/<environment>.env says."""

    name = "limits"

    def __init__(self, places: Sequence[Environment]) -> None:
        self.places = places

    def collect(self) -> Iterator[Metric]:
        errors = gauge("limit_error_ratio", "MAX_ERROR_RATE", "environment")
        p95 = gauge("limit_p95_seconds", "MAX_P95_SECONDS", "environment")
        window = gauge("limit_rollback_window_seconds", "ROLLBACK_WINDOW_SECONDS", "environment")
        for place in self.places:
            errors.add_metric([place.name], place.settings.max_error_rate)
            p95.add_metric([place.name], place.settings.max_p95_seconds)
            window.add_metric([place.name], place.settings.rollback_window_seconds)
        yield from (errors, p95, window)
