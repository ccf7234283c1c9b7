"""Channels beside each other: one more is one file, and none waits for another."""

import re
import tomllib
from pathlib import Path

import pytest

from gates.notify.messages import Message
from host.errors import ConfigError
from host.home import CHECKOUT
from notify import channels
from notify.announce import announce, troubles
from notify.channels import configured
from notify.outbox import Outbox
from settings.notify import Notify
from tests.notify.sending import PROMOTED, Sending

PAGER = """
from gates.notify.messages import Message
from notify.channel import Channel, ChannelSettings


class PagerSettings(ChannelSettings):
    number: str


class Pager(Channel[PagerSettings]):
    settings_type = PagerSettings

    def check(self):
        return f"{self.settings.number} is a number"

    def send(self, post):
        if isinstance(post.content, Message):
            (self.home.root / self.settings.number).write_text(post.content.headline)


CHANNEL = Pager
"""


def test_one_more_channel_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "pager_of_a_test.py").write_text(PAGER)
    monkeypatch.setattr(channels, "__path__", [*channels.__path__, str(tmp_path / "channels")])
    world = Sending(tmp_path, {"pager_of_a_test": {"number": "0123"}})
    world.post("release:1", PROMOTED)
    assert world.work("pager_of_a_test") == 0
    assert (tmp_path / "0123").read_text() == "assistant v2 serves production"
    with pytest.raises(ConfigError, match="pager_of_a_test.numbr"):
        configured(Notify.model_validate({"pager_of_a_test": {"numbr": "0123"}}))


def test_a_dead_channel_holds_no_other_up_and_says_so_under_its_name(tmp_path: Path) -> None:
    mail = {"host": "127.0.0.1", "port": 9, "sender": "a@b.c", "to": ["d@e.f"]}
    world = Sending(tmp_path, {"email": mail, "log": {"file": "messages.log"}})
    for number in range(3):
        world.post(f"release:{number}", Message(headline=f"v{number}"))
    assert world.work("email") == 15 and world.work("log") == 0
    assert (world.waiting("email"), world.waiting("log")) == (3, 0)
    assert len((tmp_path / "messages.log").read_text().splitlines()) == 3
    item, *_ = world.outbox.due("email", most=1)
    (line,) = troubles(world.notify, world.outbox, item.created, patience=item.created - item.created)
    assert line.startswith("Email is not told everything: 3 messages wait; the last try: Email: does not answer")


def test_a_table_without_a_channel_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="slak: no such channel; there are: email, log, slack, teams, webhook"):
        configured(Notify.model_validate({"slak": {"token": "env:X"}}))


def test_without_a_channel_nothing_is_queued(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    notify = Notify.model_validate({"slack": {}, "email": {}})
    assert not announce(notify, outbox, remember={"x": 1}) and outbox.recall("x") is None


def test_what_the_documentation_shows_is_accepted() -> None:
    text = (CHECKOUT / "docs" / "notify.md").read_text()
    tables = tomllib.loads("".join(re.findall(r"```toml\n(.*?)```", text, re.S)))
    shown = configured(Notify.model_validate(tables))
    assert sorted(one.name for one in shown) == ["email", "log", "slack", "teams", "webhook"]


def test_what_the_file_of_this_repository_suggests_is_accepted() -> None:
    text = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", (CHECKOUT / "config" / "notify.toml").read_text())
    assert len(configured(Notify.model_validate(tomllib.loads(text)))) == 5
