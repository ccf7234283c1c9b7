"""Since when this installation exists, what waits to be told to the outside, and what came from there for nothing."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from host.home import Home
from notify.outbox import GITHUB, IGNORED, INCOMING, Outbox
from services.exporter.measures import gauge
from settings.notify import read_notify

KEY = "evidence.key"


class InstallationMeasure:
    """Without a beginning nobody could say that the first nightly is late."""

    name = "installation"

    def __init__(self, home: Home) -> None:
        self.home = home

    def collect(self) -> Iterator[Metric]:
        key = self.home.keys / KEY
        since = gauge("installed_timestamp_seconds", "Since when this installation has its signing key")
        if key.exists():
            since.add_metric([], key.stat().st_mtime)
        yield since
        outbox = Outbox.of(self.home)
        waiting = gauge("outbox_waiting", "Messages that wait to be told", "queue")
        if outbox.file.exists():
            channels = [name for name, table in read_notify().channels.items() if table]
            for queue in (INCOMING, GITHUB, *channels):
                waiting.add_metric([queue], outbox.backlog(queue).waiting)
        yield waiting
        ignored = CounterMetricFamily(
            "slipway_webhooks_ignored",
            "Genuine webhooks of GitHub from which nothing followed",
            labels=["event", "action"],
        )
        for name, times in (outbox.counts(IGNORED) if outbox.file.exists() else {}).items():
            event, _, action = name.partition(".")
            ignored.add_metric([event, action], times)
        yield ignored
