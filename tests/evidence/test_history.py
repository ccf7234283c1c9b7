import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from evidence.history import RECORD, Record, recall, remember
from evidence.signing import Keys
from evidence.store import Store
from host.errors import EvidenceError

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    made = Keys(tmp_path / "keys")
    made.create()
    return made


def record(number: int, branch: str = "main", kind: str = "load") -> Record:
    return Record(kind, branch, "c" * 40, f"run-{number}", NOW + timedelta(hours=number), {"p95": number})


def files(store: Store) -> list[Path]:
    return sorted(store.root.rglob("*.json"))


def test_records_come_newest_first_of_their_app_kind_and_branch(store: Store, keys: Keys) -> None:
    for number in (2, 1, 3):
        remember(store, keys, "shop", record(number))
    remember(store, keys, "shop", record(4, branch="feature"))
    remember(store, keys, "shop", record(5, kind="coverage"))
    remember(store, keys, "other", record(6))
    assert recall(store, keys, "shop", "load", "main") == [record(3), record(2), record(1)]
    assert recall(store, keys, "shop", "load", "absent") == []


@pytest.mark.parametrize(
    ("most", "runs"), [(0, []), (1, ["run-3"]), (2, ["run-3", "run-2"]), (4, ["run-3", "run-2", "run-1"])]
)
def test_at_most_so_many_are_recalled_and_others_branches_do_not_count(
    store: Store, keys: Keys, most: int, runs: list[str]
) -> None:
    for number in (1, 2, 3):
        remember(store, keys, "shop", record(number))
    remember(store, keys, "shop", record(9, branch="feature"))
    assert [one.run for one in recall(store, keys, "shop", "load", "main", most)] == runs


def test_a_record_is_filed_by_utc_whatever_its_time_zone(store: Store, keys: Keys) -> None:
    at = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    remember(store, keys, "shop", Record("load", "main", "c" * 40, "r", at, {}))
    assert [file.name for file in files(store)] == ["20260301T120000000000-cccccccccccc.json"]
    assert recall(store, keys, "shop", "load", "main")[0].at == NOW


def test_without_a_key_nothing_is_remembered(store: Store, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no usable signing key"):
        remember(store, Keys(tmp_path / "none"), "shop", record(1))
    assert files(store) == []


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "urn:slipway:history:v2"},
        {"app": "other"},
        {"kind": "coverage"},
        {"branch": "feature"},
        {"at": "yesterday"},
        {"at": None},
        {"commit": ...},
    ],
    ids=str,
)
def test_a_signed_record_of_something_else_is_left_out(store: Store, keys: Keys, change: dict[str, object]) -> None:
    body: dict[str, object] = {
        "data": {},
        "_type": RECORD,
        "app": "shop",
        "kind": "load",
        "branch": "main",
        "commit": "c" * 40,
        "run": "run-2",
    }
    body["at"] = NOW.isoformat()
    remember(store, keys, "shop", record(1))
    place = files(store)[0].with_name("20270101T000000000000-cccccccccccc.json")
    place.write_text(json.dumps(keys.sign(body)))
    assert [one.run for one in recall(store, keys, "shop", "load", "main")] == ["run-2", "run-1"]
    wrong = {name: value for name, value in {**body, **change}.items() if value is not ...}
    place.write_text(json.dumps(keys.sign(wrong)))
    assert [one.run for one in recall(store, keys, "shop", "load", "main")] == ["run-1"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b"\xff"])
def test_a_damaged_record_is_left_out(store: Store, keys: Keys, content: bytes) -> None:
    remember(store, keys, "shop", record(1))
    remember(store, keys, "shop", record(2))
    files(store)[-1].write_bytes(content)
    assert [one.run for one in recall(store, keys, "shop", "load", "main")] == ["run-1"]


def test_a_strangers_record_is_left_out(store: Store, keys: Keys, tmp_path: Path) -> None:
    stranger = Keys(tmp_path / "stranger")
    stranger.create()
    remember(store, stranger, "shop", record(1))
    assert recall(store, keys, "shop", "load", "main") == []
