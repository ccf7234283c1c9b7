"""Commits found by asking GitHub, for those whom it cannot reach."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.errors import ToolError
from notify.outbox import INCOMING, Outbox
from services.receiver.intake import Intake
from services.receiver.poll import Poller
from settings.notify import Notify
from tests.github_server import TOKEN, GitHubServer, html, rate_limited, spent
from tests.serving import serving

A, B = "a" * 40, "b" * 40


class World:
    def __init__(self, directory: Path, server: GitHubServer, url: str) -> None:
        config = {"github": {"api_url": url, "repository": "team/app", "poll_seconds": 5, "forks": True}}
        notify = Notify.model_validate(config)
        self.server = server
        self.outbox = Outbox(directory / "outbox.sqlite")
        self.poller = Poller(notify, TOKEN, Intake(notify, self.outbox))

    def found(self) -> list[tuple[str, str]]:
        return [(item.body["branch"], item.body["commit"]) for item in self.outbox.due(INCOMING)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    server = GitHubServer()
    server.branches = {"main": A, "develop": B}
    with serving(server.app) as url:
        yield World(tmp_path, server, url)


def pull(head: str, source: str = "team/app") -> dict[str, Any]:
    return {
        "number": 7,
        "updated_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "user": {"login": "ann"},
        "head": {"ref": "feature/x", "sha": head, "repo": {"full_name": source}},
        "base": {"ref": "main", "sha": A, "repo": {"full_name": "team/app"}},
    }


def test_a_new_commit_is_found_once_and_unchanged_answers_are_not_read(world: World) -> None:
    assert world.poller.look() == 0
    assert world.poller.look() == 0
    assert world.found() == [("main", A), ("develop", B)]
    world.server.branches["main"] = B
    world.poller.look()
    assert world.found()[2:] == [("main", B)]


def test_going_back_to_an_earlier_commit_is_a_push_too(world: World) -> None:
    for commit in (A, B, A):
        world.server.branches["main"] = commit
        world.poller.look()
    assert [commit for branch, commit in world.found() if branch == "main"] == [A, B, A]


def test_pull_requests_are_found_with_their_forks(world: World) -> None:
    world.server.open_pulls = [pull(B, "stranger/app")]
    world.poller.look()
    world.poller.look()
    (found,) = [item for item in world.outbox.due(INCOMING) if item.body["kind"] == "pull-request"]
    assert found.body["fork"] is True and found.body["number"] == 7


def test_a_pull_request_that_is_retargeted_is_found_again(world: World) -> None:
    for base in ("main", "develop", "develop"):
        world.server.open_pulls = [pull(B) | {"base": {"ref": base, "sha": A, "repo": {"full_name": "team/app"}}}]
        world.poller.look()
    found = [item for item in world.outbox.due(INCOMING) if item.body["kind"] == "pull-request"]
    assert [item.body["target"] for item in found] == ["main", "develop"]


def test_rate_limits_are_honoured(world: World) -> None:
    world.server.failures = [rate_limited("33")]
    assert world.poller.look() == 33
    reset = int(time.time()) + 500
    world.server.failures = [spent(reset)]
    waits_s = world.poller.look()
    assert reset - time.time() <= waits_s <= 500, "however long the host took to ask"


@pytest.mark.parametrize("failure", [html(502), html(200)])
def test_an_answer_that_cannot_be_used_concludes_nothing(world: World, failure: Any) -> None:
    world.server.failures = [failure]
    with pytest.raises(ToolError):
        world.poller.look()
    assert world.found() == []
    world.poller.look()
    assert world.found() == [("main", A), ("develop", B)]


def test_an_absent_branch_is_no_trouble(world: World) -> None:
    world.server.branches = {"main": A}
    assert world.poller.look() == 0
    assert world.found() == [("main", A)]


def test_a_malformed_commit_is_refused(world: World) -> None:
    world.server.branches = {"main": "HEAD; rm -rf /"}
    with pytest.raises(ToolError, match="cannot be read"):
        world.poller.look()
    assert world.found() == []
