"""Posts in Slack: one message changed in place, its thread, and what Slack's troubles do to it: delay it."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from gates.notify.messages import Message, Picture, Post, Reply, Role
from host.errors import ConfigError
from host.home import Home
from notify.announce import announce
from notify.channels import configured
from notify.outbox import Outbox
from services.notify.sender import Sender
from settings.notify import Notify
from tests.serving import serving
from tests.slack_server import CHANNEL, TOKEN, SlackServer, html, rate_limited, refusal


class World:
    def __init__(self, directory: Path, server: SlackServer, url: str, token: str = TOKEN, timeout_s: int = 60) -> None:
        server.url = url
        self.server = server
        self.outbox = Outbox(directory / "outbox.sqlite")
        (directory / "token").write_text(token)
        table = {"token": f"file:{directory}/token", "channel": CHANNEL, "base_url": f"{url}/api/"}
        self.notify = Notify.model_validate({"slack": {**table, "timeout_seconds": timeout_s}})
        (slack,) = configured(self.notify)
        self.sender = Sender(slack, Home(directory), self.outbox)

    def post(self, key: str, content: Message | Reply | Picture, email: str = "") -> None:
        announce(self.notify, self.outbox, Post(key=key, content=content, email=email))

    def say(self, key: str, headline: str, email: str = "", **more: Any) -> None:
        self.post(key, Message(headline=headline, **more), email)

    def reply(self, key: str, text: str, role: Role = Role.STEP) -> None:
        self.post(key, Reply(text=text, role=role))

    def later(self) -> float:
        """Let time pass until everything is due, and send it."""
        with self.outbox._transaction() as connection:
            connection.exec_driver_sql("UPDATE items SET due = 0")
        return self.sender.work()

    def error(self) -> str:
        return self.outbox.backlog("slack").trouble(datetime.now(UTC), timedelta(minutes=1))


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
    assert world.sender.work() == 0
    world.say("release:1", "v2 goes to production")
    world.reply("release:1", "switch: 0.1 s")
    world.say("release:1", "v2 serves production")
    world.reply("release:1", "failed", Role.REPEAT)
    world.sender.work()
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
    ],
)
def test_trouble_delays_and_loses_nothing(world: World, failure: Response, wait_s: float) -> None:
    world.say("a", "first")
    world.reply("a", "second")
    world.server.failures = [failure]
    assert world.sender.work() == wait_s
    assert "2 messages wait; the last try: Slack" in world.error()
    assert world.later() == 0
    assert world.server.thread(world.server.roots[-1]) == ["second"]
    assert world.error() == ""


def test_an_answer_that_does_not_come_is_tried_again(tmp_path: Path) -> None:
    server = SlackServer()
    with serving(server.app) as url:
        world = World(tmp_path, server, url, timeout_s=1)
        world.say("a", "first")
        server.failures = [60.0]
        assert world.sender.work() == 15
        assert "1 messages wait; the last try: Slack" in world.error()
        server.failures = []  # a busy host may not have come to ask it
        patient = World(tmp_path, server, url)
        assert patient.later() == 0
        assert [headline(one) for one in server.roots] == ["• first"] and patient.error() == ""


def test_slack_that_is_not_there(tmp_path: Path) -> None:
    world = World(tmp_path, SlackServer(), "http://127.0.0.1:9")
    world.say("a", "first")
    assert world.sender.work() == 15
    assert "does not answer" in world.error()


def test_wrong_token_is_said_without_it(tmp_path: Path) -> None:
    server = SlackServer()
    with serving(server.app) as url:
        world = World(tmp_path, server, url, token="xoxb-wrong")
        world.say("a", "first")
        assert world.sender.work() == 300
        assert "invalid_auth" in world.error() and "xoxb" not in world.error()


def test_refused_message_is_given_up_and_said(world: World) -> None:
    world.say("a", "first")
    world.server.failures = [refusal("no_text")]
    world.sender.work()
    assert "given up: Slack: no_text" in world.error()


def test_refused_blocks_go_out_as_text(world: World) -> None:
    world.say("a", "first")
    world.server.failures = [refusal("invalid_blocks")]
    world.sender.work()
    assert world.server.roots[0]["text"] == "• first"
    assert "blocks" not in world.server.roots[0]


def test_deleted_message_is_posted_anew(world: World) -> None:
    world.outbox.remember("slack:thread:a", [CHANNEL, "1.1"])
    world.say("a", "again")
    world.sender.work()
    assert headline(world.server.roots[0]) == "• again"


def test_author_is_told_directly_when_slack_knows_them(world: World) -> None:
    world.server.people["ann@example.com"] = "U0ANN"
    world.say("a", "your commit", email="ann@example.com")
    world.say("b", "your commit", email="nobody@example.com")
    world.sender.work()
    assert [one["channel"] for one in world.server.roots] == ["U0ANN", CHANNEL]


def test_picture_goes_into_the_thread(world: World) -> None:
    world.say("weekly", "the week")
    world.post("weekly", Picture(title="plot", png=base64.b64encode(b"\x89PNG").decode()))
    world.sender.work()
    assert b"\x89PNG" in world.server.files[0]
    assert world.error() == ""


def test_a_table_is_checked_without_showing_its_secret() -> None:
    assert configured(Notify.model_validate({"slack": {"channel": "C1"}})) == []
    for table in ({"token": "xoxb-the-secret-itself", "channel": "C1"}, {"token": "env:X"}, {"tokn": "env:X"}):
        with pytest.raises(ConfigError, match="config/notify.toml: slack") as refused:
            configured(Notify.model_validate({"slack": table}))
        assert "itself" not in str(refused.value)


def test_the_same_message_again_is_not_sent(world: World) -> None:
    for _ in range(2):
        world.say("a", "first")
        world.sender.work()
    assert (len(world.server.order), world.server.updates) == (1, 0)


def test_what_a_version_before_had_queued_is_still_sent(world: World) -> None:
    """As commit df1055a wrote its rows: rendered for Slack, with the channel in them."""
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "… v2 to production?", "emoji": False}}]
    row = {"key": "release:1", "channel": CHANNEL}
    old = [
        ("message", {**row, "text": "… v2 to production?", "blocks": blocks, "email": ""}),
        ("reply", {**row, "text": "5 &lt; 6", "loud": True}),
        ("picture", {**row, "title": "plot", "png": base64.b64encode(b"\x89PNG").decode()}),
    ]
    for kind, body in old:
        world.outbox.put("slack", kind, json.loads(json.dumps(body)))
    world.say("release:1", "v2 serves production")
    assert world.sender.work() == 0
    (root,) = world.server.roots
    assert headline(root) == "• v2 serves production" and world.server.thread(root) == ["5 &lt; 6"]
    assert b"\x89PNG" in world.server.files[0] and world.outbox.backlog("slack").waiting == 0


def test_a_row_that_cannot_be_read_is_given_up_and_holds_nothing_up(world: World) -> None:
    world.outbox.put("slack", "post", {"key": 5})
    world.outbox.put("slack", "unheard-of", {})
    world.say("a", "first")
    world.sender.work()
    assert headline(world.server.roots[0]) == "• first" and world.outbox.backlog("slack").waiting == 0


def test_it_says_whose_token_it_is(world: World) -> None:
    assert world.sender.configured.open(world.sender.home, world.outbox).check() == "team Testers"
