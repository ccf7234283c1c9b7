"""Webhooks over real HTTP: what is taken, what is refused, and that nothing taken is lost."""

import hashlib
import hmac
import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from host.errors import OutboxError
from notify.outbox import Outbox
from services.receiver.forward import Forwarder
from services.receiver.intake import Intake
from services.receiver.main import Receiver, keep_small
from settings.notify import Notify
from tests.prefect_server import PrefectServer, a_home, prefect_server
from tests.serving import serving

SECRET = "the webhook's secret"
A, B, C = "a" * 40, "b" * 40, "c" * 40


class World:
    """A receiver, its outbox on disk, and a forwarder to a Prefect server."""

    def __init__(self, directory: Path, notify: Notify) -> None:
        self.notify = notify
        self.outbox = Outbox(directory / "outbox.sqlite")
        self.intake = Intake(notify, self.outbox)
        self.url = ""

    def push(self, branch: str = "main", after: str = A, at: float | None = None, **more: Any) -> dict[str, Any]:
        repository = {"full_name": "team/app", "pushed_at": int(at or time.time())}
        body = {"ref": f"refs/heads/{branch}", "before": C, "after": after, "repository": repository}
        return {**body, "pusher": {"name": "Ann", "email": "ann@example.com"}, **more}

    def deliver(
        self,
        body: Any,
        event: str = "push",
        delivery: str | None = None,
        secret: str = SECRET,
        headers: dict[str, str | None] | None = None,
    ) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": delivery or str(uuid.uuid4()),
            "x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest(),
            **(headers or {}),
        }
        sent = {name: value for name, value in given.items() if value is not None}
        return httpx.post(f"{self.url}/github", content=raw, headers=sent)

    def waiting(self) -> int:
        return self.outbox.backlog("incoming").waiting


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(
        tmp_path, Notify.model_validate({"github": {"repository": "team/app", "forks": True, "token": "env:X"}})
    )
    with serving(Receiver(made.notify, SECRET, made.intake).app) as made.url:
        yield made


def test_a_signed_push_is_kept_once(world: World) -> None:
    body = world.push()
    assert world.deliver(body, delivery="first-delivery").status_code == 202
    assert world.deliver(body, delivery="first-delivery").status_code == 409
    assert world.deliver(body, delivery="another-id-of-the-same-body").status_code == 409
    assert world.deliver(world.push(after=B), delivery="first-delivery").status_code == 409
    assert world.waiting() == 1


def test_the_newest_commit_again_starts_nothing(world: World) -> None:
    assert world.deliver(world.push()).status_code == 202
    again = world.push(before=B)
    assert "nothing new" in world.deliver(again).json()["said"]
    assert world.deliver(again).status_code == 409
    assert world.waiting() == 1


def test_what_was_received_is_remembered_across_restarts(world: World, tmp_path: Path) -> None:
    body = world.push()
    assert world.deliver(body).status_code == 202
    again = World(tmp_path, world.notify)
    with serving(Receiver(again.notify, SECRET, again.intake).app) as again.url:
        assert again.deliver(body).status_code == 409
        assert again.waiting() == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"x-hub-signature-256": None},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": "sha256=" + "0" * 64},
        {"x-hub-signature-256": None, "x-hub-signature": "sha1=" + "0" * 40},
    ],
)
def test_forged_is_refused(world: World, headers: dict[str, str | None]) -> None:
    assert world.deliver(world.push(), headers=headers).status_code == 401
    assert world.waiting() == 0


def test_signed_with_another_secret_is_refused(world: World) -> None:
    assert world.deliver(world.push(), secret="guessed").status_code == 401


def test_oversized_is_refused_with_and_without_a_length(tmp_path: Path) -> None:
    small = World(tmp_path, Notify.model_validate({"receiver": {"largest_bytes": 1000}}))
    with serving(Receiver(small.notify, SECRET, small.intake).app) as small.url:
        fits = small.push()
        fits["pad"] = "x" * (1000 - len(json.dumps({**fits, "pad": ""})))
        assert len(json.dumps(fits)) == 1000
        assert small.deliver(fits).status_code == 202
        fits["pad"] += "x"
        assert small.deliver(fits).status_code == 413
        place = urlsplit(small.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        connection.request("POST", "/github", body=iter([b"x" * 600, b"x" * 600]), encode_chunked=True)
        assert connection.getresponse().status == 413
        assert small.waiting() == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"[" * 100_000,
        {"ref": 5},
        {"ref": "refs/heads/main", "before": C, "after": "A" * 40, "repository": {"full_name": "team/app"}},
        {"ref": "refs/heads/a..b", "before": C, "after": A, "repository": {"full_name": "team/app"}},
        {"ref": "refs/heads/-x;rm\n", "before": C, "after": A, "repository": {"full_name": "team/app"}},
        {"ref": "refs/heads/main", "before": C, "after": A, "repository": {"full_name": "../x"}},
    ],
)
def test_malformed_is_refused(world: World, body: Any) -> None:
    assert world.deliver(body).status_code == 400
    assert world.waiting() == 0


def test_malformed_headers_are_refused(world: World) -> None:
    assert world.deliver(world.push(), headers={"x-github-delivery": None}).status_code == 400
    assert world.deliver(world.push(), delivery="short").status_code == 400
    assert world.deliver(world.push(), headers={"x-github-event": None}).status_code == 400
    assert world.deliver(world.push(), headers={"content-type": "application/x-www-form-urlencoded"}).status_code == 415


def test_other_paths_and_methods_are_refused(world: World) -> None:
    assert httpx.get(f"{world.url}/github").status_code == 405
    assert httpx.post(f"{world.url}/other").status_code == 404
    assert httpx.get(f"{world.url}/health").json() == {"ok": True, "waiting": 0}


def test_replay_window_has_two_sides(world: World) -> None:
    hours = world.notify.receiver.replay_hours * 3600
    assert world.deliver(world.push(at=time.time() - hours - 60)).status_code == 409
    assert world.deliver(world.push(at=time.time() - hours + 60)).status_code == 202


def test_a_clock_behind_loses_nothing_and_repeats_nothing(world: World) -> None:
    body = world.push(at=time.time() + 90_000)
    assert world.deliver(body).status_code == 202
    assert world.deliver(body).status_code == 409


def test_out_of_order_is_refused(world: World) -> None:
    now = time.time()
    assert world.deliver(world.push(after=B, at=now)).status_code == 202
    late = world.deliver(world.push(after=A, at=now - 5))
    assert (late.status_code, late.json()["said"][:12]) == (409, "out of order")
    assert world.deliver(world.push(after=C, at=now)).status_code == 409  # what B was pushed onto, within one second
    assert world.deliver(world.push("develop", after=A, at=now - 5)).status_code == 202  # another branch


@pytest.mark.parametrize(
    ("event", "change"),
    [
        ("ping", {}),
        ("issues", {}),
        ("push", {"ref": "refs/heads/feature/x"}),
        ("push", {"ref": "refs/tags/v1"}),
        ("push", {"after": "0" * 40, "deleted": True}),
        ("push", {"repository": {"full_name": "team/other"}}),
    ],
)
def test_nothing_follows_from_what_is_not_configured(world: World, event: str, change: dict[str, Any]) -> None:
    answer = world.deliver(world.push(**change), event)
    assert (answer.status_code, answer.json()["said"][:9]) == (200, "ignored: ")
    assert world.waiting() == 0


def test_what_is_ignored_is_counted_by_a_name_of_ours_and_only_when_signed(world: World) -> None:
    assert world.deliver({"action": "labeled"}, "pull_request").status_code == 200
    for number in range(3):
        assert world.deliver({}, f"made-up-{number}").status_code == 200
        assert world.deliver({"action": f"made-up-{number}"}, "pull_request").status_code == 200
        assert world.deliver({}, f"made-up-{number}", secret="guessed").status_code == 401
        assert world.deliver({}, "issues", secret="guessed").status_code == 401
    assert world.outbox.counts("ignored:") == {"other": 3, "pull_request.labeled": 1, "pull_request.other": 3}


def test_what_cannot_be_counted_is_ignored_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(name: str) -> None:
        raise OutboxError("the disk is full")

    monkeypatch.setattr(world.outbox, "count", full)
    assert world.deliver({}, "issues").status_code == 200


def pull_request(head: str = B, source: str | None = "team/app", action: str = "opened", base: str = "main") -> Any:
    asked = {
        "number": 7,
        "updated_at": "2999-01-01T00:00:00Z",
        "user": {"login": "ann"},
        "head": {"ref": "feature/x", "sha": head, "repo": {"full_name": source} if source else None},
        "base": {"ref": base, "sha": C, "repo": {"full_name": "team/app"}},
    }
    return {"action": action, "pull_request": asked, "repository": {"full_name": "team/app"}}


def test_names_that_inject_stay_text(world: World, prefect: tuple[PrefectServer, Forwarder]) -> None:
    asked = pull_request(source="stranger/app")
    asked["pull_request"]["head"]["ref"] = "x`id`$(id);<!channel>|{{event}}&&'\""
    asked["pull_request"]["user"]["login"] = "<@U1> | **x** {{ 7*7 }}"
    assert world.deliver(asked, "pull_request").status_code == 202
    prefect[1].work()
    (event,) = prefect[0].events
    # as they came, in the payload and a label; the resource's id, which automations match, is ours
    assert event["payload"]["branch"] == event["resource"]["slipway.branch"] == "x`id`$(id);<!channel>|{{event}}&&'\""
    assert event["payload"]["author"] == "<@U1> | **x** {{ 7*7 }}"
    assert event["resource"]["prefect.resource.id"] == "slipway.github.pull/7"


def test_full_disk_asks_to_deliver_again(world: World) -> None:
    world.outbox.backlog("incoming")
    world.outbox.file.unlink()
    world.outbox.file.mkdir()
    world.outbox.__dict__.pop("_engine").dispose()
    assert world.deliver(world.push()).status_code == 503
    assert httpx.get(f"{world.url}/health").status_code == 503


@pytest.fixture
def prefect(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PrefectServer, Forwarder]]:
    with prefect_server(a_home(tmp_path), monkeypatch) as (server, api):
        yield server, Forwarder(world.notify, world.outbox, threading.Event(), api)


def pass_time(world: World) -> None:
    """Make everything due that waits."""
    for item in world.outbox.due("incoming", 1000) or []:
        world.outbox.postpone(item, 0)
    with world.outbox._transaction() as connection:
        connection.exec_driver_sql("UPDATE items SET due = 0")


def test_the_event_holds_strings_only(world: World, prefect: tuple[PrefectServer, Forwarder]) -> None:
    server, forwarder = prefect
    world.deliver(pull_request(source="stranger/app"), "pull_request")
    world.deliver(world.push("develop", after="1" * 40))
    forwarder.work()
    fork, push = server.events
    assert (fork["event"], push["event"]) == ("slipway.github.pull-request", "slipway.github.push")
    assert fork["resource"]["slipway.fork"] == "true" and fork["payload"]["number"] == "7"
    assert push["resource"]["slipway.fork"] == "false" and push["payload"]["commit"] == "1" * 40
    assert all(isinstance(value, str) for event in (fork, push) for value in event["payload"].values())


def test_forks_start_nothing_unless_configured(world: World) -> None:
    config = {"github": {"repository": "team/app"}}
    world.intake.notify = Notify.model_validate(config)
    answer = world.deliver(pull_request(source="stranger/app"), "pull_request")
    assert (answer.status_code, world.waiting()) == (200, 0)
    assert "forks" in answer.json()["said"]


def test_a_deleted_fork_is_a_fork(world: World, prefect: tuple[PrefectServer, Forwarder]) -> None:
    world.deliver(pull_request(source=None), "pull_request")
    prefect[1].work()
    assert prefect[0].events[0]["payload"]["fork"] == "true"


def test_nothing_is_lost_while_the_server_is_away(world: World, prefect: tuple[PrefectServer, Forwarder]) -> None:
    server, forwarder = prefect
    server.away = True
    world.deliver(world.push())
    forwarder.work()
    assert server.events == [] and world.waiting() == 1
    assert "503" in world.outbox.backlog("incoming").error
    server.away = False
    pass_time(world)
    forwarder.work()
    assert [event["payload"]["commit"] for event in server.events] == [A]


def test_a_repeated_event_has_the_same_id(world: World, prefect: tuple[PrefectServer, Forwarder]) -> None:
    server, forwarder = prefect
    world.deliver(world.push())
    (item,) = world.outbox.due("incoming")
    forwarder._emit_change(item)
    forwarder._emit_change(item)
    assert server.events[0]["id"] == server.events[1]["id"]


def test_a_newer_push_cancels_older_runs_of_its_branch_only(
    world: World, prefect: tuple[PrefectServer, Forwarder]
) -> None:
    server, forwarder = prefect
    now = time.time()
    world.deliver(world.push(after=A, at=now - 9))
    world.deliver(world.push("develop", after=C, at=now - 8))
    world.deliver(world.push(after=B, at=now, before=A))
    forwarder.work()
    old, late = server.add_run(A), server.add_run(A, "SCHEDULED")
    by_hand, other = server.add_run(A, automatic=False), server.add_run(C)
    new = server.add_run(B)
    pass_time(world)
    forwarder.work()
    assert {run: state["type"] for run, state in server.states} == {old["id"]: "CANCELLING", late["id"]: "CANCELLED"}
    assert "newer" in server.states[0][1]["message"]
    assert {by_hand["state_type"], other["state_type"], new["state_type"]} == {"RUNNING"}


def test_green_develop_is_released_once_and_green_main_is_not(
    world: World, prefect: tuple[PrefectServer, Forwarder]
) -> None:
    server, forwarder = prefect
    world.deliver(world.push("develop", after=A))
    world.deliver(world.push("main", after=B))
    forwarder.work()
    first, second = server.add_run(A), server.add_run(B)
    for state in ("RUNNING", "COMPLETED", "COMPLETED"):
        first["state_type"] = second["state_type"] = state
        pass_time(world)
        forwarder.work()
    green = [event for event in server.events if event["event"] == "slipway.github.green"]
    assert [event["payload"]["commit"] for event in green] == [A]
    assert world.waiting() == 0


@pytest.mark.parametrize("state", ["FAILED", "CRASHED", "CANCELLED"])
def test_what_is_not_green_is_not_released(world: World, prefect: tuple[PrefectServer, Forwarder], state: str) -> None:
    server, forwarder = prefect
    world.deliver(world.push("develop"))
    forwarder.work()
    server.add_run(A, state)
    pass_time(world)
    forwarder.work()
    assert [event["event"] for event in server.events] == ["slipway.github.push"]
    assert world.waiting() == 0
    told = [(item.body["state"], item.body["description"]) for item in world.outbox.due("github")]
    # a run that failed has told it itself
    assert told == ([] if state == "FAILED" else [("error", f"its run ended {state.lower()}")])


def test_a_pull_request_of_a_pushed_commit_starts_nothing_twice(
    world: World, prefect: tuple[PrefectServer, Forwarder]
) -> None:
    server, forwarder = prefect
    asked = pull_request(head=A)
    asked["pull_request"]["head"]["ref"] = "develop"
    world.deliver(world.push("develop", after=A))
    world.deliver(asked, "pull_request")
    forwarder.work()
    assert [event["event"] for event in server.events] == ["slipway.github.push"]


def merge_group(action: str = "checks_requested", head: str = B) -> Any:
    made = {"timestamp": "2999-01-01T00:00:00Z", "author": {"name": "Ann", "email": "ann@example.com"}}
    head_ref = f"refs/heads/gh-readonly-queue/main/pr-7-{C}"
    queued = {"head_sha": head, "head_ref": head_ref, "base_sha": C, "base_ref": "refs/heads/main", "head_commit": made}
    return {"action": action, "merge_group": queued, "repository": {"full_name": "team/app"}}


def test_a_merge_queue_has_its_commit_checked_and_told(world: World, prefect: tuple[PrefectServer, Forwarder]) -> None:
    server, forwarder = prefect
    assert world.deliver(merge_group("destroyed"), "merge_group").status_code == 200
    assert world.deliver(merge_group(), "merge_group").status_code == 202
    forwarder.work()
    (event,) = server.events
    assert (event["event"], event["resource"]["slipway.fork"]) == ("slipway.github.merge-group", "false")
    assert (event["payload"]["commit"], event["payload"]["target"]) == (B, "main")
    server.add_run(B, "COMPLETED")
    pass_time(world)
    forwarder.work()
    assert len(server.events) == 1 and world.waiting() == 0  # what waits in a queue is not released


def test_a_pull_request_that_is_retargeted_is_checked(world: World, prefect: tuple[PrefectServer, Forwarder]) -> None:
    server, forwarder = prefect
    assert world.deliver(pull_request(base="topic"), "pull_request").status_code == 200
    moved = pull_request(action="edited") | {"changes": {"base": {"ref": {"from": "topic"}}}}
    assert world.deliver(moved, "pull_request").status_code == 202
    forwarder.work()
    again = pull_request(action="edited", base="develop") | {"changes": {"base": {"ref": {"from": "main"}}}}
    assert world.deliver(again, "pull_request").status_code == 202
    forwarder.work()
    assert [event["payload"]["target"] for event in server.events] == ["main", "develop"]
    reopened = pull_request(action="reopened", base="develop")
    assert "nothing new" in world.deliver(reopened, "pull_request").json()["said"]
    retitled = pull_request(action="edited", base="develop") | {"changes": {"title": {"from": "old"}}}
    assert world.deliver(retitled, "pull_request").status_code == 200
    assert len(server.events) == 2


@pytest.mark.parametrize(
    "when", [10**12, 2**63, -(2**63), 1e300, "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_signed_webhook_of_no_time_is_refused(world: World, when: Any) -> None:
    repository = {"full_name": "team/app", "pushed_at": when}
    answer = world.deliver(world.push(repository=repository))
    assert answer.status_code == 400 and "pushed_at" in answer.text or "a time that no clock shows" in answer.text
    asked = pull_request()
    asked["pull_request"]["updated_at"] = when
    assert world.deliver(asked, "pull_request").status_code in (400, 409)  # a number is read as one of milliseconds too


def test_the_outbox_is_kept_small_again_and_again(tmp_path: Path) -> None:
    class Counted(Outbox):
        pruned = 0

        def prune(self, now: datetime | None = None) -> None:
            self.pruned += 1
            if self.pruned == 1:
                raise OutboxError("the disk is away for a moment")
            if self.pruned == 3:
                stop.set()

    stop, outbox = threading.Event(), Counted(tmp_path / "outbox.sqlite")
    keep_small(outbox, stop, every_s=0.001)
    assert outbox.pruned == 3
