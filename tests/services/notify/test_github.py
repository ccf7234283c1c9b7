"""What is told to GitHub: in order, until it worked, whatever GitHub answers meanwhile."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from notify.github_api import MARK, GitHubApi, pack
from notify.outbox import GITHUB, Outbox
from services.notify.github import GitHubTeller
from tests.github_server import TOKEN, GitHubServer, html, rate_limited, spent
from tests.serving import serving
from tests.waiting import NEVER_S

COMMIT = "a" * 40
STATUS = {"commit": COMMIT, "context": "slipway/ci", "state": "success", "description": "good", "url": "http://ui/run"}


class World:
    def __init__(
        self, directory: Path, server: GitHubServer, url: str, token: str = TOKEN, timeout_s: float = NEVER_S
    ) -> None:
        self.server = server
        self.outbox = Outbox(directory / "outbox.sqlite")
        self.teller = GitHubTeller(GitHubApi(url, "team/app", token, timeout_s=timeout_s), self.outbox)

    def later(self) -> float:
        """Let time pass until everything is due, and tell it."""
        with self.outbox._transaction() as connection:
            connection.exec_driver_sql("UPDATE items SET due = 0")
        return self.teller.work()

    def waiting(self) -> int:
        return self.outbox.backlog(GITHUB).waiting

    def error(self) -> str:
        return self.outbox.backlog(GITHUB).trouble(datetime.now(UTC), timedelta(minutes=1))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    server = GitHubServer()
    with serving(server.app) as url:
        yield World(tmp_path, server, url)


def test_statuses_are_told_in_order(world: World) -> None:
    for state in ("pending", "failure", "success"):
        world.outbox.put(GITHUB, "status", {**STATUS, "state": state})
    assert world.teller.work() == 0
    assert [body["state"] for _, body in world.server.statuses] == ["pending", "failure", "success"]
    assert world.server.statuses[0][1]["target_url"] == "http://ui/run"
    assert world.waiting() == 0 and world.error() == ""


@pytest.mark.parametrize(
    ("failure", "wait_s"),
    [
        (rate_limited("30"), 30),
        (rate_limited("nonsense"), 60),
        (html(502), 15),
        (html(200), 60),
        (JSONResponse({"message": "boom"}, status_code=500), 15),
        (JSONResponse({"message": "boom"}, status_code=503, headers={"retry-after": "40"}), 40),
        (JSONResponse({"message": "not yours"}, status_code=403), 300),
    ],
)
def test_trouble_keeps_everything_in_order_for_later(world: World, failure: Response, wait_s: float) -> None:
    world.server.failures = [failure]
    world.outbox.put(GITHUB, "status", {**STATUS, "state": "pending"})
    world.outbox.put(GITHUB, "status", STATUS)
    assert world.teller.work() == wait_s
    assert world.server.statuses == []
    assert world.waiting() == 2 and "messages wait; the last try: GitHub" in world.error()
    assert world.later() == 0
    assert [body["state"] for _, body in world.server.statuses][-2:] == ["pending", "success"]
    assert world.error() == ""


def test_an_answer_that_does_not_come_is_tried_again(tmp_path: Path) -> None:
    server = GitHubServer()
    with serving(server.app) as url:
        world = World(tmp_path, server, url, timeout_s=1)
        server.failures = [60.0]
        world.outbox.put(GITHUB, "status", STATUS)
        assert world.teller.work() == 15
        assert world.waiting() == 1 and re.search(r"does not answer \(\w+Timeout\)", world.error())
        server.failures = []  # a busy host may not have come to ask it
        patient = World(tmp_path, server, url)
        assert patient.later() == 0
        assert server.statuses[-1][1]["state"] == "success" and patient.error() == ""


def test_spent_rate_limit_waits_until_its_reset(world: World) -> None:
    reset = int(time.time()) + 100
    world.server.failures = [spent(reset)]
    world.outbox.put(GITHUB, "status", STATUS)
    waits_s = world.teller.work()
    assert reset - time.time() <= waits_s <= 100, "however long the host took to ask"


def test_server_that_is_not_there(tmp_path: Path) -> None:
    world = World(tmp_path, GitHubServer(), "http://127.0.0.1:9")
    world.outbox.put(GITHUB, "status", STATUS)
    assert world.teller.work() == 15
    assert "does not answer (ConnectError)" in world.error()


def test_what_github_refuses_is_given_up_and_said(world: World) -> None:
    world.outbox.put(GITHUB, "status", {**STATUS, "description": "x" * 10})
    world.server.failures = [JSONResponse({"message": "No commit found for SHA"}, status_code=422)]
    world.teller.work()
    assert world.waiting() == 0
    assert "given up: GitHub answered 422" in world.error()
    world.outbox.put(GITHUB, "status", STATUS)
    world.teller.work()
    assert world.error() == ""


def test_wrong_token_is_said_without_the_token(tmp_path: Path) -> None:
    server = GitHubServer()
    with serving(server.app) as url:
        world = World(tmp_path, server, url, token="wrong-token")
        world.outbox.put(GITHUB, "status", STATUS)
        assert world.teller.work() == 300
        assert "401" in world.error() and "wrong-token" not in world.error()


def test_comment_is_written_once_and_then_changed(world: World) -> None:
    world.server.pulls[COMMIT] = [7]
    world.server.comments[7] = [
        {"id": 1, "body": f"{MARK}\nI am not the bot", "user": {"login": "mallory", "type": "User"}}
    ]
    for text in ("first", "second"):
        world.outbox.put(GITHUB, "comment", {"commit": COMMIT, "text": text})
        world.teller.work()
    assert [one["body"] for one in world.server.comments[7]] == [f"{MARK}\nI am not the bot", f"{MARK}\nsecond"]


@pytest.mark.parametrize("login", ["slipway-bot", None])
def test_comment_is_found_again_when_its_id_is_forgotten(world: World, tmp_path: Path, login: str | None) -> None:
    world.server.login = login
    world.server.pulls[COMMIT] = [7]
    world.server.comments[7] = [
        {"id": number, "body": "talk", "user": {"login": "ann", "type": "User"}} for number in range(150)
    ]
    for text in ("first", "second"):
        world.outbox.put(GITHUB, "comment", {"commit": COMMIT, "text": text})
        world.teller.work()
        world.outbox.remember("github:comment:7", None)
    assert len(world.server.comments[7]) == 151
    assert world.server.comments[7][-1]["body"].endswith("second")


def test_deleted_comment_is_written_anew(world: World) -> None:
    world.server.pulls[COMMIT] = [7]
    world.outbox.remember("github:comment:7", 4711)
    world.outbox.put(GITHUB, "comment", {"commit": COMMIT, "text": "hello"})
    world.teller.work()
    assert len(world.server.comments[7]) == 1


def test_deployment_is_created_once_and_follows_its_states(world: World) -> None:
    body = {"key": "op1", "commit": COMMIT, "environment": "production", "description": "v2", "log_url": "", "url": ""}
    for state in ("in_progress", "success"):
        world.outbox.put(GITHUB, "deployment", {**body, "state": state})
    world.teller.work()
    (made,) = world.server.deployments
    assert made["production_environment"] and made["required_contexts"] == [] and not made["auto_merge"]
    assert [(number, one["state"]) for number, one in world.server.deployment_statuses] == [
        (1, "in_progress"),
        (1, "success"),
    ]


def test_sarif_arrives_as_it_was(world: World) -> None:
    body = {"commit": COMMIT, "ref": "refs/heads/main", "packed": pack(b'{"version": "2.1.0", "runs": []}')}
    world.outbox.put(GITHUB, "sarif", body)
    world.teller.work()
    assert world.server.sarifs[0]["sarif"] == {"version": "2.1.0", "runs": []}


def test_release_is_created_and_then_changed(world: World) -> None:
    for notes in ("one", "two"):
        world.outbox.put(GITHUB, "release", {"tag": "v2", "commit": COMMIT, "notes": notes})
    world.teller.work()
    assert world.server.releases["v2"]["body"] == "two"
