import hmac
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence.results import Entry, Results, results_key
from evidence.signing import Keys
from evidence.store import Store
from gates.check import Check, Outcome

KEY = "a" * 64


@pytest.fixture
def main(tmp_path: Path) -> Results:
    return Results(Store(tmp_path / "store"), Keys(tmp_path / "keys"), "main", protected=True)


def on(results: Results, branch: str, protected: bool = False) -> Results:
    return Results(results.store, results.keys, branch, protected)


def entry(results: Results, tmp_path: Path, outcome: Outcome = Outcome.PASSED) -> Entry:
    left = tmp_path / "left.json"
    left.write_text("what it left")
    check = Check(name="unit", outcome=outcome, reason="61 passed")
    files = results.put_files({"coverage": left, "folder": tmp_path})
    return Entry(key=KEY, check=check, run="run-1", commit="c" * 40, at=datetime.now(UTC), files=files)


def file(results: Results) -> Path:
    return next((results.store.root / "results").rglob("*.json"))


def test_what_a_protected_branch_kept_everybody_recalls(main: Results, tmp_path: Path) -> None:
    kept = entry(main, tmp_path)
    main.keep(kept)
    for branch in ("main", "feature", "$(touch x)"):
        assert on(main, branch).recall(KEY) == kept
    assert main.fetch(kept, tmp_path / "again")["coverage"].read_text() == "what it left"
    assert list(kept.files) == ["coverage"]


def test_what_another_branch_kept_only_it_recalls(main: Results, tmp_path: Path) -> None:
    on(main, "feature").keep(entry(main, tmp_path))
    assert on(main, "feature").recall(KEY) is not None
    assert on(main, "other").recall(KEY) is None
    assert main.recall(KEY) is None


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.PASSED])
def test_only_a_pass_is_kept(main: Results, tmp_path: Path, outcome: Outcome) -> None:
    main.keep(entry(main, tmp_path, outcome))
    assert main.recall(KEY) is None


def sealed(results: Results, body: object) -> bytes:
    """Return an entry with a genuine MAC, whatever its body is."""
    text = body if isinstance(body, str) else json.dumps(body)
    mac = hmac.new(results_key(results.keys), text.encode(), "sha256").hexdigest()
    return json.dumps({"body": text, "mac": mac}).encode()


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.PASSED])
def test_anything_but_a_pass_is_not_written(main: Results, tmp_path: Path, outcome: Outcome) -> None:
    main.keep(entry(main, tmp_path, outcome))
    assert not (main.store.root / "results").exists()


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_a_pass_is_recalled_however_genuine(main: Results, tmp_path: Path, outcome: Outcome) -> None:
    kept = entry(main, tmp_path)
    main.keep(kept)
    other = kept.model_copy(update={"check": kept.check.model_copy(update={"outcome": outcome})})
    file(main).write_bytes(sealed(main, other.model_dump_json()))
    assert main.recall(KEY) == (other if outcome is Outcome.PASSED else None)


@pytest.mark.parametrize("body", [{}, [], "text", "", {"key": KEY}])
def test_a_genuine_entry_that_is_none_is_not_recalled(main: Results, tmp_path: Path, body: object) -> None:
    main.keep(entry(main, tmp_path))
    file(main).write_bytes(sealed(main, body))
    assert main.recall(KEY) is None


@pytest.mark.parametrize("body", [None, 7, ["text"], {"key": KEY}])
def test_a_body_that_is_no_text_is_not_recalled(main: Results, tmp_path: Path, body: object) -> None:
    main.keep(entry(main, tmp_path))
    file(main).write_bytes(json.dumps({"body": body, "mac": "0" * 64}).encode())
    assert main.recall(KEY) is None


@pytest.mark.parametrize(("bytes_more", "recalled"), [(0, True), (1, False)])
def test_an_entry_may_have_20_mb_and_no_more(main: Results, tmp_path: Path, bytes_more: int, recalled: bool) -> None:
    """A genuine one, with blanks after it: only its size tells."""
    main.keep(entry(main, tmp_path))
    content = file(main).read_bytes()
    file(main).write_bytes(content.ljust(20_000_000 + bytes_more))
    assert (main.recall(KEY) is not None) is recalled


def test_a_link_is_not_stored(main: Results, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "plain").write_text("left")
    stored = main.put_files({name: tmp_path / name for name in ("link", "plain", "absent")})
    assert list(stored) == ["plain"]
    assert [one.name for one in (main.store.root / "blobs" / "sha256").iterdir()] == list(stored.values())


def test_only_we_can_read_the_key_and_the_entries_whatever_the_umask(main: Results, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        main.keep(entry(main, tmp_path))
    finally:
        os.umask(before)
    for one in (file(main), main.keys.directory / "results.key"):
        assert one.stat().st_mode & 0o777 == 0o600
    assert main.keys.directory.stat().st_mode & 0o777 == 0o700


def test_another_key_knows_nothing(main: Results, tmp_path: Path) -> None:
    main.keep(entry(main, tmp_path))
    assert main.recall("b" * 64) is None
    file(main).rename(file(main).with_name(f"{'b' * 64}.json"))
    assert main.recall("b" * 64) is None


@pytest.mark.parametrize(
    "damage", ["truncated", "empty", "not JSON", "a failure made a pass", "no mac", "a list", "huge"]
)
def test_a_damaged_or_poisoned_entry_is_none(main: Results, tmp_path: Path, damage: str) -> None:
    main.keep(entry(main, tmp_path))
    content = file(main).read_bytes()
    sealed = json.loads(content)
    damaged = {
        "truncated": content[:-20],
        "empty": b"",
        "not JSON": b"\xff\xfe passed",
        "a failure made a pass": json.dumps(
            {**sealed, "body": sealed["body"].replace("61 passed", "99 passed")}
        ).encode(),
        "no mac": json.dumps({"body": sealed["body"]}).encode(),
        "a list": b"[]",
        "huge": b" " * 20_000_001,
    }[damage]
    file(main).write_bytes(damaged)
    assert main.recall(KEY) is None


def test_an_entry_of_another_installation_is_none(main: Results, tmp_path: Path) -> None:
    main.keep(entry(main, tmp_path))
    stranger = Results(main.store, Keys(tmp_path / "other"), "main", protected=True)
    assert stranger.recall(KEY) is None


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_an_entry_whose_files_are_damaged_is_none(main: Results, tmp_path: Path, damage: str) -> None:
    kept = entry(main, tmp_path)
    main.keep(kept)
    blob = main.store.root / "blobs" / "sha256" / kept.files["coverage"]
    blob.unlink()
    if damage == "changed":
        blob.write_text("100 % covered")
    assert main.recall(KEY) is None


def test_the_key_is_made_once_and_only_we_can_read_it(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    first = results_key(keys)
    assert (len(first), results_key(keys)) == (32, first)
    assert (tmp_path / "keys" / "results.key").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in (tmp_path / "keys").iterdir()] == ["results.key"]
