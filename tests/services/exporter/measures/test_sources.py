"""The other sources of figures: the evidence, the host, DORA's figures, health; and what one that fails does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from deployments.environment import Environment
from gates.release.operation import Live, Version
from host.errors import ToolError
from notify.outbox import IGNORED, Outbox
from services.exporter.measures import Kept, Measure, Measures
from services.exporter.measures.delivery import DeliveryMeasure
from services.exporter.measures.health import HealthMeasure
from services.exporter.measures.installation import InstallationMeasure
from services.exporter.measures.journal import JournalMeasure
from services.exporter.measures.limits import LimitMeasure
from services.exporter.measures.machine import MachineMeasure
from settings.targets import Target
from tests.many_releases import releases, write_journal
from tests.prefect_server import a_home


def registry(measure: Measure) -> CollectorRegistry:
    made = CollectorRegistry()
    made.register(Measures([measure]))
    return made


@pytest.fixture
def place(tmp_path: Path) -> Environment:
    return Environment.open(Target("production"), "assistant", a_home(tmp_path))


class Broken:
    name = "broken"

    def collect(self) -> Iterator[Metric]:
        raise ToolError("it cannot be read")


def test_a_source_that_fails_leaves_the_others_alone(place: Environment) -> None:
    made = CollectorRegistry()
    made.register(Measures([Broken(), LimitMeasure([place])]))
    assert made.get_sample_value("slipway_measure_ok", {"measure": "broken"}) == 0
    assert made.get_sample_value("slipway_measure_ok", {"measure": "limits"}) == 1
    limit = made.get_sample_value("slipway_limit_error_ratio", {"environment": "production"})
    assert limit == place.settings.max_error_rate


def test_what_is_stale_is_no_figure() -> None:
    answers: list[int | ToolError] = [1, ToolError("away"), ToolError("away"), 2]

    def look() -> int:
        answer = answers.pop(0)
        if isinstance(answer, ToolError):
            raise answer
        return answer

    kept = Kept("it", 1, look)
    seen = []
    for _ in range(4):
        kept.refresh()
        seen.append(kept.value)
    assert seen == [1, None, None, 2]


def test_the_host_and_its_supervisors(place: Environment) -> None:
    measure = MachineMeasure(place.home, {"production": place.supervisor})
    made = registry(measure)
    assert made.get_sample_value("slipway_supervisor_up", {"scope": "production"}) is None
    measure.kept.refresh()
    assert (made.get_sample_value("slipway_host_disk_free_bytes") or 0) > 0
    assert made.get_sample_value("slipway_supervisor_up", {"scope": "production"}) == 0
    assert (made.get_sample_value("slipway_host_cpu_seconds_total", {"mode": "user"}) or 0) > 0


def test_delivery_figures_are_absent_without_data_and_follow_the_journal(place: Environment) -> None:
    measure = DeliveryMeasure(place.home, [place], 28)
    made = registry(measure)
    measure.kept.refresh()
    where = {"environment": "production"}
    assert made.get_sample_value("slipway_delivery_change_failure_ratio", where) is None
    assert made.get_sample_value("slipway_delivery_deployments", where) == 0
    begin = datetime.now(UTC) - timedelta(days=20)
    write_journal(place.journal.file, releases(50, begin=begin))
    measure.kept.refresh()
    assert made.get_sample_value("slipway_delivery_deployments", where) == 50
    ratio = made.get_sample_value("slipway_delivery_change_failure_ratio", where)
    assert ratio is not None and 0 < ratio < 0.5
    assert made.get_sample_value("slipway_delivery_lead_time_seconds", where) is None  # no repository, no commits


def test_nobody_is_asked_for_health_where_nothing_is_live_or_known(place: Environment) -> None:
    journal = JournalMeasure([place])
    measure = HealthMeasure(journal, 5)
    assert measure.look() == []
    live = Live(Version("d" * 64, "v1", "c" * 40), "blue", datetime.now(UTC))
    journal.readings[0].ledger.live = live
    (seen,) = measure.look()  # its artifact is gone: nobody knows where to ask
    assert seen.paths == () and not seen.router


def test_the_installation_is_as_old_as_its_key(place: Environment) -> None:
    made = registry(InstallationMeasure(place.home))
    assert made.get_sample_value("slipway_installed_timestamp_seconds") is None
    key = place.home.keys / "evidence.key"
    key.write_bytes(b"k")
    assert made.get_sample_value("slipway_installed_timestamp_seconds") == pytest.approx(key.stat().st_mtime)


def test_ignored_webhooks_are_counted_by_event_and_action(place: Environment) -> None:
    made = registry(InstallationMeasure(place.home))
    outbox = Outbox.of(place.home)
    for name in ("ping", "pull_request.labeled", "pull_request.labeled"):
        outbox.count(f"{IGNORED}{name}")
    name = "slipway_webhooks_ignored_total"
    assert made.get_sample_value(name, {"event": "pull_request", "action": "labeled"}) == 2
    assert made.get_sample_value(name, {"event": "ping", "action": ""}) == 1
