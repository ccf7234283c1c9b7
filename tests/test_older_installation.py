"""What commit df1055a wrote is read by today's code: a journal and its lease, keys, and one artifact's evidence.

tests/data/installation-df1055a was written by that commit's own code: v1 and v2 were released, v3 failed, and a person
went back to v1. The private key is left out. Never write it anew: that is what an installation in use has on its disk.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deployments.journal.entries import read_event
from deployments.journal.journal import Journal
from deployments.journal.lease import read_holder
from deployments.journal.ledger import Ledger, Slot, read_ledger
from deployments.past_releases import HISTORY_KINDS
from evidence.bundle import verify_bundle
from evidence.history import recall
from evidence.provenance import origin_checks
from evidence.results import Results
from evidence.signing import Keys
from evidence.statements import newest_promotion, read_checks, read_promotions, read_scans
from evidence.store import Store
from gates.check import Outcome
from gates.release.operation import Operation
from host.home import Home
from host.ports import LOCAL, Endpoint

HOME = Home(Path(__file__).parent / "data" / "installation-df1055a")
V1 = "7dbff50bcf83ad2e0485a74b68fe7f4a57f41ea16120926880788239d6661fab"
COMMIT = "1c0ffee1" * 5


@pytest.fixture
def journal() -> Journal:
    return Journal(HOME.place("production"))


@pytest.fixture
def store() -> Store:
    return Store(HOME.root / "store")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Keys:
    monkeypatch.delenv("SLIPWAY_SIGNING_KEY", raising=False)
    return Keys(HOME.keys)


def test_the_journal_is_sound_to_its_last_byte(journal: Journal) -> None:
    entries, length = journal.parse(journal.read())
    assert (len(entries), length) == (98, journal.file.stat().st_size)
    assert entries[-1].hash == "dd21ebb9603e2e3ccbf6d0df7a39f81f5033fcafe14b846d2e6190d4904b21c3"


def test_what_is_live_and_what_was_is_told(journal: Journal) -> None:
    ledger = read_ledger(journal.entries())
    assert ledger.live and (ledger.live.version.digest, ledger.live.version.version) == (V1, "v1")
    assert (ledger.live.slot, ledger.live.since) == ("blue", datetime(2026, 11, 1, 8, 1, 51, 250000, tzinfo=UTC))
    assert [(one.kind, one.version.version, one.outcome) for one in ledger.operations] == [
        ("release", "v1", "promoted"),
        ("release", "v2", "promoted"),
        ("release", "v3", "rolled back"),
        ("rollback", "v1", "rolled back"),
    ]
    assert [ledger.versions[digest].version for digest in ledger.promoted] == ["v1", "v2"]
    assert {ledger.versions[digest].version: why for digest, why in ledger.condemned.items()} == {
        "v3": "error rate 4.00% exceeds 1.00%",
        "v2": "a person saw it",
    }
    assert (
        ledger.slots["blue"] == Slot(V1, (Endpoint(LOCAL, 9004),), running=True) and not ledger.slots["green"].running
    )
    assert ledger.unsafe == {V1: "drops column name"} and ledger.questions == {} and ledger.unfinished is None


def test_its_history_is_read_quickly_and_is_the_same(journal: Journal) -> None:
    quick, whole = Ledger(), read_ledger(journal.entries())
    for entry, _ in journal.walk(journal.read(), kinds=HISTORY_KINDS):
        quick.add(entry)
    assert quick.approvals == whole.approvals and [one.waited_s for one in quick.approvals] == [1.25] * 3
    assert [_in_short(one) for one in quick.operations] == [_in_short(one) for one in whole.operations]
    assert [one.id for one in quick.operations] == ["op1", "op2", "op3", "op4"]


def _in_short(operation: Operation) -> tuple[object, ...]:
    """Return what a report looks at: judgements and condemnations are left out when a history is read quickly."""
    times = (operation.began, operation.took_traffic, operation.ended)
    return operation.id, operation.version, operation.outcome, *times, operation.steps, operation.downtime_s


def test_what_it_wrote_would_be_written_the_same_today(journal: Journal) -> None:
    entries = journal.entries()
    assert len({entry.kind for entry in entries}) >= 15
    for entry in entries:
        assert read_event(entry).to_data() == entry.data


def test_who_held_the_lease_is_told(journal: Journal) -> None:
    holder = read_holder(journal.file.with_name("lease"))
    assert holder and (holder.epoch, holder.reason, holder.released) == (4, "rollback, run run-op4", True)


def test_the_artifact_and_what_was_stated_of_it_are_genuine(store: Store, keys: Keys) -> None:
    assert store.artifacts() == [V1]
    bundle = verify_bundle(store, V1)
    assert (bundle.version, bundle.commit) == ("v1", COMMIT)
    checked = read_checks(store, keys, V1)
    assert checked and (checked.commit, checked.clean, checked.isolation) == (COMMIT, True, "namespaces")
    assert [(one.name, one.outcome, one.reason) for one in checked.checks] == [("unit", Outcome.PASSED, "61 passed")]
    (scanned,) = read_scans(store, keys, V1)
    assert scanned.checks[0].name == "secrets"
    assert [one.environment for one in read_promotions(store, keys, V1)] == ["production"]
    newest = newest_promotion(store, keys, "production")
    assert newest and newest[0] == V1
    assert [one.outcome for one in origin_checks(store, keys, V1, bundle)] == [Outcome.PASSED] * 2


def test_what_a_check_came_to_and_what_was_measured_are_recalled(store: Store, keys: Keys, tmp_path: Path) -> None:
    entry = Results(store, keys, "main", protected=True).recall("a" * 64)
    assert entry and (entry.check.reason, entry.run) == ("61 passed", "run-1")
    left = Results(store, keys, "main", protected=True).fetch(entry, tmp_path)
    assert left["coverage"].read_text() == '{"covered": 0.93}'
    (record,) = recall(store, keys, "shop", "coverage", "main")
    assert (record.commit, record.data) == (COMMIT, {"covered": 0.93})
