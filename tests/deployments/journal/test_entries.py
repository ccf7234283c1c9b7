"""Every kind is written as ever, byte for byte, and read back as what was written."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.journal import journal as journals
from deployments.journal.entries import (
    EVENTS,
    BackupMade,
    Entry,
    Event,
    EventKind,
    LiveData,
    Migrated,
    Migrating,
    MigrationFailed,
    OperationBegun,
    OperationEnded,
    OutcomeReported,
    QuestionAnswered,
    QuestionAsked,
    RoutingConfirmed,
    RoutingIntended,
    SchemaRestored,
    Seeded,
    Seeding,
    SlotStarted,
    SlotStarting,
    SlotStopped,
    SlotStopping,
    StepEnded,
    VersionCondemned,
    VersionJudged,
    read_event,
)
from deployments.journal.journal import Journal
from gates.release.approval import Ruling
from gates.release.operation import Live, OperationKind, Outcome, Version
from gates.verdict import Action
from tests.deployments.journal.test_journal import Clock

# What the code wrote before entries had types: a line for each kind, and for each of their forms.
GOLDEN = Path(__file__).parent / "data" / "kinds.jsonl"
VERSION = Version("1" * 64, "v1", "c" * 40)
SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIVE = LiveData.of(Live(VERSION, "blue", SINCE))
ROUTING = {"version": "e3-12", "ports": {"blue": 9001}, "weights": {"blue": 100}, "preview_slot": None}
ABOUT = {"digest": VERSION.digest, "version": VERSION.version, "commit": VERSION.commit}
WRITTEN: list[Event] = [
    OperationBegun(id="op1", operation=OperationKind.RELEASE, slot="blue", run="run-1", before=None, **ABOUT),
    OperationBegun(id="op2", operation=OperationKind.ROLLBACK, slot="green", run="", before=LIVE, **ABOUT),
    StepEnded(name="install", seconds=3.0),
    StepEnded(name="down", seconds=1.25, downtime_s=1.25),
    VersionJudged(action=Action.ROLL_BACK, reason="error rate 4.00% exceeds 1.00%"),
    VersionCondemned(digest=VERSION.digest, reason="größe é\u2028"),
    RoutingIntended(routing=ROUTING, live=LIVE),
    RoutingConfirmed(routing=ROUTING, live=LIVE, seconds=0.0051),
    RoutingConfirmed(routing={**ROUTING, "weights": {}}, live=None, seconds=0.0051),
    SlotStarting(slot="blue", digest=VERSION.digest, port=9001),
    SlotStarted(slot="blue", digest=VERSION.digest, port=9001),
    SlotStopping(slot="blue"),
    SlotStopped(slot="blue"),
    QuestionAsked(
        id="q1",
        run="run-1",
        deployment="release/prod",
        parameters={"environment": "production", "version": None},
        digest=VERSION.digest,
        expires=datetime(2026, 3, 1, 13, tzinfo=UTC),
        pid=7,
        started=1795904846.32,
    ),
    QuestionAnswered(id="q1", ruling=Ruling.ACCEPTED, reason="Robin"),
    Migrating(digest=VERSION.digest, unsafe={"2" * 64: "drops a column"}),
    Migrating(digest=VERSION.digest, unsafe={}),
    Migrated(digest=VERSION.digest),
    MigrationFailed(digest=VERSION.digest, unsafe={}),
    SchemaRestored(safe=["2" * 64], reason="dump of 12:40"),
    BackupMade(digest=VERSION.digest, file="a.dump", bytes=4096, sha256="5" * 64, seconds=0.125),
    Seeding(seed="demo", digest=VERSION.digest),
    Seeded(seed="demo", digest=VERSION.digest, said="12 rows"),
    OperationEnded(id="op1", outcome=Outcome.ROLLED_BACK, reason="good"),
    OutcomeReported(id="op1", state="RolledBack"),
    OutcomeReported(id="op2", state=None),
]


def test_every_kind_has_data_and_is_among_the_examples() -> None:
    assert set(EVENTS) == set(EventKind) and len(set(EVENTS.values())) == len(EVENTS)
    assert {event.kind for event in WRITTEN} == set(EventKind)


def test_each_is_written_as_ever_and_read_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another byte here, and no version reads what another one wrote."""
    monkeypatch.setattr(Clock, "asked", 0)
    monkeypatch.setattr(journals, "datetime", Clock)
    journal = Journal(tmp_path)
    for event in WRITTEN:
        journal.append(event, 3)
    assert journal.file.read_bytes() == GOLDEN.read_bytes()
    assert [read_event(entry) for entry in journal.entries()] == WRITTEN


@pytest.mark.parametrize("kind", EventKind)
def test_data_that_a_newer_slipway_added_are_passed_over(kind: EventKind) -> None:
    event = next(one for one in WRITTEN if one.kind is kind)
    assert read_event(Entry(1, "", 0, kind, {**event.to_data(), "added": {"later": [1]}}, "", "")) == event


@pytest.mark.parametrize("live", [None, Live(VERSION, "green", SINCE)])
def test_what_serves_is_written_and_read_whole(live: Live | None) -> None:
    data = LiveData.of(live)
    assert (data and data.live(SINCE)) == live
