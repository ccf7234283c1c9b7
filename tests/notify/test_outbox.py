"""The outbox: in order, once, across restarts and between processes."""

import os
import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from host.errors import OutboxError
from notify.outbox import Outbox

SLACK = "slack"
LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite")


def test_items_come_in_order_and_survive_a_restart(outbox: Outbox) -> None:
    for number in range(3):
        outbox.put(SLACK, "message", {"n": number})
    outbox.put("other", "message", {})
    again = Outbox(outbox.file)
    first, *_ = items = again.due(SLACK)
    assert [item.body["n"] for item in items] == [0, 1, 2]
    again.done(first)
    assert [item.body["n"] for item in outbox.due(SLACK)] == [1, 2]
    assert outbox.file.stat().st_mode & 0o777 == 0o600


def test_only_we_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "control" / "outbox.sqlite")
    before = os.umask(0)
    try:
        outbox.put(SLACK, "message", {})
    finally:
        os.umask(before)
    assert outbox.file.parent.stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in outbox.file.parent.iterdir()}
    assert set(modes.values()) == {0o600} and outbox.file.name in modes


def test_what_is_not_due_waits(outbox: Outbox) -> None:
    outbox.put(SLACK, "message", {}, wait_s=60)
    assert outbox.due(SLACK) == []
    outbox.put(SLACK, "message", {"n": 1})
    (item,) = outbox.due(SLACK)
    outbox.postpone(item, 60, "no answer")
    assert outbox.due(SLACK) == []
    backlog = outbox.backlog(SLACK)
    assert (backlog.waiting, backlog.error) == (2, "no answer")


def test_names_are_accepted_once_together_and_forgotten_after_their_time(outbox: Outbox) -> None:
    assert outbox.accept(["a", "b"], LATER, SLACK, "x", {})
    assert not outbox.accept(["c", "b"], LATER, SLACK, "x", {})
    assert outbox.first(["c"], LATER)  # a refused name was not remembered
    over = datetime.now(UTC) - timedelta(seconds=1)
    assert outbox.first(["old"], over) and outbox.first(["old"], over)
    outbox.prune()
    assert not outbox.first(["a"], LATER)
    assert outbox.backlog(SLACK).waiting == 1


def test_entries_and_memory_are_written_together_or_not_at_all(outbox: Outbox) -> None:
    outbox.write([(SLACK, "x", {})], {"seq": 5})
    assert outbox.recall("seq") == 5 and outbox.recall("absent") is None
    with pytest.raises(TypeError):
        outbox.write([(SLACK, "x", {}), (SLACK, "x", {"bad": object()})], {"seq": 6})
    assert outbox.recall("seq") == 5 and outbox.backlog(SLACK).waiting == 1


def test_one_of_many_at_once_is_first(outbox: Outbox) -> None:
    outbox.recall("made")
    won: list[bool] = []
    threads = [threading.Thread(target=lambda: won.append(Outbox(outbox.file).first(["x"], LATER))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").write_text("this is no database, however long it is " * 50)
    with pytest.raises(OutboxError, match="cannot be used"):
        Outbox(tmp_path / "outbox.sqlite").put(SLACK, "x", {})


def test_given_up_is_said_until_something_is_told(outbox: Outbox) -> None:
    for _ in range(2):
        outbox.put(SLACK, "message", {})
    first, second = outbox.due(SLACK)
    outbox.give_up(first, "refused")
    assert "given up: refused" in outbox.backlog(SLACK).trouble(datetime.now(UTC), timedelta(0))
    outbox.settle(second)
    assert outbox.backlog(SLACK).trouble(datetime.now(UTC), timedelta(0)) == ""


def test_what_alerts_left_is_forgotten_in_time_and_nothing_else(outbox: Outbox) -> None:
    now = datetime.now(UTC)
    outbox.write([], {"alert:old": {"over": True}, "journal:production": 7})
    outbox.remember("alert_not_one", 1)
    assert outbox.first(["delivery:x"], now + timedelta(days=3))
    outbox.prune(now + timedelta(days=59))
    assert outbox.recall("alert:old") == {"over": True}
    outbox.prune(now + timedelta(days=61))
    assert outbox.recall("alert:old") is None
    assert (outbox.recall("journal:production"), outbox.recall("alert_not_one")) == (7, 1)
    assert outbox.first(["delivery:x"], now)  # its time was over


def test_what_is_counted_is_found_by_the_beginning_of_its_name(outbox: Outbox) -> None:
    assert outbox.counts("ignored:") == {}
    for name in ("ignored:ping", "ignored:issues", "ignored:ping", "ignoredxping", "other:ping"):
        outbox.count(name)
    assert Outbox(outbox.file).counts("ignored:") == {"issues": 1, "ping": 2}


def test_what_an_earlier_version_remembered_of_alerts_is_forgotten_in_time_too(outbox: Outbox) -> None:
    outbox.remember("alert:ours", 1)
    with sqlite3.connect(outbox.file) as file:
        file.execute("DROP TABLE written")
    again, now = Outbox(outbox.file), datetime.now(UTC)
    again.prune(now)
    assert again.recall("alert:ours") == 1
    again.prune(now + timedelta(days=61))
    assert again.recall("alert:ours") is None
