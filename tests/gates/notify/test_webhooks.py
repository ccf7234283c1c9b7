"""What a webhook's body says, and what of it is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gates.notify.webhooks import (
    EARLIEST,
    LATEST,
    Change,
    Kind,
    Refused,
    Run,
    overtaken,
    read_event,
    superseded,
    too_old,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, B, C = "a" * 40, "b" * 40, "c" * 40
SECOND = timedelta(seconds=1)


def push(pushed_at: Any = 1772366400, branch: str = "main") -> bytes:
    repository = {"full_name": "team/app", "pushed_at": pushed_at}
    body = {"ref": f"refs/heads/{branch}", "before": B, "after": A, "repository": repository}
    return json.dumps({**body, "pusher": {"name": "Ann", "email": "ann@example.com"}}).encode()


def proposal(updated_at: str) -> bytes:
    side = {"ref": "topic", "sha": A, "repo": {"full_name": "team/app"}}
    asked = {"number": 7, "head": side, "base": {**side, "ref": "main", "sha": B}, "updated_at": updated_at}
    return json.dumps({"action": "opened", "pull_request": asked, "repository": {"full_name": "team/app"}}).encode()


def read(event: str, body: bytes) -> Change:
    change = read_event(event, body, NOW)
    assert isinstance(change, Change)
    return change


@pytest.mark.parametrize(
    ("pushed_at", "at"),
    [
        (1772366400, NOW),
        (int(EARLIEST.timestamp()), EARLIEST),
        (int(LATEST.timestamp()) - 1, LATEST - SECOND),
        ("2026-03-01T13:00:00+01:00", NOW),
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T12:00:00", NOW),  # without a zone it is UTC
        (None, NOW),
    ],
)
def test_a_push_is_read_with_its_time_in_utc(pushed_at: Any, at: datetime) -> None:
    change = read("push", push(pushed_at))
    assert (change.at, change.at.tzinfo, change.branch, change.commit, change.before) == (at, UTC, "main", A, B)


@pytest.mark.parametrize(
    "pushed_at",
    [
        -1,
        int(LATEST.timestamp()),
        10**12,
        2**63,
        10**30,
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59",
    ],
)
def test_a_push_at_an_impossible_time_is_refused(pushed_at: Any) -> None:
    with pytest.raises(Refused):
        read_event("push", push(pushed_at), NOW)


@pytest.mark.parametrize("updated_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_pull_request_at_an_impossible_time_is_refused(updated_at: str) -> None:
    with pytest.raises(Refused, match="a time that no clock shows"):
        read_event("pull_request", proposal(updated_at), NOW)


def test_a_pull_request_is_read_with_its_time_in_utc() -> None:
    assert read("pull_request", proposal("2026-03-01T14:00:00+02:00")).at == NOW


@pytest.mark.parametrize("branch", ["main", "topic/a-b.c", "a@b", "-".join("ab"), "release-1.0", "grün"])
def test_a_branch_that_git_accepts(branch: str) -> None:
    assert read("push", push(branch=branch)).branch == branch


@pytest.mark.parametrize(
    "branch",
    ["-x", ".x", "a/.x", "@", "a..b", "a@{b", "a.lock", "a.lock/b", "a/", "a.", "/a", "a//b", "a b", "a~b", "a^b"]
    + ["a:b", "a?b", "a*b", "a[b", "a\\b", "a\x7fb", "a\u2028b", "a\u202eb", "a\u200bb"],
)
def test_a_branch_that_git_refuses_or_nobody_sees_is_refused(branch: str) -> None:
    with pytest.raises(Refused, match="branch name"):
        read_event("push", push(branch=branch), NOW)


def change(at: datetime = NOW, commit: str = A) -> Change:
    return Change(Kind.PUSH, "team/app", "main", commit, B, at, "Ann")


@pytest.mark.parametrize(
    ("age", "old"), [(timedelta(hours=1), False), (timedelta(hours=1, microseconds=1), True), (-SECOND, False)]
)
def test_the_replay_window_ends_after_its_last_moment(age: timedelta, old: bool) -> None:
    assert too_old(change(NOW - age), NOW, timedelta(hours=1)) is old


@pytest.mark.parametrize(
    ("newest", "late"),
    [
        (None, False),
        ((NOW + SECOND, A, B), False),  # the same commit
        ((NOW + SECOND, B, C), True),
        ((NOW, B, C), False),
        ((NOW, B, A), True),  # the same second, and the other one was built on this
        ((NOW - SECOND, B, A), False),
    ],
)
def test_a_change_is_overtaken_by_a_later_one(newest: tuple[datetime, str, str] | None, late: bool) -> None:
    assert overtaken(change(), newest) is late


@pytest.mark.parametrize(
    ("run", "cancelled"),
    [
        (Run("1", B, "RUNNING", True), True),
        (Run("1", B, "RUNNING", False), False),  # a person started it
        (Run("1", A, "RUNNING", True), False),  # not an older commit
        (Run("1", C, "RUNNING", True), False),  # the newest commit of another branch
        *((Run("1", B, state, True), False) for state in ("COMPLETED", "FAILED", "CANCELLED", "CRASHED", "CANCELLING")),
    ],
)
def test_runs_of_older_commits_are_superseded(run: Run, cancelled: bool) -> None:
    assert superseded([run], older=[B, C], heads=[C]) == ([run] if cancelled else [])
