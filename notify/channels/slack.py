"""Slack: one message for each key, changed in place, with a thread. Buttons come back through Socket Mode
(services/notify/slack_listener.py).
"""

import base64
from collections.abc import Callable
from typing import Any

import structlog
from pydantic import Field, model_validator

from gates.notify.messages import Message, Picture, Post, Rendered, Reply, Role
from gates.notify.slack_blocks import SECTION, blocks, escape, fallback
from host.home import Home
from notify.channel import Channel, ChannelSettings
from notify.outbox import Outbox
from notify.slack_api import SlackApi, SlackTrouble
from settings.notify import Reference, Url

log = structlog.get_logger("slack")


class SlackSettings(ChannelSettings):
    """Messages in Slack. Without `token` the channel is off."""

    base_url: Url = "https://slack.com/api/"
    """Address of Slack's Web API."""
    token: Reference = ""
    """Reference of the bot token. Empty: the channel is off."""
    app_token: Reference = ""
    """Reference of the app token, for the buttons."""
    channel: str = Field("", max_length=80)
    """Id of the channel."""
    team: str = Field("", max_length=40)
    """Id of the workspace. Clicks from another one are refused. Empty: from any."""
    authors: bool = True
    """Send a commit's author direct messages, when Slack knows the e-mail address."""
    timeout_seconds: float = Field(5, ge=0.5, le=60)
    """How long one call may take."""

    @model_validator(mode="after")
    def _check(self) -> "SlackSettings":
        if self.token and not self.channel:
            raise ValueError("token and channel must both be set")
        return self

    @property
    def on(self) -> bool:
        return bool(self.token)


class SlackChannel(Channel[SlackSettings]):
    settings_type = SlackSettings

    def __init__(self, name: str, settings: SlackSettings, home: Home, outbox: Outbox) -> None:
        super().__init__(name, settings, home, outbox)
        self.api = SlackApi(self.secret("token"), settings.base_url, settings.timeout_seconds)

    def check(self) -> str:
        return f"team {self.api.team()}"

    def send(self, post: Post) -> None:
        match post.content:
            case Message() as message:
                self._message(post, fallback(message), blocks(message))
            case Reply(text=text, role=role):
                self._reply(post.key, escape(text)[:SECTION], role is Role.REPEAT)
            case Picture(title=title, png=png):
                self.api.picture(*self._thread(post.key), title, base64.b64decode(png))
            case Rendered(reply=True) as rendered:
                self._reply(post.key, rendered.text, rendered.loud)
            case Rendered() as rendered:
                self._message(post, rendered.text, rendered.blocks)

    def _thread(self, key: str) -> tuple[str, str]:
        """Return channel and thread of a key; the thread is "" before its message was posted."""
        known = self.recall_thread(key)
        return (str(known[0]), str(known[1])) if known else (self.settings.channel, "")

    def _message(self, post: Post, text: str, formed: list[Any] | None) -> None:
        channel, thread = self._thread(post.key)
        if thread:
            try:
                _formed(lambda blocks: self.api.update(channel, thread, text, blocks), formed)
                return
            except SlackTrouble as trouble:
                if trouble.error not in ("message_not_found", "cant_update_message", "edit_window_closed"):
                    raise
        person = self.api.person(post.email) if post.email and self.settings.authors else None
        to = person or self.settings.channel
        _formed(lambda blocks: self.remember_thread(post.key, [to, self.api.post(to, text, blocks)]), formed)

    def _reply(self, key: str, text: str, loud: bool) -> None:
        channel, thread = self._thread(key)
        self.api.post(channel, text, thread=thread, loud=bool(loud and thread))


def _formed(send: Callable[[list[Any] | None], None], formed: list[Any] | None) -> None:
    """Send with blocks; what Slack refuses as blocks goes out as plain text rather than not at all."""
    try:
        send(formed)
    except SlackTrouble as trouble:
        if trouble.error not in ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"):
            raise
        log.error("blocks", error=trouble.error, sent="as plain text")
        send(None)


CHANNEL = SlackChannel
