"""What a webhook's body says, and what of it is refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.notify.webhooks import (
    EARLIEST,
    LATEST,
    Change,
    Ignored,
    Kind,
    Refused,
    Run,
    line_of,
    overtaken,
    read_event,
    superseded,
    too_old,
    wanted,
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


def said(event: str, body: Any) -> str:
    """Return why nothing follows, and as what it is counted."""
    found = read_event(event, json.dumps(body).encode() if not isinstance(body, bytes) else body, NOW)
    assert isinstance(found, Ignored), found
    return found.counted_as


def action(name: str, base: str = "main", **more: Any) -> bytes:
    made = json.loads(proposal("2026-03-01T12:00:00Z"))
    made["pull_request"]["base"]["ref"] = base
    return json.dumps({**made, "action": name, **more}).encode()


RETARGETED = {"base": {"ref": {"from": "develop"}, "sha": {"from": C}}}


@pytest.mark.parametrize("name", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_a_pull_request_that_brings_a_commit_is_followed(name: str) -> None:
    assert read("pull_request", action(name)).commit == A
    draft = json.loads(action(name))
    draft["pull_request"]["draft"] = True  # a draft is checked like any other: its author waits for the same answer
    assert read("pull_request", json.dumps(draft).encode()).commit == A


def test_a_pull_request_with_another_base_is_followed() -> None:
    moved = read("pull_request", action("edited", changes=RETARGETED))
    assert (moved.kind, moved.target, moved.commit, line_of(moved)) == (Kind.PULL_REQUEST, "main", A, "pull/7")
    both = {**RETARGETED, "title": {"from": "old"}}
    assert read("pull_request", action("edited", changes=both)).target == "main"


@pytest.mark.parametrize(
    "changes", [None, {}, {"title": {"from": "old"}}, {"body": {"from": "x"}}, {"base": None}], ids=str
)
def test_a_pull_request_with_another_text_is_not(changes: Any) -> None:
    assert said("pull_request", action("edited", **({} if changes is None else {"changes": changes}))) == (
        "pull_request.edited"
    )


@pytest.mark.parametrize("changes", [5, "base", [1], {"base": 5}, {"base": "main"}])
def test_changes_of_another_shape_are_refused(changes: Any) -> None:
    with pytest.raises(Refused, match="changes"):
        read_event("pull_request", action("edited", changes=changes), NOW)


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        *(
            (name, f"pull_request.{name}")
            for name in ("closed", "converted_to_draft", "labeled", "enqueued", "dequeued")
        ),
        ("teleported", "pull_request.other"),
        ("", "pull_request.other"),
        ("x" * 40, "pull_request.other"),
        ("\x1b[2J\u202e", "pull_request.other"),
    ],
)
def test_other_actions_are_ignored_and_counted_under_a_name_of_ours(name: str, counted: str) -> None:
    assert said("pull_request", action(name)) == counted


def test_an_unknown_action_is_ignored_whatever_its_body_holds() -> None:
    assert said("pull_request", {"action": "teleported", "pull_request": "gone"}) == "pull_request.other"
    with pytest.raises(Refused, match="action"):
        read_event("pull_request", b"{}", NOW)
    with pytest.raises(Refused, match="action"):
        read_event("pull_request", action("x" * 41), NOW)


def group(head_ref: str = "refs/heads/gh-readonly-queue/main/pr-104-" + B, name: str = "checks_requested") -> Any:
    made = {"id": A, "timestamp": "2026-03-01T13:00:00+01:00", "author": {"name": "Ann", "email": "ann@example.com"}}
    shas = {"head_sha": A, "base_sha": B}
    queued = {**shas, "head_ref": head_ref, "base_ref": "refs/heads/main", "head_commit": made}
    return {"action": name, "merge_group": queued, "repository": {"full_name": "team/app"}}


def test_a_merge_queue_that_asks_for_checks_gets_them() -> None:
    found = read("merge_group", json.dumps(group()).encode())
    branch = f"gh-readonly-queue/main/pr-104-{B}"
    assert found == Change(
        Kind.MERGE_GROUP, "team/app", branch, A, B, NOW, "Ann", "ann@example.com", target="main", fork=False
    )
    assert line_of(found) == f"queue/{branch}"  # not the name of a pushed branch, whose newest commit may be released
    assert wanted(found, "team/app", ("main",), forks=False) is None
    assert wanted(found, "team/app", ("develop",), forks=False) == Ignored("not a configured branch")


def test_a_merge_queue_without_a_commit_of_its_own_is_of_now() -> None:
    body = group()
    del body["merge_group"]["head_commit"]
    assert read("merge_group", json.dumps(body).encode()).at == NOW


@pytest.mark.parametrize(
    ("body", "counted"),
    [(group(name="destroyed"), "merge_group.destroyed"), (group(name="merged"), "merge_group.other")],
)
def test_a_merge_queue_that_asks_for_nothing_is_ignored(body: Any, counted: str) -> None:
    assert said("merge_group", body) == counted


@pytest.mark.parametrize(
    "change",
    [{"head_sha": "HEAD"}, {"head_ref": "refs/heads/-x"}, {"base_ref": "refs/heads/a..b"}, {"base_sha": None}]
    + [{"head_commit": {"timestamp": "9999-12-31T23:59:59-14:00"}}, {"head_ref": "refs/heads/\u202emain"}],
)
def test_a_malformed_merge_group_is_refused(change: dict[str, Any]) -> None:
    body = group()
    body["merge_group"] |= change
    with pytest.raises(Refused):
        read_event("merge_group", json.dumps(body).encode(), NOW)


def test_pushes_without_a_commit_of_a_branch_are_ignored() -> None:
    whole = json.loads(push())
    assert said("push", {**whole, "deleted": True, "after": "0" * 40}) == "push.deleted"
    assert said("push", {**whole, "after": "0" * 40}) == "push.deleted"
    assert said("push", {**whole, "ref": "refs/tags/v1"}) == "push.tag"
    assert said("push", {**whole, "ref": "refs/notes/commits"}) == "push.note"
    forced = read("push", json.dumps({**whole, "forced": True}).encode())
    assert (forced.commit, forced.before) == (A, B)  # a forced push is a push
    created = read("push", json.dumps({**whole, "created": True, "before": "0" * 40}).encode())
    assert created.commit == A


@pytest.mark.parametrize(
    ("event", "counted"),
    [("ping", "ping"), ("issues", "issues"), ("check_suite", "check_suite"), ("workflow_run", "workflow_run")]
    + [("x" * 5000, "other"), ("a-new-one", "other"), ("Push", "other"), ("push ", "other"), ("\u202e", "other")],
)
def test_other_events_are_ignored_and_counted_under_a_name_of_ours(event: str, counted: str) -> None:
    assert said(event, b"anything") == counted


def texts() -> st.SearchStrategy[str]:
    return st.text(max_size=50) | st.sampled_from(["main", "refs/heads/main", A, "2026-03-01T12:00:00Z", "team/app"])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
    max_leaves=6,
)
KEPT_KEYS = ("action", "pull_request", "repository", "merge_group", "after", "ref", "pusher", "changes", "before")
DEEPER = (
    "head",
    "base",
    "updated_at",
    "head_sha",
    "head_ref",
    "head_commit",
    "pushed_at",
    "full_name",
    "number",
    "user",
)


@pytest.mark.fuzz
@given(
    event=st.sampled_from(["push", "pull_request", "merge_group"]) | st.text(max_size=60),
    body=st.sampled_from([push(), action("edited", changes=RETARGETED), json.dumps(group()).encode()]),
    changes=st.lists(
        st.tuples(st.sampled_from(KEPT_KEYS), st.sampled_from(("", *DEEPER)), VALUES | st.just("absent")), max_size=3
    ),
)
def test_any_body_is_a_change_or_ignored_or_refused(event: str, body: bytes, changes: list[Any]) -> None:
    made = json.loads(body)
    for key, below, value in changes:
        place, name = (made[key], below) if below and isinstance(made.get(key), dict) else (made, key)
        place.pop(name, None) if value == "absent" else place.update({name: value})
    try:
        found = read_event(event, json.dumps(made).encode(errors="surrogatepass"), NOW)
    except Refused as error:
        assert str(error).isprintable() and len(str(error)) <= 300
        return
    if isinstance(found, Ignored):
        assert found.counted_as and len(found.counted_as) < 80 and found.reason.isprintable()
        return
    assert EARLIEST <= found.at < LATEST and found.at.tzinfo is UTC
    assert too_old(found, NOW, timedelta(days=1)) in (True, False)
    assert found.branch.isprintable() and found.target.isprintable() and line_of(found)


@pytest.mark.fuzz
@given(event=st.sampled_from(["push", "pull_request", "merge_group", "ping"]), body=st.binary(max_size=300))
def test_any_bytes_are_ignored_or_refused(event: str, body: bytes) -> None:
    try:
        assert isinstance(read_event(event, body, NOW), Ignored)
    except Refused as error:
        assert str(error).startswith(event)


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
