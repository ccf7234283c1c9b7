"""What is said in Slack: one message changed in place, its thread, and what Slack's troubles do to it: delay it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from gates.notify.messages import Message
from notify.outbox import SLACK, Outbox
from notify.slack_api import SlackApi
from notify.slack_entries import announce, message_entry, picture_entry, reply_entry
from services.notify.slack import SlackTeller
from settings.notify import Notify
from tests.serving import serving
from tests.slack_server import CHANNEL, TOKEN, SlackServer, html, rate_limited, refusal


class World:
    def __init__(self, directory: Path, server: SlackServer, url: str, token: str = TOKEN) -> None:
        server.url = url
        self.server = server
        self.outbox = Outbox(directory / "outbox.sqlite")
        self.notify = Notify.model_validate({"slack": {"token": "env:X", "channel": CHANNEL}})
        self.teller = SlackTeller(SlackApi(token, f"{url}/api/", 1), self.outbox)

    def say(self, key: str, headline: str, **more: Any) -> None:
        email = more.pop("email", "")
        announce(self.notify, self.outbox, message_entry(self.notify, key, Message(headline=headline, **more), email))

    def reply(self, key: str, text: str, loud: bool = False) -> None:
        announce(self.notify, self.outbox, reply_entry(self.notify, key, text, loud))

    def later(self) -> float:
        """Let time pass until everything is due, and say it."""
        with self.outbox._transaction() as connection:
            connection.exec_driver_sql("UPDATE items SET due = 0")
        return self.teller.work()

    def error(self) -> str:
        return self.outbox.backlog(SLACK).trouble(datetime.now(UTC), timedelta(minutes=1))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    server = SlackServer()
    with serving(server.app) as url:
        yield World(tmp_path, server, url)


def headline(message: dict[str, Any]) -> str:
    return str(message["blocks"][0]["text"]["text"])


def test_one_message_is_changed_in_place_with_a_thread(world: World) -> None:
    world.say("release:1", "v2 to production?")
    world.reply("release:1", "asked")
    assert world.teller.work() == 0
    world.say("release:1", "v2 goes to production")
    world.reply("release:1", "switch: 0.1 s")
    world.say("release:1", "v2 serves production")
    world.reply("release:1", "failed", loud=True)
    world.teller.work()
    (root,) = world.server.roots
    assert headline(root) == "• v2 serves production"
    assert [text.replace("\u200b", "") for text in world.server.thread(root)] == ["asked", "switch: 0.1 s", "failed"]
    assert world.server.updates == 1  # what was replaced in the same pass was not sent
    assert world.server.messages[world.server.order[-1]]["reply_broadcast"]


@pytest.mark.parametrize(
    ("failure", "wait_s"),
    [
        (rate_limited("7"), 7),
        (rate_limited("x"), 60),
        (refusal("invalid_auth"), 300),
        (refusal("channel_not_found"), 300),
        (refusal("internal_error"), 15),
        (html(500), 15),
        (html(200), 15),
        (JSONResponse({"ok": False, "error": "fatal_error"}, status_code=503), 15),
        (JSONResponse(["no", "object"]), 15),
        (3.0, 15),
    ],
)
def test_trouble_delays_and_loses_nothing(world: World, failure: Response | float, wait_s: float) -> None:
    world.say("a", "first")
    world.reply("a", "second")
    world.server.failures = [failure]
    assert world.teller.work() == wait_s
    assert "2 messages wait; the last try: Slack" in world.error()
    assert world.later() == 0
    assert world.server.thread(world.server.roots[-1]) == ["second"]
    assert world.error() == ""


def test_slack_that_is_not_there(tmp_path: Path) -> None:
    world = World(tmp_path, SlackServer(), "http://127.0.0.1:9")
    world.say("a", "first")
    assert world.teller.work() == 15
    assert "does not answer" in world.error()


def test_wrong_token_is_said_without_it(tmp_path: Path) -> None:
    server = SlackServer()
    with serving(server.app) as url:
        world = World(tmp_path, server, url, token="xoxb-wrong")
        world.say("a", "first")
        assert world.teller.work() == 300
        assert "invalid_auth" in world.error() and "xoxb" not in world.error()


def test_refused_message_is_given_up_and_said(world: World) -> None:
    world.say("a", "first")
    world.server.failures = [refusal("no_text")]
    world.teller.work()
    assert "given up: Slack: no_text" in world.error()


def test_refused_blocks_go_out_as_text(world: World) -> None:
    world.say("a", "first")
    world.server.failures = [refusal("invalid_blocks")]
    world.teller.work()
    assert world.server.roots[0]["text"] == "• first"
    assert "blocks" not in world.server.roots[0]


def test_deleted_message_is_posted_anew(world: World) -> None:
    world.outbox.remember("slack:thread:a", [CHANNEL, "1.1"])
    world.say("a", "again")
    world.teller.work()
    assert headline(world.server.roots[0]) == "• again"


def test_author_is_told_directly_when_slack_knows_them(world: World) -> None:
    world.server.people["ann@example.com"] = "U0ANN"
    world.say("a", "your commit", email="ann@example.com")
    world.say("b", "your commit", email="nobody@example.com")
    world.teller.work()
    assert [one["channel"] for one in world.server.roots] == ["U0ANN", CHANNEL]


def test_picture_goes_into_the_thread(world: World) -> None:
    world.say("weekly", "the week")
    announce(world.notify, world.outbox, picture_entry(world.notify, "weekly", "plot", b"\x89PNG"))
    world.teller.work()
    assert b"\x89PNG" in world.server.files[0]
    assert world.error() == ""
