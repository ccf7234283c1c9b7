from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.first_sightings import KIND, first_sightings, note_sightings, sightings
from evidence.history import Record
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Check, Outcome
from gates.findings import Finding
from tests.gates.findings import issue

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ONE, TWO = issue(line=1), issue(line=2)


class Branch:
    """A branch whose runs are `day` days apart from NOW."""

    def __init__(self, store: Store, keys: Keys, name: str = "main") -> None:
        self.store, self.keys, self.name = store, keys, name

    def scan(self, day: float, *findings: Finding, outcome: Outcome = Outcome.PASSED) -> None:
        record = Record(KIND, self.name, "c" * 40, f"run-{day}", NOW + timedelta(days=day), {})
        note_sightings(self.store, self.keys, "shop", record, [check(*findings, outcome=outcome)], "main")

    def look(self, day: int, *findings: Finding) -> tuple[dict[str, datetime], frozenset[str]]:
        at = NOW + timedelta(days=day)
        first = first_sightings(self.store, self.keys, "shop", self.name, "main", [check(*findings)], at)
        return first, frozenset(mark for mark, since in first.items() if since == at)


def check(*findings: Finding, outcome: Outcome = Outcome.PASSED) -> Check:
    return Check(name="code", outcome=outcome, reason="", findings=findings)


@pytest.fixture
def main(tmp_path: Path) -> Branch:
    keys = Keys(tmp_path / "keys")
    keys.create()
    return Branch(Store(tmp_path / "store"), keys)


def test_a_finding_is_new_until_it_was_seen_and_then_ages(main: Branch) -> None:
    assert main.look(0, ONE) == ({ONE.fingerprint: NOW}, frozenset({ONE.fingerprint}))
    main.scan(0, ONE)
    main.scan(3, ONE, TWO)
    first, new = main.look(5, ONE, TWO)
    assert first == {ONE.fingerprint: NOW, TWO.fingerprint: NOW + timedelta(days=3)} and not new
    assert sightings(main.store, main.keys, "shop", "main")[ONE.fingerprint].last == NOW + timedelta(days=3)


def test_a_scan_that_could_not_look_forgets_nothing(main: Branch) -> None:
    main.scan(0, ONE)
    main.scan(200, outcome=Outcome.NO_VERDICT)
    assert main.look(201, ONE)[0] == {ONE.fingerprint: NOW}


@pytest.mark.parametrize(("day", "new"), [(89, False), (90, True)])
def test_what_comes_and_goes_keeps_its_age_for_ninety_days(main: Branch, day: int, new: bool) -> None:
    main.scan(0, ONE)
    for number in range(11):  # so many that the first record is not read any more
        main.scan(day + number / 100_000)
    assert bool(main.look(day + 1, ONE)[1]) is new


def test_a_branch_of_its_own_begins_with_what_is_known_on_main(main: Branch) -> None:
    main.scan(0, ONE)
    side = Branch(main.store, main.keys, "side")
    assert side.look(1, ONE, TWO)[1] == {TWO.fingerprint}
    side.scan(1, ONE, TWO)
    assert side.look(2, ONE, TWO) == ({ONE.fingerprint: NOW, TWO.fingerprint: NOW + timedelta(days=1)}, frozenset())
    assert main.look(2, TWO)[1] == {TWO.fingerprint}


def test_two_runs_side_by_side_lose_nothing(main: Branch) -> None:
    main.scan(0, ONE)
    saved = sorted((main.store.root / "history" / "shop" / KIND).iterdir())
    main.scan(1, ONE, TWO)
    saved[0].touch()
    other = Branch(main.store, main.keys)
    other.scan(2, ONE)
    assert not main.look(3, TWO)[1]


def test_a_strangers_record_counts_for_nothing(main: Branch, tmp_path: Path) -> None:
    stranger = Keys(tmp_path / "stranger")
    stranger.create()
    Branch(main.store, stranger).scan(0, ONE)
    assert main.look(1, ONE)[1] == {ONE.fingerprint}
