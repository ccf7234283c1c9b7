"""What is remembered of a journal holds for exactly its bytes; anything else is read again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deployments.journal.cache import CachedHistory, recall_past, remember_past
from deployments.journal.ledger import Approval
from gates.release.operation import Live, Operation, Outcome, Remark, TimedStep, Version

AT = datetime(2026, 3, 1, 12, 0, 0, 250000, tzinfo=UTC)
JOURNAL = b'{"seq":1}\n{"seq":2}\n'
V1, V2 = Version("d" * 64, "v1", "c" * 40), Version("e" * 64, "v2", "c" * 40)
ENDED = Operation(
    "r1",
    "release",
    V1,
    "blue",
    None,
    AT,
    3,
    "run-1",
    judged_good=True,
    switched=True,
    took_traffic=AT,
    outcome=Outcome.PROMOTED,
    reason="good",
    ended=AT,
    downtime_s=0.5,
    steps=[TimedStep("bake", 1.5, AT)],
    remarks=[Remark("judged", AT, "good")],
)
BEGUN = Operation("r2", "release", V2, "green", Live(V1, "blue", AT), AT, 4)
KNOWN = CachedHistory(10, (1, "a" * 64), (ENDED, BEGUN), (Approval("run-1", AT, AT, "accepted"),), Live(V1, "blue", AT))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    remember_past(tmp_path / "past", JOURNAL, KNOWN)
    return tmp_path / "past"


def test_what_was_read_is_recalled_whole(file: Path) -> None:
    assert recall_past(file, JOURNAL) == KNOWN
    assert recall_past(file, JOURNAL[:10] + b"other entries") == KNOWN


@pytest.mark.parametrize("journal", [JOURNAL[:9], b"x" + JOURNAL[1:], JOURNAL[:9] + b"x" + JOURNAL[10:], b""])
def test_it_does_not_hold_for_other_bytes(file: Path, journal: bytes) -> None:
    assert recall_past(file, journal) is None


def test_a_journal_of_exactly_that_length_is_known(file: Path) -> None:
    assert recall_past(file, JOURNAL[:10]) == KNOWN


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.update(format=1),
        lambda body: body.update(sha256="0" * 64),
        lambda body: body["history"].update(length="many"),
        lambda body: body.pop("history"),
        lambda body: body["history"].update(head=[1]),
        lambda body: body["history"].update(approvals=[["run-1", "no time", AT.isoformat(), "accepted"]]),
        lambda body: body["history"].update(approvals=[[AT.isoformat()]]),
        lambda body: body["history"]["operations"][0].update(unknown=1),
        lambda body: body["history"]["operations"][0].update(steps=None),
    ],
)
def test_a_file_that_does_not_fit_is_read_again(file: Path, spoil: Callable[[dict[str, Any]], object]) -> None:
    body = json.loads(file.read_bytes())
    spoil(body)
    file.write_text(json.dumps(body))
    assert recall_past(file, JOURNAL) is None


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"7", b'"text"', b"null"])
def test_a_file_that_is_no_record_is_read_again(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert recall_past(file, JOURNAL) is None


def test_where_nothing_was_remembered_nothing_is_recalled(tmp_path: Path) -> None:
    assert recall_past(tmp_path / "absent", JOURNAL) is None


def test_a_place_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    remember_past(tmp_path / "taken" / "past", JOURNAL, KNOWN)
    assert (tmp_path / "taken").read_text() == "a file, no folder"
