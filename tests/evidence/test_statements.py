import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence.signing import Keys
from evidence.statements import (
    Checked,
    Kind,
    Promoted,
    Scanned,
    Withdrawn,
    forget_scans,
    last_word,
    newest_promotion,
    read_checks,
    read_promotions,
    read_scans,
    state,
)
from evidence.store import Store
from gates.check import Check, Outcome
from host.errors import ArtifactError, EvidenceError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Keys(tmp_path / "keys")
    made.create()
    return made


def checked(outcome: Outcome = Outcome.PASSED, minutes: int = 0) -> Checked:
    return Checked(
        commit="c" * 40,
        version="v1",
        branch="main",
        clean=True,
        isolation="namespaces",
        at=NOW + timedelta(minutes=minutes),
        run="run-1",
        checks=(Check(name="unit", outcome=outcome, reason="why"),),
    )


def promoted(environment: str, minutes: int = 0, version: str = "v1") -> Promoted:
    return Promoted(
        environment=environment, version=version, commit="c" * 40, at=NOW + timedelta(minutes=minutes), release="r1"
    )


def files(store: Store, digest: str) -> list[Path]:
    return sorted((store.root / "statements" / digest).iterdir())


def test_what_was_stated_is_read_back(store: Store, keys: Keys) -> None:
    state(store, keys, ONE, "assistant", Kind.CHECKS, checked())
    assert read_checks(store, keys, ONE) == checked()
    statement = keys.verify(json.loads(files(store, ONE)[0].read_bytes()))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:slipway:checks:v1"
    assert statement["subject"] == [{"name": "assistant", "digest": {"sha256": ONE}}]


def test_nothing_stated_is_none_and_empty(store: Store, keys: Keys) -> None:
    assert read_checks(store, keys, ONE) is None
    assert read_promotions(store, keys, ONE) == []
    assert newest_promotion(store, keys, "staging") is None


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_newest_checks_count_in_whatever_order_they_were_filed(
    store: Store, keys: Keys, order: tuple[int, int]
) -> None:
    both = (checked(Outcome.PASSED, 0), checked(Outcome.FAILED, 1))
    for index in order:
        state(store, keys, ONE, "assistant", Kind.CHECKS, both[index])
    found = read_checks(store, keys, ONE)
    assert found and found.checks[0].outcome is Outcome.FAILED


def scanned(day: int) -> Scanned:
    at = datetime(2026, 1, day, tzinfo=UTC)
    return Scanned(commit="c" * 40, version="v1", branch="main", at=at, run=f"run-{day}", checks=())


@pytest.mark.parametrize(("keep", "left"), [(5, [1, 2, 3, 4]), (4, [1, 2, 3, 4]), (2, [3, 4]), (1, [4]), (0, [4])])
def test_old_scans_are_forgotten_by_when_they_looked_and_the_newest_never_is(
    store: Store, keys: Keys, keep: int, left: list[int]
) -> None:
    for day in (4, 1, 3, 2):  # filed in another order than they looked
        state(store, keys, ONE, "assistant", Kind.SCANS, scanned(day))
    state(store, keys, ONE, "assistant", Kind.CHECKS, checked())
    state(store, keys, TWO, "assistant", Kind.SCANS, scanned(1))
    assert forget_scans(store, keys, ONE, keep) == 4 - len(left)
    assert [one.at.day for one in read_scans(store, keys, ONE)] == left
    assert read_checks(store, keys, ONE) and len(read_scans(store, keys, TWO)) == 1
    assert forget_scans(store, keys, ONE, keep) == 0


def test_with_scans_that_are_not_genuine_nothing_is_forgotten(store: Store, keys: Keys, tmp_path: Path) -> None:
    stranger = Keys(tmp_path / "stranger")
    stranger.create()
    state(store, keys, ONE, "assistant", Kind.SCANS, scanned(1))
    state(store, stranger, ONE, "assistant", Kind.SCANS, scanned(2))
    with pytest.raises(EvidenceError, match="not signed by a trusted key"):
        forget_scans(store, keys, ONE, 1)
    assert len(store.statement_files(ONE, Kind.SCANS)) == 2


def test_a_statement_filed_under_another_digest_is_refused(store: Store, keys: Keys) -> None:
    state(store, keys, ONE, "assistant", Kind.CHECKS, checked())
    shutil.copytree(store.root / "statements" / ONE, store.root / "statements" / TWO)
    with pytest.raises(EvidenceError, match="filed under 222222222222 is about something else"):
        read_checks(store, keys, TWO)
    assert read_checks(store, keys, ONE)


def test_a_statement_filed_as_another_kind_is_refused(store: Store, keys: Keys) -> None:
    state(store, keys, ONE, "assistant", Kind.PROMOTION, promoted("staging"))
    (file,) = files(store, ONE)
    file.rename(file.with_name("checks-abc.json"))
    with pytest.raises(EvidenceError, match="about something else"):
        read_checks(store, keys, ONE)


@pytest.mark.parametrize(
    "change",
    [
        {"predicateType": "urn:slipway:checks:v2"},
        {"predicateType": None},
        {"subject": []},
        {"subject": [{"name": "assistant"}]},
        {"subject": [{"name": "assistant", "digest": {"sha512": ONE}}]},
    ],
)
def test_a_signed_statement_about_something_else_is_refused(
    store: Store, keys: Keys, change: dict[str, object]
) -> None:
    good = {
        "subject": [{"name": "assistant", "digest": {"sha256": ONE}}],
        "predicateType": "urn:slipway:checks:v1",
        "predicate": checked().model_dump(mode="json"),
    }
    store.put_statement(ONE, Kind.CHECKS, keys.sign({**good, **change}))
    with pytest.raises(EvidenceError, match="about something else"):
        read_checks(store, keys, ONE)


@pytest.mark.parametrize("predicate", [{}, {"commit": 1}, None, [], "text"])
def test_a_signed_predicate_that_cannot_be_read_is_an_error(store: Store, keys: Keys, predicate: object) -> None:
    statement = {
        "subject": [{"digest": {"sha256": ONE}}],
        "predicateType": "urn:slipway:checks:v1",
        "predicate": predicate,
    }
    store.put_statement(ONE, Kind.CHECKS, keys.sign(statement))
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_checks(store, keys, ONE)


def test_one_statement_that_is_not_genuine_spoils_the_rest(store: Store, keys: Keys, tmp_path: Path) -> None:
    state(store, keys, ONE, "assistant", Kind.CHECKS, checked())
    stranger = Keys(tmp_path / "stranger")
    stranger.create()
    state(store, stranger, ONE, "assistant", Kind.CHECKS, checked(minutes=5))
    with pytest.raises(EvidenceError, match="trusted key"):
        read_checks(store, keys, ONE)


def test_a_truncated_statement_is_not_an_absent_one(store: Store, keys: Keys) -> None:
    state(store, keys, ONE, "assistant", Kind.CHECKS, checked())
    (file,) = files(store, ONE)
    whole = file.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises((ArtifactError, EvidenceError)):
            read_checks(store, keys, ONE)


def test_promotions_come_oldest_first_and_repeat(store: Store, keys: Keys) -> None:
    for minutes in (3, 1, 2):
        state(store, keys, ONE, "assistant", Kind.PROMOTION, promoted("staging", minutes))
    found = read_promotions(store, keys, ONE)
    assert [one.at.minute for one in found] == [1, 2, 3]


def test_the_newest_word_of_an_environment_counts(store: Store, keys: Keys) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    said = Promoted(environment="staging", version="v1", commit="c" * 40, at=at, release="r")
    state(store, keys, ONE, "shop", Kind.PROMOTION, said)
    for later, taken_back in ((-1, False), (0, True)):
        word = Withdrawn(environment="staging", at=at + timedelta(hours=later), reason="slow")
        state(store, keys, ONE, "shop", Kind.WITHDRAWAL, word)
        assert last_word(store, keys, ONE, "staging") == (word if taken_back else said)
    assert last_word(store, keys, ONE, "qa") is None
    state(store, keys, ONE, "shop", Kind.PROMOTION, said.model_copy(update={"at": at + timedelta(hours=1)}))
    assert isinstance(last_word(store, keys, ONE, "staging"), Promoted)


def test_the_newest_promotion_of_an_environment_is_found_among_all_artifacts(store: Store, keys: Keys) -> None:
    one, two = store.put_manifest(b"{1}"), store.put_manifest(b"{2}")
    state(store, keys, two, "assistant", Kind.PROMOTION, promoted("staging", 1, "v2"))
    state(store, keys, one, "assistant", Kind.PROMOTION, promoted("staging", 5, "v1"))
    state(store, keys, two, "assistant", Kind.PROMOTION, promoted("production", 9, "v2"))
    found = newest_promotion(store, keys, "staging")
    assert found and found[0] == one and found[1].version == "v1"
    assert newest_promotion(store, keys, "development") is None
