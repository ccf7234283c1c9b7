"""What a journal says becomes figures: the same ones however it is read, and none of a journal that was changed."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from deployments.environment import Environment
from services.exporter.measures import Measures
from services.exporter.measures.journal import JournalMeasure
from settings.targets import Target
from tests.many_releases import releases, write_journal
from tests.prefect_server import a_home

V2 = {"digest": "d" * 64, "version": "v2", "commit": "c" * 40}


class World:
    """One production place whose journal a test writes, and the figures that come of it."""

    def __init__(self, directory: Path) -> None:
        self.place = Environment.open(Target("production"), "assistant", a_home(directory))
        self.registry = CollectorRegistry()
        self.registry.register(Measures([JournalMeasure([self.place])]))

    def write(self, kind: str, epoch: int = 1, **data: Any) -> None:
        self.place.journal.append(kind, data, epoch)

    def begin(self, mark: str, kind: str = "release") -> None:
        self.write("begin", id=mark, operation=kind, slot="green", run="r", before=None, **V2)

    def live(self) -> None:
        self.write("slot.starting", slot="green", digest=V2["digest"], port=20001)
        routing = {"version": "e1-1", "ports": {"green": 20001}, "weights": {"green": 100}, "preview_slot": None}
        self.write("routed", routing=routing, live={**V2, "slot": "green"}, seconds=0.01)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"slipway_{name}", {"environment": "production", **labels})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_release_is_counted_when_it_ended(world: World) -> None:
    ended = {"operation": "release", "outcome": "promoted"}
    world.begin("op1")
    world.write("step", name="install", seconds=3.2)
    assert world.value("operations_total", **ended) is None
    assert world.value("unfinished_operations") == 1
    world.live()
    world.write("judged", action="promote", reason="good")
    world.write("end", id="op1", outcome="promoted", reason="good")
    assert world.value("operations_total", **ended) == 1
    assert world.value("operation_duration_seconds_count", **ended) == 1
    assert world.value("step_duration_seconds_bucket", step="install", le="2.5") == 0
    assert world.value("step_duration_seconds_bucket", step="install", le="5.0") == 1
    assert world.value("judgements_total", action="promote") == 1
    assert world.value("unfinished_operations") == 0
    assert world.value("live_info", slot="green", version="v2", digest=V2["digest"]) == 1
    assert world.value("slot_info", slot="green", version="v2", digest=V2["digest"]) == 1


def test_what_another_holder_had_to_end_is_a_lost_lease(world: World) -> None:
    world.begin("op1")
    world.write("end", epoch=1, id="op1", outcome="promoted", reason="by itself")
    assert world.value("lost_leases_total", operation="release", outcome="promoted") is None
    world.begin("op2")
    world.write("end", epoch=2, id="op2", outcome="restored", reason="by watch")
    assert world.value("lost_leases_total", operation="release", outcome="restored") == 1
    assert world.value("operations_total", operation="release", outcome="restored") == 1


def test_a_question_waits_until_it_is_answered(world: World) -> None:
    world.write(
        "question",
        id="q1",
        run="r",
        deployment="release/prod",
        parameters={},
        digest="d",
        expires="2030-01-01T00:00:00+00:00",
        pid=1,
        started=1.0,
    )
    asked = world.place.journal.entries()[-1].time.timestamp()
    assert (world.value("approvals_waiting"), world.value("approval_asked_timestamp_seconds")) == (1, asked)
    world.write("answer", id="q1", ruling="accepted", reason="Robin")
    assert (world.value("approvals_waiting"), world.value("approval_asked_timestamp_seconds")) == (0, None)
    assert world.value("approval_wait_seconds_count", ruling="accepted") == 1


def test_reading_bit_by_bit_comes_to_the_same_as_reading_at_once(tmp_path: Path) -> None:
    whole = World(tmp_path / "whole")
    write_journal(whole.place.journal.file, releases(40))
    raw = whole.place.journal.file.read_bytes()
    parts = World(tmp_path / "parts")
    parts.place.journal.file.parent.mkdir(parents=True)
    for end in range(1000, len(raw) + 7001, 7001):  # in the middle of lines too, as a reader may see them
        parts.place.journal.file.write_bytes(raw[:end])
        parts.value("journal_entries")
    shown = ["operations_total", "journal_entries", "operation_duration_seconds_sum", "condemned_versions"]
    for name in shown:
        labels = {"operation": "release", "outcome": "promoted"} if name.startswith("operation") else {}
        assert parts.value(name, **labels) == whole.value(name, **labels) is not None


@pytest.mark.parametrize("harm", ["changed", "cut off"])
def test_a_journal_that_was_changed_is_told_and_believed_no_more(world: World, harm: str) -> None:
    world.begin("op1")
    world.write("end", id="op1", outcome="promoted", reason="good")
    if harm == "cut off":
        assert world.value("journal_sound") == 1
    file = world.place.journal.file
    raw = file.read_bytes()
    file.write_bytes(raw.replace(b'"good"', b'"bad!"') if harm == "changed" else raw[: len(raw) // 2])
    assert world.value("journal_sound") == 0
    assert world.registry.get_sample_value("slipway_measure_ok", {"measure": "journal"}) == 1


def test_nothing_written_is_no_figure(world: World) -> None:
    assert world.value("journal_entries") == 0
    assert world.value("journal_head_timestamp_seconds") is None
    assert world.value("lease_held") == 0
    world.begin("op1")
    head = world.value("journal_head_timestamp_seconds")
    assert head and abs(datetime.now().timestamp() - head) < 600


def test_a_held_lease_is_seen(world: World) -> None:
    world.begin("op1")
    world.write("end", id="op1", outcome="promoted", reason="good")
    with world.place.lease("a test"):
        assert world.value("lease_held") == 1
    assert world.value("lease_held") == 0
