"""What a journal says is told once, in one message for each release, whoever wrote it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployments.environment import Environment
from gates.release.approval import Question
from notify.outbox import GITHUB, Outbox
from services.notify.follow_journals import Follower
from settings.notify import Notify
from settings.targets import Target
from tests.notify.channels.test_slack import World as Slack
from tests.notify.channels.test_slack import headline
from tests.prefect_server import a_home
from tests.serving import serving
from tests.slack_server import CHANNEL, SlackServer

RUN = "11111111-2222-3333-4444-555555555555"
V2 = {"digest": "d" * 64, "version": "v2", "commit": "c" * 40}


class World:
    def __init__(self, directory: Path, slack: Slack) -> None:
        self.place = Environment.open(Target("production"), "assistant", a_home(directory))
        self.slack = slack
        self.outbox: Outbox = slack.outbox
        self.follower = self.fresh()

    def fresh(self) -> Follower:
        config = {
            "slack": {"token": "env:X", "channel": CHANNEL},
            "github": {"token": "env:Y", "repository": "team/app"},
        }
        return Follower(Notify.model_validate(config), self.outbox, [self.place], "http://ui")

    def write(self, kind: str, **data: Any) -> None:
        self.place.journal.write(kind, data, 1)

    def begin(self, mark: str = "op1", kind: str = "release", run: str = RUN) -> None:
        self.write("begin", id=mark, operation=kind, slot="green", run=run, before=None, **V2)

    def look(self) -> list[dict[str, Any]]:
        """Look and tell; return the messages that start a thread."""
        self.follower.look(self.place)
        assert self.slack.sender.work() == 0
        return self.slack.server.roots


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    server = SlackServer()
    with serving(server.app) as url:
        made = World(tmp_path, Slack(tmp_path, server, url))
        made.write("begin", id="old", operation="release", slot="blue", run="", before=None, **V2)
        made.write("end", id="old", outcome="promoted", reason="long ago")
        assert made.look() == []  # history is not news
        yield made


def test_a_release_is_one_message_with_its_steps_in_the_thread(world: World) -> None:
    world.begin()
    (root,) = world.look()
    assert headline(root) == "… release of assistant v2 in production"
    world.write("step", name="switch", seconds=0.04)
    world.write("judged", action="promote", reason="error rate 0% within 1%")
    world.write("end", id="op1", outcome="promoted", reason="all good")
    (root,) = world.look()
    assert headline(root) == "✓ assistant v2 serves production"
    assert f"http://ui/runs/flow-run/{RUN}" in str(root["blocks"])
    said = [text.replace("\u200b", "") for text in world.slack.server.thread(root)]
    assert said == ["switch: 0.04 s", "judged: promote: error rate 0% within 1%", "promoted: all good"]
    assert world.look() == [root] and len(world.slack.server.order) == 4


def test_nothing_is_told_twice_after_a_restart_and_nothing_is_missed(world: World) -> None:
    world.begin()
    world.look()
    world.follower = world.fresh()
    world.write("end", id="op1", outcome="rolled back", reason="error rate 9%")
    (root,) = world.look()
    assert headline(root) == "✗ assistant v2 was rolled back in production"
    assert world.slack.server.messages[world.slack.server.order[-1]]["reply_broadcast"]
    world.follower = world.fresh()
    assert len(world.look()) == 1 and len(world.slack.server.order) == 2


def test_a_rollback_typed_by_hand_is_told_too(world: World) -> None:
    world.begin("op2", "rollback", run="")
    world.write("condemned", digest="e" * 64, reason="it is slow")
    world.write("end", id="op2", outcome="rolled back", reason="asked for")
    (root,) = world.look()
    assert headline(root) == "✓ production went back to assistant v2"


def test_an_answered_question_loses_its_buttons(world: World) -> None:
    question = Question(
        id="0123456789ab",
        run=RUN,
        environment="production",
        digest="d" * 64,
        policy="p",
        expires=datetime.now(UTC) + timedelta(minutes=5),
        authors=(),
        version="v2",
        live="v1",
    )
    world.outbox.remember(f"asked:{question.id}", question.model_dump(mode="json"))
    world.write("answer", id=question.id, ruling="rejected", reason="Robin: <!channel> not *now*")
    (root,) = world.look()
    assert headline(root) == "✗ v2 to production: rejected"
    assert "actions" not in [block["type"] for block in root["blocks"]]
    assert "<!channel>" not in str(root)


def test_github_deployments_follow(world: World) -> None:
    world.begin()
    world.look()
    world.write("step", name="install", seconds=3)
    world.look()
    world.write("end", id="op1", outcome="restored", reason="HealthError")
    world.begin("op2", "rollback")
    world.write("end", id="op2", outcome="rolled back", reason="asked for")
    world.look()
    told = [(item.body["key"], item.body["state"]) for item in world.outbox.due(GITHUB)]
    assert told == [("op1", "in_progress"), ("op1", "error"), ("op2", "success")]
    assert world.outbox.backlog("slack").waiting == 0


def test_a_damaged_journal_is_told_by_nobody(world: World) -> None:
    world.begin()
    file = world.place.journal.file
    file.write_bytes(file.read_bytes().replace(b"long ago", b"just now"))
    with pytest.raises(Exception, match="damaged"):
        world.follower.look(world.place)
