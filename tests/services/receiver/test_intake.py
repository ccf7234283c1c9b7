"""What becomes of a change: kept once, in order, or refused."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gates.notify.webhooks import Change, Kind
from notify.outbox import INCOMING, Outbox
from services.receiver.intake import OLDER_KEPT, Intake
from settings.notify import Notify

NOW = datetime.now(UTC).replace(microsecond=0)  # what is remembered is forgotten by the clock
CONFIG = {"github": {"repository": "team/app"}, "receiver": {"replay_hours": 2}}
A, B, C = "a" * 40, "b" * 40, "c" * 40


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(Notify.model_validate(CONFIG), Outbox(tmp_path / "outbox.sqlite"))


def change(commit: str, before: str, at: datetime = NOW) -> Change:
    return Change(Kind.PUSH, "team/app", "main", commit, before, at, "Ann")


def kept(intake: Intake) -> list[str]:
    return [item.body["commit"] for item in intake.outbox.due(INCOMING)]


def test_a_body_is_taken_once_under_any_delivery(intake: Intake) -> None:
    assert intake.take(change(A, B), "delivery-1", b"body", NOW)[0] == 202
    assert intake.take(change(A, B), "delivery-2", b"body", NOW) == (409, "it was received before")
    assert kept(intake) == [A]


class Recording(Outbox):
    """An outbox that writes down until when names are remembered."""

    until: list[datetime]

    def accept(self, names: Sequence[str], until: datetime, *item: Any) -> bool:
        self.until = [*getattr(self, "until", []), until]
        return super().accept(names, until, *item)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (NOW, NOW + timedelta(hours=4)),
        (NOW - timedelta(hours=2), NOW + timedelta(hours=4)),
        (NOW + timedelta(hours=3), NOW + timedelta(hours=7)),  # it is not too old until five hours from now
    ],
)
def test_a_body_is_remembered_longer_than_it_would_be_accepted(tmp_path: Path, at: datetime, until: datetime) -> None:
    outbox = Recording(tmp_path / "outbox.sqlite")
    intake = Intake(Notify.model_validate(CONFIG), outbox)
    assert intake.take(change(A, B, at), "delivery-1", b"body", NOW)[0] == 202
    assert outbox.until == [until]


def test_a_change_older_than_the_window_is_refused(intake: Intake) -> None:
    at = NOW - timedelta(hours=2, seconds=1)
    assert intake.take(change(A, B, at), "delivery-1", b"body", NOW) == (409, "it happened more than 2:00:00 ago")
    assert kept(intake) == []


def test_the_commits_before_are_remembered_without_the_newest_and_not_without_end(intake: Intake) -> None:
    commits = [f"{number:040x}" for number in range(OLDER_KEPT + 3)]
    for number, commit in enumerate(commits):
        at = NOW + timedelta(seconds=number)
        before = commits[number - 1]
        assert intake.take(change(commit, before, at), f"delivery-{number}", commit.encode(), NOW)[0] == 202
    newest = intake.newest("branch/main")
    assert newest is not None
    assert newest["commit"] == commits[-1]
    assert newest["older"] == commits[-1 - OLDER_KEPT : -1]


def test_a_commit_that_comes_back_is_not_among_its_own_older_ones(intake: Intake) -> None:
    for number, (commit, before) in enumerate([(A, C), (B, A), (A, B)]):
        at = NOW + timedelta(seconds=number)
        assert intake.take(change(commit, before, at), f"delivery-{number}", str(number).encode(), NOW)[0] == 202
    newest = intake.newest("branch/main")
    assert newest is not None
    assert (newest["commit"], newest["older"]) == (A, [B])


def test_of_two_deliveries_at_once_the_later_change_stays_the_newest(intake: Intake) -> None:
    """The first stands still between looking and writing; the second must not slip in there."""
    looked, go_on = threading.Event(), threading.Event()
    look = intake.newest
    second = threading.Thread(
        target=lambda: intake.take(change(B, A, NOW + timedelta(seconds=1)), "delivery-2", b"2", NOW)
    )

    def slow_look(line: str) -> object:
        known = look(line)
        if threading.current_thread() is not second:
            looked.set()
            go_on.wait()
        return known

    intake.newest = slow_look  # type: ignore[method-assign, assignment]
    first = threading.Thread(target=lambda: intake.take(change(A, C), "delivery-1", b"1", NOW))
    first.start()
    looked.wait()
    second.start()
    second.join(0.05)  # it waits for the first; without the lock it would be through by now
    go_on.set()
    first.join()
    second.join()
    intake.newest = look  # type: ignore[method-assign]
    newest = intake.newest("branch/main")
    assert newest is not None
    assert (newest["commit"], newest["older"]) == (B, [A])
