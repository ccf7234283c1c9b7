"""What is lost of a journal's end is known and told, and stays so; what only looks like a loss is not."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.journal import head as heads
from deployments.journal.head import LENGTH, Head, read_head, write_head
from deployments.journal.journal import Journal
from host.errors import JournalError


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "place")
    for number in range(3):
        made.write("step", {"name": f"größe {number}", "seconds": 0.5}, epoch=7)
    return made


def lines(journal: Journal) -> list[bytes]:
    return journal.file.read_bytes().splitlines(keepends=True)


def told(journal: Journal) -> list[tuple[int, int, int]]:
    """Return what is said to be lost: after which entry, how many, and how many bytes are torn."""
    return [(one.after, one.lost, one.torn) for one in journal.losses()]


def test_a_whole_journal_has_lost_nothing(journal: Journal) -> None:
    assert told(journal) == [] and not journal.lost.exists()
    assert read_head(journal.head) == Head(3, journal.entries()[-1].hash)
    assert journal.head.stat().st_size == LENGTH and journal.head.stat().st_mode & 0o777 == 0o600


def test_no_journal_has_lost_nothing_and_looking_changes_nothing(tmp_path: Path) -> None:
    assert Journal(tmp_path / "none").losses() == () and not (tmp_path / "none").exists()


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_whole_lines_that_are_gone_are_counted(journal: Journal, kept: int, caplog: pytest.LogCaptureFixture) -> None:
    journal.file.write_bytes(b"".join(lines(journal)[:kept]))
    assert len(journal.entries()) == kept and told(journal) == [(kept, 3 - kept, 0)]
    journal.entries()
    said = f"the journal's end after entry {kept}: at least {3 - kept} entries that were on the disk are lost"
    assert [record.getMessage() for record in caplog.records] == [f"{journal.file}: {said}"]  # once, not at each look


def test_a_file_that_is_gone_is_a_loss(journal: Journal) -> None:
    journal.file.unlink()
    assert journal.entries() == [] and told(journal) == [(0, 3, 0)]


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw[:-1] + b"X", lambda raw: raw[:-1] + b"\0"])
def test_a_changed_last_newline_is_told(journal: Journal, change: Callable[[bytes], bytes]) -> None:
    last = len(lines(journal)[-1])
    journal.file.write_bytes(change(journal.file.read_bytes()))
    ((after, lost, torn),) = told(journal)
    assert (after, lost) == (2, 1) and torn in (last - 1, last)
    assert len(journal.entries()) == 2


def test_a_line_torn_while_it_was_written_is_told_and_no_entry_is_lost(journal: Journal) -> None:
    with open(journal.file, "ab") as file:
        file.write(b'{"at":"20')
    assert told(journal) == [(3, 0, 9)] and len(journal.entries()) == 3
    assert str(journal.losses()[0]).endswith("after entry 3: a line of 9 bytes is torn: its entry never counted")


def test_what_was_found_is_noted_at_the_next_entry_and_told_ever_after(journal: Journal) -> None:
    journal.file.write_bytes(b"".join(lines(journal)[:2]) + b"half")
    assert journal.write("end", {}).seq == 3
    assert told(journal) == [(2, 1, 4)] and journal.losses()[0].found.endswith("+00:00")
    assert [entry.kind for entry in journal.entries()] == ["step", "step", "end"]
    journal.file.write_bytes(journal.file.read_bytes() + b"torn again")
    assert journal.write("end", {}).seq == 4
    assert told(Journal(journal.file.parent)) == [(2, 1, 4), (3, 0, 10)]
    assert read_head(journal.head) == Head(4, journal.entries()[-1].hash)


def test_a_note_is_made_once_though_its_writer_died_at_any_point(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.file.write_bytes(b"".join(lines(journal)[:2]) + b"half")

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("_write", "head"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(
                *((Journal, "_write", dies) if step == "_write" else ("deployments.journal.journal.write_head", dies))
            )
            journal.write("end", {})
        assert told(journal) == [(2, 1, 4)], step
    assert journal.write("end", {}).seq == 4  # the one before was written, its head was not
    assert told(journal) == [(2, 1, 4)]


def test_other_entries_in_the_place_of_those_that_were_there_are_told(journal: Journal, tmp_path: Path) -> None:
    other = Journal(tmp_path / "other")
    for _ in range(4):
        other.write("step", {"name": "invented", "seconds": 1.0})
    journal.file.write_bytes(other.file.read_bytes())
    assert told(journal) == [(4, 1, 0)]


def test_a_journal_of_an_earlier_version_has_no_head_and_lost_nothing(journal: Journal) -> None:
    journal.head.unlink()
    assert told(journal) == []
    journal.file.write_bytes(b"".join(lines(journal)[:2]))
    assert told(journal) == []  # nobody knows
    journal.write("end", {})
    assert read_head(journal.head) == Head(3, journal.entries()[-1].hash) and told(journal) == []


@pytest.mark.parametrize(
    "content", [b"", b"\0" * LENGTH, b"3 abc", b"9 " + b"a" * 64 + b" " + b"0" * 16, b"\xff" * 200]
)
def test_a_head_that_is_torn_itself_claims_nothing(journal: Journal, content: bytes) -> None:
    journal.head.write_bytes(content)
    assert told(journal) == []
    journal.write("end", {})
    assert read_head(journal.head) == Head(4, journal.entries()[-1].hash)


def test_a_head_that_cannot_be_written_stays_behind_and_claims_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert journal.write("end", {}).seq == 4
    assert "No space" in caplog.text and told(journal) == []
    assert (read_head(journal.head) or Head(0, "")).seq == 3
    assert journal.write("end", {}).seq == 5
    assert (read_head(journal.head) or Head(0, "")).seq == 5


def test_where_no_note_can_be_made_the_head_stays_the_proof(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.file.write_bytes(b"".join(lines(journal)[:1]))
    with monkeypatch.context() as patch:
        patch.setattr("deployments.journal.journal.note_loss", lambda *_: False)
        assert journal.write("end", {}).seq == 2
    assert told(journal) == [(2, 1, 0)]
    assert journal.write("end", {}).seq == 3
    assert told(journal) == [(2, 1, 0)] and (read_head(journal.head) or Head(0, "")).seq == 3


def test_a_note_that_was_torn_hides_no_other(journal: Journal) -> None:
    journal.lost.write_bytes(b'{"after":')
    journal.file.write_bytes(b"".join(lines(journal)[:2]))
    journal.write("end", {})
    assert told(journal) == [(0, 0, 9), (2, 1, 0)]


def test_notes_that_cannot_be_read_are_an_error_of_ours(journal: Journal) -> None:
    journal.lost.mkdir()
    with pytest.raises(JournalError, match="journal.losses: cannot be read"):
        journal.losses()


def test_a_line_that_is_just_being_written_is_no_torn_one(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, read = journal.file.read_bytes(), journal.read
    looks = iter([whole + b'{"at":', whole])
    monkeypatch.setattr(journal, "read", lambda: next(looks))
    assert journal.losses() == ()
    monkeypatch.setattr(journal, "read", read)
    assert journal.losses() == ()


def test_only_the_newest_of_two_heads_counts(tmp_path: Path) -> None:
    file = tmp_path / "head"
    write_head(file, Head(1_000_000, "a" * 64))
    write_head(file, Head(7, "b" * 64))
    assert read_head(file) == Head(7, "b" * 64)


@pytest.mark.fuzz
@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_none(content: bytes) -> None:
    class File:
        def read_bytes(self) -> bytes:
            return content

    file: Any = File()
    head = read_head(file)
    assert head is None or heads._mark(f"{head.seq} {head.hash}").encode() in content


@pytest.mark.fuzz
@given(data=st.data())
def test_no_end_is_lost_in_silence(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    journal = Journal(tmp_path_factory.mktemp("place"))
    for number in range(data.draw(st.integers(1, 4))):
        journal.write("step", {"name": str(number), "seconds": 0.5})
    whole = journal.file.read_bytes()
    kept = data.draw(st.integers(0, len(whole) - 1))
    tail = data.draw(st.binary(max_size=12).filter(lambda tail: b"\n" not in tail))
    journal.file.write_bytes(whole[:kept] + tail)
    if journal.file.read_bytes() == whole:
        return
    try:
        left = len(journal.entries())
    except JournalError:
        return
    ((after, lost, torn),) = told(journal)
    assert (after, lost) == (left, whole.count(b"\n") - left)
    assert torn == len((whole[:kept] + tail).rpartition(b"\n")[2])
    journal.write("end", {})
    assert told(journal) == [(after, lost, torn)]
    assert json.loads(journal.lost.read_bytes())["lost"] == lost
